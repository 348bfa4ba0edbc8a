"""Word count from a topic to a topic, on a real broker."""

import random
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from framework import App, Stream, Table
from tests.kafka.workers import create_topics, running


@pytest.mark.kafka
def test_word_count_on_kafka_equals_counter(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"words-{tag}")
    lines = app.topic(f"lines-{tag}", value=str)
    counts = app.topic(f"counts-{tag}", key=str, value=int)

    @app.topology(lines, to=counts)
    def count_words(lines: Stream[None, str]) -> Table[str, int]:
        return lines.flat_map(lambda line: line.lower().split()).group_by(lambda word: word).count()

    create_topics(app, kafka)
    dice = random.Random(1)
    words = ["to", "be", "or", "not", "that", "is", "the", "question"]
    texts = [" ".join(dice.choices(words, k=8)) for _ in range(2000)]
    kafka.send(lines.name, [(None, text.encode()) for text in texts])
    expected = Counter(word for text in texts for word in text.split())
    with running(app, kafka, tmp_path):
        deadline = time.monotonic() + 60
        got: dict[str, int] = {}
        while got != expected and time.monotonic() < deadline:
            got = {r.key.decode(): int.from_bytes(r.value, "big") for r in kafka.read(counts.name)}
    assert got == expected
