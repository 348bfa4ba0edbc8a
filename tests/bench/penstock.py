"""The same jobs as apps of the framework, run by its worker as production does."""

import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from framework import App, Context, Processor, Stream, Table, Timer, Topic, ValueState, Windowed, session, tumbling
from framework.config import load_settings
from framework.runtime.kafka import admin_client
from framework.runtime.process import limit_arenas, tune_collector
from framework.runtime.topics import Topics
from framework.runtime.worker import Worker
from state import StateFolder
from tests.bench.nexmark import NexmarkInputs, declare_query
from tests.bench.stopwatch import Figures, Stopwatch
from tests.bench.workload import (
    GAP_MS,
    GRACE_MS,
    IDLE_MS,
    WINDOW_MS,
    WITHIN_MS,
    Event,
    Inputs,
    Taxed,
    add_vat,
    amount_of,
    create_topic,
    is_charge,
    page_of_named,
    page_to_article,
)

QUIET_S = 3.0


class Idle(Processor[str, bytes, int]):
    """Counts a key's records; the first sets a timer, at which the count is sent and begins anew."""

    number = ValueState(int, default=0)

    def process(self, value: bytes, ctx: Context[str]) -> None:
        before = self.number.get()
        self.number.set(before + 1)
        if not before:
            ctx.timer(at=ctx.timestamp + IDLE_MS)

    def on_timer(self, timer: Timer, ctx: Context[str]) -> int:
        number = self.number.get()
        self.number.clear()
        return number


def declare(job: str, inputs: Inputs | NexmarkInputs, output: str) -> App:
    """The app of a job, as a user writes it."""
    if isinstance(inputs, NexmarkInputs):
        return declare_query(job, inputs, output)
    app = App(f"bench-{uuid.uuid4().hex[:8]}")
    _JOBS[job](app, inputs, output)
    return app


def _map(app: App, inputs: Inputs, output: str) -> None:
    _tax(app, app.topic(inputs.clicks, key=str, value=Event), app.topic(output, key=str, value=Taxed))


def _map_avro(app: App, inputs: Inputs, output: str) -> None:
    clicks = app.topic(inputs.avro_clicks, key=str, value=Event, serde="avro")
    _tax(app, clicks, app.topic(output, key=str, value=Taxed, serde="avro"))


def _tax(app: App, clicks: Topic[str, Event], taxed: Topic[str, Taxed]) -> None:

    @app.topology(clicks, to=taxed)
    def tax(events: Stream[str, Event]) -> Stream[str, Taxed]:
        return events.filter(is_charge).map(add_vat)


def _count(app: App, inputs: Inputs, output: str) -> None:
    clicks, counts = app.topic(inputs.clicks, key=str, value=Event), app.topic(output, key=str, value=int)

    @app.topology(clicks, to=counts)
    def count(events: Stream[str, Event]) -> Table[str, int]:
        return events.group_by_key().count()


def _window(app: App, inputs: Inputs, output: str) -> None:
    _sum(app, app.topic(inputs.clicks, key=str, value=Event), output)


def _window_avro(app: App, inputs: Inputs, output: str) -> None:
    _sum(app, app.topic(inputs.avro_clicks, key=str, value=Event, serde="avro"), output)


def _sum(app: App, clicks: Topic[str, Event], output: str) -> None:
    sums = app.topic(output, key=Windowed[str], value=float)

    @app.topology(clicks, to=sums)
    def sum_up(events: Stream[str, Event]) -> Table[Windowed[str], float]:
        return events.group_by_key().window(tumbling(f"{WINDOW_MS}ms", grace=f"{GRACE_MS}ms")).sum(amount_of)


def _words(app: App, inputs: Inputs, output: str) -> None:
    count_words(app, inputs.lines, output)


def count_words(app: App, source: str, output: str) -> None:
    lines, counts = app.topic(source, value=str), app.topic(output, key=str, value=int)

    @app.topology(lines, to=counts)
    def count_words(lines: Stream[None, str]) -> Table[str, int]:
        return lines.flat_map(str.split).group_by(str).count()


