"""Inputs of one task on a real broker: in the order of their timestamps, whichever was fetched first."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from framework import App, Stream
from tests.kafka.workers import create_topics, running


@pytest.mark.kafka
def test_merge_of_two_topics_goes_by_timestamp(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"merge-{tag}")
    left, right = app.topic(f"left-{tag}", value=str, partitions=1), app.topic(f"right-{tag}", value=str, partitions=1)
    both = app.topic(f"both-{tag}", value=str, partitions=1)

    @app.topology(left, right, to=both)
    def merge(left: Stream[None, str], right: Stream[None, str]) -> Stream[None, str]:
        return left.merge(right)

    create_topics(app, kafka)
    kafka.send(left.name, [(None, b"l%d" % i, 1_000 + i) for i in range(0, 1000, 3)])
    kafka.send(right.name, [(None, b"r%d" % i, 1_000 + i) for i in range(1, 1000, 2)])
    with running(app, kafka, tmp_path, chunk_records=70):
        deadline = time.monotonic() + 60
        written: list[tuple[int, str]] = []
        while len(written) < 834 and time.monotonic() < deadline:
            written = [(r.timestamp_ms, r.value.decode()) for r in kafka.read(both.name)]
    assert written == sorted(written, key=lambda record: (record[0], record[1][0]))
    assert len(written) == 834
