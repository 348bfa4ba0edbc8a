"""Workers of one group, a process each, that begin at the same moment and say what they used.

Each notes after every commit the time, the CPU it has used, and how many records and changed keys it has done. What is
measured is the time in which all of them work on records behind the warm ones.
"""

import multiprocessing
import resource
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework import App
from framework.config import load_settings
from framework.plan.plan import Plan
from framework.runtime.kafka import admin_client
from framework.runtime.process import tune_collector
from framework.runtime.task import Task
from framework.runtime.topics import Topics
from framework.runtime.worker import Worker
from state import ChangelogBatch, StateFolder
from tests.bench.sampler import Sampler
from tests.bench.stopwatch import peak_mb
from tests.bench.workload import create_topic

_TIMEOUT_S = 550
Declare = Callable[[App, str, str], None]


@dataclass(frozen=True)
class Sample:
    """After a commit: clock and CPU (s); records, commits and changed keys so far."""

    at_s: float
    cpu_s: float
    records: int
    commits: int
    changed: int


@dataclass(frozen=True)
class Spent:
    """Of all workers together: records per second, CPU (µs) and changed keys per record, records per commit.

    `measured` is how many records that stands for, `peak_mb` the most memory that one of them had.
    """

    rate: float
    cpu_us: float
    changed: float
    commit_records: float
    measured: int
    peak_mb: float


class SampledWorker(Worker):
    """Waits for the start before it opens its tasks; stops when the group has done all records."""

    def prepare(self, shared: Any, index: int, total: int, warm: Callable[[int], int]) -> None:
        self._shared, self._index, self._total, self._warm = shared, index, total, warm
        self._changed = self._commits = 0
        self.samples: list[Sample] = []

    def _turn(self) -> None:
        self._shared.assigned[self._index] = len(self._assignment._assigned)
        if self._shared.is_open.is_set() or not self._assignment._assigned:
            super()._turn()
        else:
            self._intake.poll(0.02)

    def _changelog(self, task: Task) -> dict[str, ChangelogBatch]:
        batches = super()._changelog(task)
        self._changed += sum(len(batch.keys) for batch in batches.values())
        return batches

    def _commit(self) -> None:
        was_open = self._transaction.is_open
        super()._commit()
        if not was_open:
            return
        self._commits += 1
        if self.samples or self._is_warm():
            used = resource.getrusage(resource.RUSAGE_SELF)
            now = Sample(
                time.monotonic(), used.ru_utime + used.ru_stime, self.records, self._commits, self._changed
            )  # fmt: skip
            self.samples.append(now)
        self._shared.done[self._index] = self.records
        if sum(self._shared.done) >= self._total:
            self.stop()

    def _is_warm(self) -> bool:
        """True if as many records are done as its partitions have warm ones.

        Reason: the client reads partitions one after the other, so the last one may begin when the others have ended.
        """
        places = [tp for task in self._assignment.tasks for tp in self._layout.inputs(task.id)]
        return self.records >= sum(self._warm(tp.partition) for tp in places)

    def _poll_timeout_s(self) -> float:
        # Reason: the last of the group ends all of it, which a worker without records must notice.
        if sum(self._shared.done) >= self._total:
            self.stop()
        return super()._poll_timeout_s()


@dataclass(frozen=True)
class Shared:
    """What the workers of a group tell each other."""

    is_open: Any
    assigned: Any
    done: Any


def measure(
    declare: Declare, bootstrap: str, source: str, point: Any, *, workers: int = 1, is_sampled: bool = False
) -> tuple[Spent, list[tuple[str, int, int]]]:
    """Run the app that `declare` makes of (app, source, output) over a `Point`'s topic; what it took, and samples.

    Raises:
        SystemExit: a worker failed.
    """
    context = multiprocessing.get_context("spawn")
    app_id, output = f"grown-{uuid.uuid4().hex[:8]}", f"out-{uuid.uuid4().hex[:8]}"
    shared = Shared(context.Event(), context.Array("q", workers), context.Array("q", workers))
    with tempfile.TemporaryDirectory() as folder:
        _prepare(declare, bootstrap, app_id, source, output, point.partitions)
        pipes, processes = [], []
        for index in range(workers):
            here, there = context.Pipe(duplex=False)
            given = (declare, bootstrap, app_id, source, output, point, shared, index, folder, is_sampled, there)
            processes.append(context.Process(target=_work, args=given))
            pipes.append(here)
            processes[-1].start()
            there.close()
        _open_when_all_have_tasks(shared, point.partitions, processes)
        try:
            found = [pipe.recv() for pipe in pipes if pipe.poll(_TIMEOUT_S)]
        except EOFError:
            found = []
        for process in processes:
            process.join(10)
            process.kill()
    if len(found) < workers:
        raise SystemExit("a worker failed; what it said is above.")
    return _summed_up([samples for samples, _, _ in found], max(peak for _, _, peak in found)), found[0][1]


def _prepare(declare: Declare, bootstrap: str, app_id: str, source: str, output: str, partitions: int) -> None:
    create_topic(bootstrap, output, partitions)
    settings = load_settings({"bootstrap_servers": bootstrap}, {})
    Topics(admin_client(settings), bootstrap).prepare(_plan(declare, app_id, source, output)[1])


def _plan(declare: Declare, app_id: str, source: str, output: str) -> tuple[App, Plan]:
    app = App(app_id)
    declare(app, source, output)
    return app, app.plan()


def _open_when_all_have_tasks(shared: Shared, tasks: int, processes: list[Any]) -> None:
    deadline = time.monotonic() + 60
    while sum(shared.assigned) < tasks or not all(shared.assigned):
        if time.monotonic() > deadline or not all(process.is_alive() for process in processes):
            break
        time.sleep(0.02)
    shared.is_open.set()


def _work(
    declare: Declare, bootstrap: str, app_id: str, source: str, output: str, point: Any, shared: Shared, index: int,
    folder: str, is_sampled: bool, told: Any,
) -> None:  # fmt: skip
    """The life of one worker process."""
    app, plan = _plan(declare, app_id, source, output)
    settings = load_settings(
        {"bootstrap_servers": bootstrap, "state_dir": folder, "heartbeat_interval": 100},
        app.settings,
    )
    layout = Topics(admin_client(settings), bootstrap).prepare(plan)
    held = StateFolder(Path(folder) / f"worker-{index}", app_id)
    worker = SampledWorker(layout, settings, identity=f"worker-{index}", is_static=False, state_folder=held)
    worker.prepare(shared, index, point.total, point.warm)
    tune_collector(settings.chunk_records)
    sampler = Sampler()
    if is_sampled:
        sampler.start()
    worker.run()
    sampler.stop()
    told.send((worker.samples, [(file, line, n) for (file, line), n in sampler.samples.items()], peak_mb()))


def _summed_up(workers: list[list[Sample]], peak: float) -> Spent:
    """From when all are warm until the first has nothing more to do."""
    start = max(samples[0].at_s for samples in workers)
    end = min(samples[-1].at_s for samples in workers)
    parts = [[sample for sample in samples if start <= sample.at_s <= end] for samples in workers]
    ends = [(part[0], part[-1]) for part in parts if len(part) > 1]
    records = sum(b.records - a.records for a, b in ends)
    commits = sum(b.commits - a.commits for a, b in ends)
    return Spent(
        sum((b.records - a.records) / (b.at_s - a.at_s) for a, b in ends),
        sum(b.cpu_s - a.cpu_s for a, b in ends) / records * 1e6,
        sum(b.changed - a.changed for a, b in ends) / records,
        records / commits,
        records,
        peak,
    )
