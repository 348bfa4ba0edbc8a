"""One job on Quix Streams; prints its figures as one line of JSON. Runs in an environment that has only that package.

usage: quix_program.py JOB BOOTSTRAP SOURCE OUTPUT RECORDS SCHEMAS
SCHEMAS are those of what is read and written where it is Avro, as JSON.
"""

import json
import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]
from quixstreams.models.serializers.avro import (  # type: ignore[import-not-found]
    AvroDeserializer,
    AvroSerializer,
)


class Clock:
    """Time and CPU at the first record, at the middle, and at the end."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.marks: list[tuple[int, float, float]] = []

    def note(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.marks.append((self.done, time.perf_counter(), used.ru_utime + used.ru_stime))

    def passed(self, value: Any) -> Any:
        if not self.done or self.done == self.total // 2:
            self.note()
        self.done += 1
        return value


def count_one(_: Any, state: Any) -> int:
    total: int = state.get("n", 0) + 1
    state.set("n", total)
    return total


def main(job: str, bootstrap: str, source: str, output: str, records: str, schemas: str) -> None:
    clock = Clock(int(records))
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"quix-{job}-{time.time_ns()}",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=0.1,
        state_dir=tempfile.mkdtemp(),
        loglevel="ERROR",
        consumer_extra_config={"queued.min.messages": 200_000},
    )
    text = job == "words"
    reader: Any = "string" if text else "json"
    writer: Any = "json"
    if job.endswith("-avro"):
        read, written = json.loads(schemas)
        reader = AvroDeserializer(schema=read)
        writer = AvroSerializer(schema=written) if job == "map-avro" else writer
    given = app.topic(source, key_deserializer="bytes", value_deserializer=reader)
    sink = app.topic(output, key_serializer="bytes", value_serializer=writer)
    frame = app.dataframe(given).apply(clock.passed)
    if job.startswith("map"):
        frame = frame.filter(lambda value: value["amount"] >= 0)
        frame["vat"] = frame["amount"] * 0.2
    elif job == "count":
        frame = frame.apply(count_one, stateful=True)
    elif job == "words":
        frame = frame.apply(str.split, expand=True)
        frame = frame.group_by(lambda word: word, name="word", key_serializer="str", key_deserializer="bytes")
        frame = frame.apply(count_one, stateful=True)
    else:
        frame = frame.apply(lambda value: value["amount"])
        frame = frame.tumbling_window(timedelta(seconds=10), grace_ms=1000).sum().current()
    frame.to_topic(sink)
    # Reason: it counts outputs; a line has ten words. Any more would be waited for until the time-out.
    app.run(count=clock.total * (10 if text else 1), timeout=20)
    clock.note()
    (first, t0, c0), (half, t1, c1), (_, t2, c2) = clock.marks
    total = clock.total
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")]
    late = total - half
    print(json.dumps({
        "rate": (total - first) / (t2 - t0), "cpu_us": (c2 - c0) / total * 1e6, "late_rate": late / (t2 - t1),
        "late_cpu_us": (c2 - c1) / late * 1e6, "peak_mb": peak,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
