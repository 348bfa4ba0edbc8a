"""What else does it cost? Memory and disk per key, an idle app, bytes written per record.

    python -m tests.bench.costs [--parts keys idle bytes] [--records 200000] [--keys 100000 1000000 10000000]

keys: a count without Kafka, each key once, in a process of its own; what memory and the folder grow by.
idle: a worker with four tasks and no records for 20 s: memory and CPU, its interpreter and client library included.
bytes: what a record of a job leaves in the topics that the app writes, in the coordinators' topics, and what the
process writes to disk; sizes of log files, so as compressed or not as the clients send them.

`bench/costs.json` keeps the figures of one call.
"""

import argparse
import gc
import json
import multiprocessing
import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from framework import App
from framework.broker import EmbeddedKafka
from framework.records import Records, TaskId, TopicPartition
from framework.runtime.task import Task, TaskPhase
from state import TaskState
from state.rocksdb import RocksBackend
from tests.bench import startup
from tests.bench.bounded_state import disk_mb, memory_mb
from tests.bench.growth import count
from tests.bench.penstock import run_penstock
from tests.bench.stopwatch import Stopwatch
from tests.bench.workload import FIRST_TIMESTAMP_MS, Inputs, load

RESULTS = Path("bench/costs.json")
CHUNK, COMMIT = 10_000, 50_000
IDLE_S, SETTLE_S = 20, 5
BYTES_JOBS = ("count", "window", "words", "sessions")
_COORDINATORS = ("__consumer_offsets", "__transaction_state")
_MB = 1 << 20
Row = dict[str, Any]


def keys_row(keys: int, told: Any) -> None:
    """Count so many keys, each once, in this process."""
    app = App("costs")
    count(app, "costs-given", "costs-counts")
    (sub,) = app.plan().sub_topologies
    specs = [store.spec for store in sub.stores]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "0_0"
        task = Task(TaskId(0, 0), sub, TaskState(specs, RocksBackend(folder, [spec.name for spec in specs])))
        task.enter(TaskPhase.RESTORING)
        task.enter(TaskPhase.RUNNING)
        before = memory_mb()
        for first in range(0, keys, CHUNK):
            numbers = range(first, min(first + CHUNK, keys))
            times = [FIRST_TIMESTAMP_MS + n for n in numbers]
            # an odd factor scatters the keys over the store
            names: list[bytes | None] = [b"user-%010d" % (n * 2_654_435_761 % 10**10) for n in numbers]
            task.process(TopicPartition("costs-given", 0), Records(names, [b"x"] * len(names), times, numbers))
            if (first + CHUNK) % COMMIT == 0:
                task.flush()
                task.take_outputs()
                task.commit(dict.fromkeys(task.changelog(), first))
        gc.collect()
        grown, disk = memory_mb() - before, disk_mb(folder)
        told.send(
            {
                "keys": keys,
                "MB": grown,
                "bytes of memory per key": grown * _MB / keys,
                "bytes on disk per key": disk * _MB / keys,
            }
        )
        task.close()


def idle_row(bootstrap: str) -> Row:
    """A worker that has written one result and gets no more records."""
    first = startup.First(bootstrap)
    with tempfile.TemporaryDirectory() as folder, first.running(folder) as process:
        time.sleep(SETTLE_S)
        before = _cpu_s(process.pid)
        time.sleep(IDLE_S)
        cpu = (_cpu_s(process.pid) - before) / IDLE_S
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        return {"idle app, MB": pages * 4096 / _MB, "idle app, % of a core": 100 * cpu}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def job_run(job: str, bootstrap: str, inputs: Inputs, output: str, told: Any) -> None:
    """Run a job in this process; the bytes it wrote to disk."""
    run_penstock(job, bootstrap, inputs, output, Stopwatch(inputs.records(job)))
    written = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    told.send(int(written["write_bytes"]))


def bytes_row(job: str, broker: EmbeddedKafka, inputs: Inputs) -> Row:
    """Bytes per record of a job."""
    data, output = broker.folder / "data", f"costs-{uuid.uuid4().hex[:8]}"
    before = _log_bytes(data)
    on_disk = _in_a_process(job_run, job, broker.bootstrap, inputs, output)
    grown = {topic: size - before.get(topic, 0) for topic, size in _log_bytes(data).items()}
    parts = {
        "output": sum(size for topic, size in grown.items() if topic == output),
        "changelog": sum(size for topic, size in grown.items() if topic.endswith("-changelog")),
        "repartition": sum(size for topic, size in grown.items() if topic.endswith("-repartition")),
        "coordinators": sum(grown.get(topic, 0) for topic in _COORDINATORS),
    }
    records = inputs.records(job)
    told = {f"{name}": size / records for name, size in parts.items()}
    return {"job": job, "records": records, **told, "Kafka": sum(told.values()), "disk": on_disk / records}


def _log_bytes(data: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for file in data.glob("*/*.log"):
        topic = file.parent.name.rpartition("-")[0]
        sizes[topic] = sizes.get(topic, 0) + file.stat().st_size
    return sizes


def _in_a_process(work: Any, *arguments: Any) -> Any:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, there))
    process.start()
    there.close()
    found = here.recv()
    process.join()
    return found


def _table(title: str, rows: list[Row]) -> RichTable:
    shown = RichTable(*rows[0], title=title)
    for row in rows:
        shown.add_row(
            *(
                f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
                for value in row.values()
            )
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=("keys", "idle", "bytes"), default=("keys", "idle", "bytes"))
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--keys", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    arguments = parser.parse_args()
    console, found = Console(width=120), {}
    if "keys" in arguments.parts:
        found["keys"] = [_in_a_process(keys_row, keys) for keys in arguments.keys]
        console.print(_table("a count, each key once", found["keys"]))
    with EmbeddedKafka(heap_mb=1024) as broker:
        if "idle" in arguments.parts:
            found["idle"] = [idle_row(broker.bootstrap)]
            console.print(_table(f"no records for {IDLE_S} s", found["idle"]))
        if "bytes" in arguments.parts:
            inputs = load(broker.bootstrap, arguments.records)
            found["bytes"] = [bytes_row(job, broker, inputs) for job in BYTES_JOBS]
            console.print(_table("bytes written per record", found["bytes"]))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
