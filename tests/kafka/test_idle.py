"""A partition without records follows its peer, on a real broker."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from framework import App, Stream, Table, Windowed, tumbling
from serde import for_type
from tests.kafka.workers import create_topics, running


@pytest.mark.kafka
def test_idle_partition_gives_its_final_result_without_a_next_record(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"idle-{tag}", idle_timeout="500ms")
    source = app.topic(f"in-{tag}", key=str, value=int, partitions=2)
    out = app.topic(f"out-{tag}", key=Windowed[str], value=int, partitions=1)

    @app.topology(source, to=out)
    def total(source: Stream[str, int]) -> Table[Windowed[str], int]:
        return source.group_by_key().window(tumbling("10s", grace="0s")).sum(emit="final")

    create_topics(app, kafka)
    kafka.send(source.name, [(b"a", (1).to_bytes(8, "big"), 1_000)], partition=0)
    kafka.send(source.name, [(b"b", (2).to_bytes(8, "big"), 60_000)], partition=1)
    with running(app, kafka, tmp_path):
        deadline = time.monotonic() + 60
        rows: list[tuple[str, int]] = []
        while not rows and time.monotonic() < deadline:
            rows = [
                (str(for_type(Windowed[str]).deserialize(r.key)), int.from_bytes(r.value, "big"))
                for r in kafka.read(out.name)
            ]
    assert rows == [("a@0/10000", 1)]
