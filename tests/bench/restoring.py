"""How fast does a store come back? A changelog of many keys into empty stores on disk.

    python -m tests.bench.restoring [--keys 1000000] [--value-bytes 100] [--rounds 3] [--profile]

The changelog is written beforehand, one record per key, over four partitions; a process of its own restores the four
tasks side by side, as a worker does that has none of their state. `bench/restoring.json` keeps all rounds.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from framework import App, Table
from framework.broker import EmbeddedKafka
from framework.config import load_settings
from framework.plan.plan import Plan
from framework.records import TaskId
from framework.runtime import kafka
from framework.runtime.process import tune_collector
from framework.runtime.restore import Restorer
from framework.runtime.task import Task, TaskPhase
from framework.runtime.topics import Topics
from state import TaskState
from state.rocksdb import RocksBackend
from tests.bench.sampler import Sampler, top_table
from tests.bench.stopwatch import peak_mb
from tests.bench.workload import FIRST_TIMESTAMP_MS, PARTITIONS, create_topic

RESULTS = Path("bench/restoring.json")


def plan() -> Plan:
    app = App("restoring")
    given, kept = app.topic("restoring-given", key=str, value=bytes), app.topic("restoring-kept", key=str, value=bytes)

    @app.topology(given, to=kept)
    def keep(given: Table[str, bytes]) -> Table[str, bytes]:
        return given

    return app.plan()


def fill(bootstrap: str, keys: int, value_bytes: int) -> None:
    """Make the app's topics and write its changelog."""
    for topic in ("restoring-given", "restoring-kept"):
        create_topic(bootstrap, topic)
    settings = load_settings({"bootstrap_servers": bootstrap}, {})
    Topics(kafka.admin_client(settings), bootstrap).prepare(plan())
    (changelog,) = (store.changelog for sub in plan().sub_topologies for store in sub.stores)
    producer = kafka.transactional_producer(settings, "restoring-fill")
    producer.init_transactions(30)
    for first in range(0, keys, 50_000):
        producer.begin_transaction()
        for n in range(first, min(first + 50_000, keys)):
            value = (b"%d " % (n * 7_919)) * (value_bytes // 4)
            producer.produce(
                changelog, value[:value_bytes], b"user-%08d" % n, n % PARTITIONS, None, None, FIRST_TIMESTAMP_MS + n
            )
        producer.flush()
        producer.commit_transaction(30)


def restore(bootstrap: str, is_sampled: bool, told: Any) -> None:
    """The life of the process that restores: seconds, CPU seconds, peak memory (MB), samples."""
    settings = load_settings({"bootstrap_servers": bootstrap}, {})
    reader, ends = kafka.restore_consumer(settings, "restoring"), kafka.end_consumer(settings, "restoring")
    (sub,) = plan().sub_topologies
    specs = [store.spec for store in sub.stores]
    restorer, sampler = Restorer(reader, ends, ()), Sampler()
    tune_collector(settings.chunk_records)
    if is_sampled:
        sampler.start()
    with tempfile.TemporaryDirectory() as folder:
        started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        tasks = []
        for partition in range(PARTITIONS):
            backend = RocksBackend(Path(folder) / f"0_{partition}", [spec.name for spec in specs])
            tasks.append(Task(TaskId(0, partition), sub, TaskState(specs, backend)))
            tasks[-1].enter(TaskPhase.RESTORING)
            restorer.start(tasks[-1])
        ready: list[Task] = []
        while len(ready) < len(tasks):
            ready += restorer.step(0.005)
        took, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        sampler.stop()
        entries = sum(1 for task in tasks for _ in task.state.stores[specs[0].name].scan())
        for task in tasks:
            task.close()
    restorer.close()
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    told.send((took, cpu, entries, peak_mb(), [(*place, n) for place, n in sampler.samples.items()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--value-bytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    console, keys = Console(width=130), arguments.keys
    context = multiprocessing.get_context("spawn")
    rows = []
    with EmbeddedKafka(heap_mb=1024) as broker:
        fill(broker.bootstrap, keys, arguments.value_bytes)
        for _ in range(arguments.rounds):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=restore, args=(broker.bootstrap, arguments.profile, there))
            process.start()
            there.close()
            took, cpu, entries, peak, samples = here.recv()
            process.join()
            if entries != keys:
                raise SystemExit(f"{entries} of {keys} keys came back.")
            mb = keys * (arguments.value_bytes + len("user-00000000")) / 1e6
            rows.append({"rate": keys / took, "mb_per_s": mb / took, "cpu_us": cpu / keys * 1e6, "peak_mb": peak})
            console.print(*(f"{name} {figure:,.2f}" for name, figure in rows[-1].items()))
            if samples:
                console.print(top_table(samples, "restore: where the time goes", 20))
    console.print("median:", *(f"{name} {statistics.median(row[name] for row in rows):,.2f}" for name in rows[0]))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
