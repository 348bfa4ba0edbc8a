"""Does state level off? Steps that forget by time, fed with ever new keys for long: entries, disk and memory.

    python -m tests.bench.bounded_state [--events 10000000] [--jobs join session deduplicate ttl]

Each job is a task with stores on disk, driven directly in a process of its own, without Kafka: chunks of 10,000
records, a commit after each 100,000, a record each ms of event time, each key in two records (one on either side of the
join, 10 ms apart) and never again. After each million it prints the live entries of all stores, the size of the task's
folder and the process's memory. With a step that keeps each key for a minute or two, all three must level off.
"""

import argparse
import gc
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from framework import App, Context, Processor, Stream, Table, ValueState, Windowed, session
from framework.records import Records, TaskId, TopicPartition
from framework.runtime.buffer import Batch
from framework.runtime.task import Task, TaskPhase
from serde import for_type
from state import TaskState
from state.rocksdb import RocksBackend

CHUNK, COMMIT = 10_000, 100_000
_MB = 1 << 20
_VALUE = for_type(int).serialize(7)


class Remember(Processor[str, int, int]):
    seen = ValueState(int, default=0, ttl="1m")

    def process(self, value: int, ctx: Context[str]) -> int | None:
        self.seen.set(self.seen.get() + value)
        return None


def join(app: App) -> None:
    lefts, rights = (app.topic(name, key=str, value=int) for name in ("lefts", "rights"))
    results = app.topic("results", key=str, value=int)

    @app.topology(lefts, rights, to=results)
    def joined(lefts: Stream[str, int], rights: Stream[str, int]) -> Stream[str, int]:
        return lefts.join(rights, value=lambda a, b: a + b, within="30s", type=int)


def sessions(app: App) -> None:
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=Windowed[str], value=int)

    @app.topology(given, to=results)
    def visits(given: Stream[str, int]) -> Table[Windowed[str], int]:
        return given.group_by_key().window(session("30s", grace="0s")).count(emit="final")


def deduplicate(app: App) -> None:
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=str, value=int)

    @app.topology(given, to=results)
    def once(given: Stream[str, int]) -> Stream[str, int]:
        return given.deduplicate(within="1m")


def ttl(app: App) -> None:
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=str, value=int)

    @app.topology(given, to=results)
    def remembered(given: Stream[str, int]) -> Stream[str, int]:
        return given.process(Remember)


JOBS: dict[str, Callable[[App], None]] = {"join": join, "session": sessions, "deduplicate": deduplicate, "ttl": ttl}


def memory_mb() -> float:
    """What the process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / _MB


def disk_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / _MB


def run(job: str, events: int) -> None:
    """Drive one job and print what its state takes."""
    app = App("bounded")
    JOBS[job](app)
    (sub,) = app.plan().sub_topologies
    specs = [store.spec for store in sub.stores]
    with tempfile.TemporaryDirectory(prefix="penstock-bounded-") as place:
        folder = Path(place) / "0_0"
        backend = RocksBackend(folder, [spec.name for spec in specs])
        task = Task(TaskId(0, 0), sub, TaskState(specs, backend))
        task.enter(TaskPhase.RESTORING)
        task.enter(TaskPhase.RUNNING)
        inputs = [TopicPartition(topic, 0) for topic in sub.topics]
        positions = dict.fromkeys((spec.name for spec in specs), -1)
        started = time.perf_counter()
        for first in range(0, events, CHUNK):
            task.process_batch(_batch(inputs, first))
            if (first + CHUNK) % COMMIT == 0:
                _commit(task, positions)
            if (first + CHUNK) % 1_000_000 == 0:
                took, started = time.perf_counter() - started, time.perf_counter()
                entries = sum(1 for spec in specs for _ in backend.scan(spec.name))
                gc.collect()
                sizes = f"{disk_mb(folder):8.1f} MB on disk {memory_mb():8.1f} MB of memory {took:7.1f} s"
                print(f"{job:12}{(first + CHUNK) // 1_000_000:4} million {entries:9,} entries {sizes}", flush=True)
                started = time.perf_counter()
        task.close()


def _batch(inputs: list[TopicPartition], first: int) -> Batch:
    times = range(first, first + CHUNK)
    # 20 ms of records: ten keys, and the same ten again
    keys = [b"customer-%010d" % (t // 20 * 10 + t % 10) for t in times]
    if len(inputs) == 1:
        return [(inputs[0], _records(keys, list(times)), range(CHUNK))]
    places = ([i for i in range(CHUNK) if i % 20 < 10], [i for i in range(CHUNK) if i % 20 >= 10])
    return [
        (tp, _records([keys[i] for i in part], [times[i] for i in part]), part)
        for tp, part in zip(inputs, places, strict=True)
    ]


def _records(keys: list[bytes | None], times: list[int]) -> Records:
    return Records(keys, [_VALUE] * len(keys), times, times)


def _commit(task: Task, positions: dict[str, int]) -> None:
    task.flush()
    task.take_outputs()
    for name, batch in task.changelog().items():
        positions[name] += len(batch.keys) + 1
    task.commit(positions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    arguments = parser.parse_args()
    for job in arguments.jobs:
        process = multiprocessing.get_context("spawn").Process(target=run, args=(job, arguments.events))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
