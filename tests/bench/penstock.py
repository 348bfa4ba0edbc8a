"""The same jobs as apps of the framework, run by its worker as production does."""

import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framework import App, Stream, Table, Windowed, tumbling
from framework.config import load_settings
from framework.runtime.kafka import admin_client
from framework.runtime.run import tune_collector
from framework.runtime.topics import Topics
from framework.runtime.worker import Worker
from state import StateFolder
from tests.bench.stopwatch import Figures, Stopwatch
from tests.bench.workload import GRACE_MS, WINDOW_MS, Event, Taxed, add_vat, amount_of, create_topic, is_charge


def declare(job: str, topic: str, output: str) -> App:
    """The app of a job, as a user writes it."""
    app = App(f"bench-{uuid.uuid4().hex[:8]}")
    source = app.topic(topic, key=str, value=Event)
    if job == "map":
        taxed = app.topic(output, key=str, value=Taxed)

        @app.topology(source, to=taxed)
        def tax(events: Stream[str, Event]) -> Stream[str, Taxed]:
            return events.filter(is_charge).map(add_vat)
    elif job == "window":
        sums = app.topic(output, key=Windowed[str], value=float)

        @app.topology(source, to=sums)
        def sum_up(events: Stream[str, Event]) -> Table[Windowed[str], float]:
            return events.group_by_key().window(tumbling(f"{WINDOW_MS}ms", grace=f"{GRACE_MS}ms")).sum(amount_of)
    else:
        counts = app.topic(output, key=str, value=int)

        @app.topology(source, to=counts)
        def count(events: Stream[str, Event]) -> Table[str, int]:
            return events.group_by_key().count()

    return app


class MeasuredWorker(Worker):
    """A worker with a stopwatch at three of its steps; it stops after the commit that covers the last record."""

    figures: Figures

    def measure(self, watch: Stopwatch) -> None:
        self._watch = watch

    def _process(self, messages: Sequence[Any], now_ms: int) -> None:
        self._watch.start()
        super()._process(messages, now_ms)
        self._watch.pass_by(self.records)

    def _commit(self) -> None:
        super()._commit()
        if self.records >= self._watch.total and not self._is_stopping:
            self.figures = self._watch.finish()
            self.stop()


def run_penstock(job: str, bootstrap: str, topic: str, output: str, watch: Stopwatch) -> Figures:
    """Run the job over the topic's `watch.total` records into the new topic `output`."""
    create_topic(bootstrap, output)
    app = declare(job, topic, output)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"bootstrap_servers": bootstrap, "state_dir": folder}, app.settings)
        layout = Topics(admin_client(settings), bootstrap).prepare(app.plan())
        state_folder = StateFolder(Path(folder) / "bench", app.id)
        worker = MeasuredWorker(layout, settings, identity="bench", is_static=False, state_folder=state_folder)
        worker.measure(watch)
        tune_collector(settings.chunk_records)
        worker.run()
        return worker.figures
