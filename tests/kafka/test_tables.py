"""Joins with tables on a real broker."""

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from framework import App, GlobalTable, Stream, Table
from tests.kafka.workers import create_topics, running


class Running:
    """Workers of an app, as threads."""

    def __init__(self, app: App, kafka: Any, folder: Path) -> None:
        self.app, self.kafka, self.folder = app, kafka, folder
        create_topics(app, kafka)

    def worker(self) -> AbstractContextManager[None]:
        return running(self.app, self.kafka, self.folder)

    def latest(self, topic: str) -> dict[str, str | None]:
        return {r.key.decode(): r.value and r.value.decode() for r in self.kafka.read(topic)}


def wait_for(what: Callable[[], Any], expected: Any) -> None:
    deadline = time.monotonic() + 60
    while (found := what()) != expected:
        assert time.monotonic() < deadline, f"{found} is not {expected}"
        time.sleep(0.05)


@pytest.mark.kafka
def test_global_table_is_loaded_whole_before_the_first_record_and_followed_and_kept(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"global-{tag}")
    orders = app.topic(f"orders-{tag}", key=str, value=str, partitions=2)
    names = app.topic(f"names-{tag}", key=str, value=str, partitions=3, config={"cleanup.policy": "compact"})
    named = app.topic(f"named-{tag}", key=str, value=str, partitions=1)

    @app.topology(orders, names, to=named)
    def name(orders: Stream[str, str], names: GlobalTable[str, str]) -> Stream[str, str]:
        return orders.left_join(names, key=str.lower, value=lambda order, found: f"{order}={found}", type=str)

    running = Running(app, kafka, tmp_path)
    kafka.send(names.name, [(f"n{i}".encode(), b"first") for i in range(500)])
    kafka.send(names.name, [(f"n{i}".encode(), f"name {i}".encode()) for i in range(500)])
    kafka.send(orders.name, [(f"o{i}".encode(), f"N{i}".encode()) for i in range(500)])
    expected: dict[str, str | None] = {f"o{i}": f"N{i}=name {i}" for i in range(500)}
    with running.worker():
        wait_for(lambda: running.latest(named.name), expected)
        kafka.send(names.name, [(b"n1", b"changed"), (b"n2", None)])

        def both_seen() -> bool:
            kafka.send(orders.name, [(b"o1", b"N1"), (b"o2", b"N2")])
            found = running.latest(named.name)
            return (found["o1"], found["o2"]) == ("N1=changed", "N2=None")

        wait_for(both_seen, True)
    kafka.send(names.name, [(b"n3", b"while away")])
    kafka.send(orders.name, [(b"last", b"N3"), (b"kept", b"N1")])
    with running.worker():
        wait_for(lambda: {k: running.latest(named.name).get(k) for k in ("last", "kept")},
                 {"last": "N3=while away", "kept": "N1=changed"})  # fmt: skip


@pytest.mark.kafka
def test_foreign_key_join_over_several_partitions_ends_with_what_both_tables_say(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"foreign-{tag}")
    orders = app.topic(f"orders-{tag}", key=str, value=str, partitions=3)
    customers = app.topic(f"customers-{tag}", key=str, value=str, partitions=2)
    joined = app.topic(f"joined-{tag}", key=str, value=str, partitions=1)

    @app.topology(orders, customers, to=joined)
    def join(orders: Table[str, str], customers: Table[str, str]) -> Table[str, str]:
        return orders.join(customers, on=lambda order: order, value=lambda order, name: f"{order}:{name}", type=str)

    running = Running(app, kafka, tmp_path)
    kafka.send(orders.name, [(f"o{i}".encode(), f"c{i % 20}".encode()) for i in range(300)])
    kafka.send(customers.name, [(f"c{i}".encode(), f"old {i}".encode()) for i in range(20)])
    expected: dict[str, str] = {f"o{i}": f"c{i % 20}:old {i % 20}" for i in range(300)}

    def rows() -> dict[str, str]:
        return {key: value for key, value in running.latest(joined.name).items() if value is not None}

    with running.worker():
        wait_for(rows, expected)
    kafka.send(orders.name, [(b"o0", b"c1"), (b"o1", None), (b"o2", b"nobody")])
    kafka.send(customers.name, [(b"c3", b"new 3"), (b"c4", None)])
    expected["o0"] = "c1:old 1"
    del expected["o1"], expected["o2"]
    for i in range(3, 300, 20):
        expected[f"o{i}"] = "c3:new 3"
        del expected[f"o{i + 1}"]
    with running.worker():
        wait_for(rows, expected)
