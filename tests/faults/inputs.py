"""Topics of `chaos_app.py`: made, written, and read back."""

import uuid
from collections import defaultdict
from typing import Any

from tests.faults.fleet import wait_for

TOPICS = ("left", "right", "words", "merged", "counted")


def create_topics(kafka: Any, partitions: int) -> str:
    """A new app id, whose topics exist."""
    app_id = f"chaos-{uuid.uuid4().hex[:8]}"
    for name in TOPICS:
        kafka.topic(f"{app_id}-{name}", partitions)
    return app_id


def steps_of(kafka: Any, app_id: str, output: str) -> dict[str, list[int]]:
    """The counts of each key in the order in which a reader of committed records sees them."""
    steps: dict[str, list[int]] = defaultdict(list)
    for record in kafka.read(f"{app_id}-{output}"):
        steps[record.key.decode()].append(int.from_bytes(record.value, "big"))
    return dict(steps)


def wait_until_counted(kafka: Any, app_id: str, output: str, records: int, within_s: float = 60.0) -> None:
    """Until the output holds at least as many counts."""
    wait_for(
        lambda: len(kafka.read(f"{app_id}-{output}")) >= records, f"{records} counts in {output}", within_s, every_s=0.5
    )


def send(kafka: Any, app_id: str, topic: str, words: list[str], partition: int = -1) -> None:
    """Write words to an input, with the word as the key where the topic has keys."""
    is_keyed = topic != "words"
    kafka.send(f"{app_id}-{topic}", [(word.encode() if is_keyed else None, word.encode()) for word in words], partition)
