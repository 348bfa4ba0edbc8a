"""The same programs on a real broker: to their end, stopped and started, and killed; as in the test driver."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from framework.records import Record
from serde import Serde, for_type
from tests.programs.language import PARTITIONS, Program, build
from tests.programs.ways import Inputs, Result, by_driver, compared, inputs_of

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]
_DEADLINE_S = 150.0
_QUICK = ["session_timeout=2s", "heartbeat_interval=200ms", "transaction_timeout=3s"]


@cache
def given() -> Inputs:
    return inputs_of(build("inputs")[1])


@cache
def expected() -> dict[str, Result]:
    return by_driver("expected", given())


class OnKafka:
    """All programs as one app on a broker, with topics of its own."""

    def __init__(self, kafka: Any, folder: Path) -> None:
        self.app_id = f"programs-{uuid.uuid4().hex[:8]}"
        self._kafka, self._folder = kafka, folder
        self.app, self.programs = build(self.app_id)
        for topic in self.app.plan().topics:
            kafka.topic(topic.name, PARTITIONS)

    def send(self, part: slice) -> None:
        """A part of each program's records, in the order of sending."""
        for program in self.programs:
            records = given()[program.name][part]
            for i, topic in enumerate(program.inputs):
                rows = [(r.key.encode(), r.value.to_bytes(8, "big"), r.timestamp) for r in records if r.input == i]
                self._kafka.send(topic.name, rows)

    def start(self, place: str, *options: str) -> "subprocess.Popen[bytes]":
        settings = [word for setting in _QUICK for word in ("--set", setting)]
        command = [sys.executable, "-m", "framework.cli.main", "run", "tests.programs.app:app"]
        with (self._folder / f"{place}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "-b", self._kafka.bootstrap, "--state-dir", str(self._folder / place), *settings, *options],
                cwd=ROOT, env={**os.environ, "PENSTOCK_PROGRAMS_APP": self.app_id}, stdout=log, stderr=log,
            )  # fmt: skip

    @contextmanager
    def running(self, place: str, *options: str) -> "Iterator[subprocess.Popen[bytes]]":
        process = self.start(place, *options)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def said(self, place: str) -> str:
        return (self._folder / f"{place}.log").read_text()[-3000:]

    def times_running(self, place: str) -> int:
        """How often workers of a place have begun to run tasks."""
        return (self._folder / f"{place}.log").read_text().count("running tasks")

    def results(self) -> dict[str, Result]:
        return {program.name: compared(program, self._records(program)) for program in self.programs}

    def _records(self, program: Program) -> Iterator[Record]:
        spec = program.output.spec
        key_serde: Serde[Any] = for_type(spec.key_type)
        value_serde: Serde[Any] = for_type(spec.value_type)
        for r in self._kafka.read(program.output.name):
            value = None if r.value is None else value_serde.deserialize(r.value)
            yield Record(r.topic, r.partition, r.offset, key_serde.deserialize(r.key), value, r.timestamp_ms)

    def differences(self) -> Mapping[str, Any]:
        return {name: result for name, result in self.results().items() if result != expected()[name]}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def finish(on_kafka: OnKafka, place: str) -> None:
    with on_kafka.running(place, "--workers", "2", "--until-end") as process:
        assert process.wait(_DEADLINE_S) == 0, on_kafka.said(place)


def test_programs_until_end_with_two_workers_give_what_the_driver_gives(kafka: Any, tmp_path: Path) -> None:
    on_kafka = OnKafka(kafka, tmp_path)
    on_kafka.send(slice(None))
    finish(on_kafka, "a")
    assert on_kafka.differences() == {}


def test_programs_stopped_and_started_twice_give_what_the_driver_gives(kafka: Any, tmp_path: Path) -> None:
    on_kafka = OnKafka(kafka, tmp_path)
    for round_, part in enumerate((slice(0, 100), slice(100, 200)), start=1):
        on_kafka.send(part)
        with on_kafka.running("a", "--workers", "2") as process:
            wait_for(lambda n=round_: on_kafka.times_running("a") >= 2 * n)  # type: ignore[misc]
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, on_kafka.said("a")
    on_kafka.send(slice(200, None))
    with on_kafka.running("a", "--workers", "2") as process:
        wait_for(lambda: not on_kafka.differences())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, on_kafka.said("a")
    assert on_kafka.differences() == {}


@pytest.mark.faults
def test_programs_killed_midway_give_what_the_driver_gives(kafka: Any, tmp_path: Path) -> None:
    on_kafka = OnKafka(kafka, tmp_path)
    on_kafka.send(slice(0, 60))
    for round_ in range(4):
        # Reason: small commits, so that the kill finds some before and some after it.
        with on_kafka.running("a", "--set", "chunk_records=20", "--set", "commit_interval=5ms") as process:
            wait_for(lambda n=round_: on_kafka.times_running("a") > n)  # type: ignore[misc]
            on_kafka.send(slice(60 + 40 * round_, 100 + 40 * round_))
            time.sleep(0.15 * (round_ + 1))  # somewhere in the middle of its work
            process.kill()
            process.wait()
    on_kafka.send(slice(220, None))
    finish(on_kafka, "a")
    assert on_kafka.differences() == {}