def _sessions(app: App, inputs: Inputs, output: str) -> None:
    clicks, visits = app.topic(inputs.clicks, key=str, value=Event), app.topic(output, key=Windowed[str], value=int)

    @app.topology(clicks, to=visits)
    def visit(events: Stream[str, Event]) -> Table[Windowed[str], int]:
        return events.group_by_key().window(session(f"{GAP_MS}ms", grace=f"{GRACE_MS}ms")).count()


def _table(app: App, inputs: Inputs, output: str) -> None:
    clicks, names = app.topic(inputs.clicks, key=str, value=Event), app.topic(inputs.names, key=str, value=str)
    pages = app.topic(output, key=str, value=str)

    @app.topology(clicks, names, to=pages)
    def name_pages(events: Stream[str, Event], names: Table[str, str]) -> Stream[str, str]:
        return events.join(names, value=page_of_named)


def _streams(app: App, inputs: Inputs, output: str) -> None:
    clicks, buys = app.topic(inputs.clicks, key=str, value=Event), app.topic(inputs.buys, key=str, value=str)
    pages = app.topic(output, key=str, value=str)

    @app.topology(clicks, buys, to=pages)
    def page_before(events: Stream[str, Event], buys: Stream[str, str]) -> Stream[str, str]:
        return events.join(buys, value=page_to_article, within=f"{WITHIN_MS}ms", grace="1s")


def _class(app: App, inputs: Inputs, output: str) -> None:
    clicks, counts = app.topic(inputs.clicks, key=str, value=bytes), app.topic(output, key=str, value=int)
    app.processor(clicks, to=counts)(Idle)


_JOBS: dict[str, Callable[[App, Inputs, str], None]] = {
    "map": _map,
    "map-avro": _map_avro,
    "count": _count,
    "window": _window,
    "window-avro": _window_avro,
    "words": _words,
    "sessions": _sessions,
    "table": _table,
    "streams": _streams,
    "class": _class,
}


class MeasuredWorker(Worker):
    """A worker with a stopwatch at three of its steps; it stops after the commit that covers the last record.

    How many go through repartition topics is not known beforehand: then it stops when some have, and nothing more has
    come for a while, which is not measured.
    """

    figures: Figures

    def measure(self, watch: Stopwatch, *, has_repartition: bool) -> None:
        self._watch, self._committed, self._committed_at = watch, 0, 0.0
        self._least, self._quiet_s = (watch.total + 1, QUIET_S) if has_repartition else (watch.total, 0.0)

    def _process(self, messages: Sequence[Any], now_ms: int) -> None:
        self._watch.start()
        super()._process(messages, now_ms)
        self._watch.pass_by(self.records)

    def _commit(self) -> None:
        super()._commit()
        if self.records > self._committed:
            self._committed, self._committed_at = self.records, time.monotonic()
            self._watch.mark()

    def _turn(self) -> None:
        super()._turn()
        is_quiet = time.monotonic() - self._committed_at >= self._quiet_s
        if self.records == self._committed >= self._least and is_quiet:
            self.figures = self._watch.finish()
            self.stop()


def run_penstock(job: str, bootstrap: str, inputs: Inputs | NexmarkInputs, output: str, watch: Stopwatch) -> Figures:
    """Run the job over its `watch.total` records into the new topic `output`."""
    limit_arenas()
    create_topic(bootstrap, output)
    return run_measured(declare(job, inputs, output), bootstrap, watch, {})


def run_measured(app: App, bootstrap: str, watch: Stopwatch, given: Mapping[str, Any]) -> Figures:
    """Run an app over `watch.total` records of its topics, with these settings beside the defaults."""
    plan = app.plan()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"bootstrap_servers": bootstrap, "state_dir": folder, **given}, app.settings)
        layout = Topics(admin_client(settings), bootstrap).prepare(plan)
        state_folder = StateFolder(Path(folder) / "bench", app.id)
        worker = MeasuredWorker(layout, settings, identity="bench", is_static=False, state_folder=state_folder)
        worker.measure(watch, has_repartition=bool(plan.repartition_topics()))
        tune_collector(settings.chunk_records)
        worker.run()
        return worker.figures
