"""Running without transactions, on a real broker: outputs leave at once, nothing is lost, the other mode may follow."""

import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from framework import App, Stream
from tests.kafka.workers import create_topics, running

pytestmark = pytest.mark.kafka
_TIMEOUT_S = 120
_APP = """
from framework import App, Stream, Table
app = App("{id}")
lines = app.topic("{id}-lines", value=str, partitions=2)
counts = app.topic("{id}-counts", key=str, value=int, partitions=2)
@app.topology(lines, to=counts)
def count(lines: Stream[None, str]) -> Table[str, int]:
    return lines.flat_map(str.split).group_by(str).count()
"""


class Program:
    """A word count in a folder of its own."""

    def __init__(self, folder: Path, kafka: Any) -> None:
        self.id, self._folder, self._kafka = f"continuous-{uuid.uuid4().hex[:8]}", folder, kafka
        (folder / "words.py").write_text(_APP.format(id=self.id))
        kafka.topic(f"{self.id}-lines", 2)
        self.expected: Counter[str] = Counter()

    def send(self, *lines: str) -> None:
        self._kafka.send(f"{self.id}-lines", [(None, line.encode()) for line in lines])
        self.expected.update(word for line in lines for word in line.split())

    def run(self, mode: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "framework.cli.main", "run", "words", "-b", self._kafka.bootstrap]
        return subprocess.run(
            [*command, "--state-dir", "state", "--create-topics", "--until-end", "--mode", mode, "--instance", "a"],
            cwd=self._folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
            env={**os.environ, **environment},
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        return {r.key.decode(): int.from_bytes(r.value, "big") for r in self._kafka.read(f"{self.id}-counts")}


def test_output_is_there_before_the_commit(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"through-{tag}")
    given = app.topic(f"given-{tag}", value=str, partitions=1)
    written = app.topic(f"written-{tag}", value=str, partitions=1)

    @app.topology(given, to=written)
    def through(given: Stream[None, str]) -> Stream[None, str]:
        return given.map(str.upper)

    create_topics(app, kafka)
    with running(app, kafka, tmp_path, mode="continuous", commit_interval=60_000):
        kafka.send(given.name, [(None, b"a")])
        deadline = time.monotonic() + 30
        while not (found := kafka.read(written.name)) and time.monotonic() < deadline:
            pass
        assert [record.value for record in found] == [b"A"]
        assert kafka.committed(app.id, given.name) == {0: -1001}
    assert kafka.committed(app.id, given.name) == {0: 1}


def test_modes_take_turns_on_the_same_state_and_counts_stay_exact(kafka: Any, tmp_path: Path) -> None:
    program = Program(tmp_path, kafka)
    for mode in ("continuous", "exactly-once", "continuous", "exactly-once"):
        program.send("to be or not to be", "that is the question")
        ended = program.run(mode)
        assert ended.returncode == 0, ended.stderr
        assert program.counts() == program.expected


@pytest.mark.parametrize("point", ["before-flush", "after-changelog", "after-offsets", "after-commit"])
def test_kill_of_a_continuous_run_loses_nothing(kafka: Any, tmp_path: Path, point: str) -> None:
    program = Program(tmp_path, kafka)
    program.send(*[f"w{n} x" for n in range(50)])
    killed = program.run("continuous", PENSTOCK_FAILPOINTS=f"{point}=1")
    assert f"failpoint {point}" in killed.stderr
    program.send("x y")
    ended = program.run("exactly-once")
    assert ended.returncode == 0, ended.stderr
    found = program.counts()
    assert found.keys() == program.expected.keys()
    # What was not committed is done twice, on either side of the repartition topic.
    assert all(program.expected[word] <= found[word] <= 4 * program.expected[word] for word in found)
