"""A changed program on the state that it left, and starting it over, on a real broker."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kafka
_TIMEOUT_S = 120
_APP = """
from framework import App, Stream, Table
app = App("{app_id}")
orders = app.topic("{app_id}-orders", key=str, value=int, partitions={partitions})
results = app.topic("{app_id}-results", key=str, value={result})
@app.topology(orders, to=results)
def total(orders: Stream[str, int]) -> Table[str, {result}]:
    return orders{steps}
"""
_COUNT = '.group_by_key().count(name="totals")'


class Program:
    """An app in a folder of its own, whose steps change."""

    def __init__(self, folder: Path, servers: str, partitions: int = 2) -> None:
        self.id, self.partitions = f"changed-{uuid.uuid4().hex[:8]}", partitions
        self._folder, self._servers = folder, servers

    def write(self, steps: str, result: str = "int") -> None:
        (self._folder / "shop.py").write_text(
            _APP.format(app_id=self.id, steps=steps, result=result, partitions=self.partitions)
        )

    def command(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "framework.cli.main", *words, "-b", self._servers, "--state-dir", "state"]
        return subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
            env={**os.environ, **environment},
        )  # fmt: skip

    def run(self, **environment: str) -> "subprocess.CompletedProcess[str]":
        return self.command("run", "shop", "--create-topics", "--until-end", **environment)


@pytest.fixture
def program(kafka: Any, tmp_path: Path) -> Program:
    """Has counted three orders of "a"."""
    return counted(Program(tmp_path, kafka.bootstrap), kafka)


def counted(program: Program, kafka: Any, **environment: str) -> Program:
    program.write(_COUNT)
    kafka.topic(f"{program.id}-orders", program.partitions)
    kafka.send(f"{program.id}-orders", [(b"a", n.to_bytes(8, "big")) for n in (1, 2, 3)])
    ended = program.run(**environment)
    assert ended.returncode == 0, ended.stderr
    return program


def results(kafka: Any, program: Program) -> list[int]:
    return [int.from_bytes(r.value, "big") for r in kafka.read(f"{program.id}-results")]


def test_filter_added_goes_on_with_the_state(kafka: Any, program: Program) -> None:
    program.write(".filter(lambda n: n > 5)" + _COUNT)
    kafka.send(f"{program.id}-orders", [(b"a", n.to_bytes(8, "big")) for n in (4, 9)])
    ended = program.run()
    assert ended.returncode == 0, ended.stderr
    assert results(kafka, program) == [3, 4]


def test_other_aggregation_stops_at_start_and_loses_nothing(kafka: Any, program: Program) -> None:
    program.write('.group_by_key().sum(name="totals")')
    kafka.send(f"{program.id}-orders", [(b"a", (4).to_bytes(8, "big"))])
    ended = program.run()
    assert ended.returncode == 2
    assert 'shop.py:8: the step "totals" does not fit the state it left in "totals": it was count() and is sum().' in (
        ended.stderr
    )
    assert "penstock reset" in ended.stderr
    program.write(_COUNT)
    ended = program.run()
    assert ended.returncode == 0, ended.stderr
    assert results(kafka, program) == [3, 4]


def test_other_aggregation_under_another_name_begins_anew(kafka: Any, program: Program) -> None:
    program.write('.group_by_key().sum(name="sums")')
    kafka.send(f"{program.id}-orders", [(b"a", (4).to_bytes(8, "big"))])
    ended = program.run()
    assert ended.returncode == 0, ended.stderr
    assert results(kafka, program) == [3, 4]


def test_reset_to_earliest_counts_everything_again(kafka: Any, program: Program) -> None:
    program.write('.group_by_key().sum(name="totals")')
    dry = program.command("reset", "shop", "--to", "earliest", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert f"topic {program.id}-totals-changelog: would be deleted" in dry.stdout
    done = program.command("reset", "shop", "--to", "earliest")
    assert done.returncode == 0, done.stderr
    ended = program.run()
    assert ended.returncode == 0, ended.stderr
    assert results(kafka, program) == [3, 6]


def test_reset_to_end_leaves_out_what_was_there(kafka: Any, program: Program) -> None:
    assert program.command("reset", "shop", "--to", "end").returncode == 0
    kafka.send(f"{program.id}-orders", [(b"a", (7).to_bytes(8, "big"))])
    ended = program.run()
    assert ended.returncode == 0, ended.stderr
    assert results(kafka, program) == [3, 1]


_CONVERT = """
@app.migrate("totals", to="texts", type=int)
def convert(count: int) -> str:
    return {result}
"""
_TEXTS = '.group_by_key().aggregate("", lambda text, n: f"{text}+{n}", name="texts")'


def test_state_taken_over_survives_a_kill_in_its_first_transaction(kafka: Any, tmp_path: Path) -> None:
    # One partition, so that the first commit is that of the state; one name, so that nobody waits for the dead member.
    same = {"PENSTOCK_INSTANCE": "a"}
    program = counted(Program(tmp_path, kafka.bootstrap, partitions=1), kafka, **same)
    program.write(_TEXTS + _CONVERT.format(result="str(count)"), "str")
    kafka.send(f"{program.id}-orders", [(b"a", (4).to_bytes(8, "big"))])
    killed = program.run(**same, PENSTOCK_FAILPOINTS="after-changelog=1")
    assert "takes over 1 rows" in killed.stderr
    assert "failpoint after-changelog" in killed.stderr
    again = program.run(**same)
    assert again.returncode == 0, again.stderr
    assert "takes over 1 rows" in again.stderr
    # It is not converted a second time, for the store has been written.
    program.write(_TEXTS + _CONVERT.format(result="str(1 // 0)"), "str")
    kafka.send(f"{program.id}-orders", [(b"a", (5).to_bytes(8, "big"))])
    last = program.run(**same)
    assert last.returncode == 0, last.stderr
    assert [r.value for r in kafka.read(f"{program.id}-results")][1:] == [b"3+4", b"3+4+5"]


def test_state_that_cannot_be_converted_stops_the_worker_and_nothing_is_written(kafka: Any, program: Program) -> None:
    program.write(_TEXTS + _CONVERT.format(result="str(1 // (count - 3))"), "str")
    kafka.send(f"{program.id}-orders", [(b"a", (4).to_bytes(8, "big"))])
    ended = program.run()
    assert ended.returncode != 0
    assert 'the migration of "totals" to "texts"' in ended.stderr
    assert kafka.read(f"{program.id}-texts-changelog") == []
