"""A table whose topic is its log, on a real broker: killed, moved to an empty disk, refused, started over."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from framework.config import load_settings
from framework.runtime.kafka import transactional_producer

pytestmark = pytest.mark.kafka
_TIMEOUT_S = 120
_APP = """
from framework import App, Stream, Table
quick = {{"session_timeout": 1_500, "heartbeat_interval": 100}}
app = App("{app_id}", reuse_source_topics=True, settings=quick)
asks = app.topic("{app_id}-asks", key=str, value=str)
names = app.topic("{app_id}-names", key=str, value=str)
found = app.topic("{app_id}-found", key=str, value=str, partitions=1)
@app.topology(asks, names, to=found)
def find(asks: Stream[str, str], names: Table[str, str]) -> Stream[str, str]:
    return asks.left_join(names, value=lambda ask, name: f"{{ask}} {{name}}", type=str)
"""


class Program:
    """Joins questions with a table of names; the topics have one partition."""

    def __init__(self, kafka: Any, folder: Path, **config: str) -> None:
        self.id, self.folder, self._kafka = f"reuse-{uuid.uuid4().hex[:8]}", folder, kafka
        (folder / "shop.py").write_text(_APP.format(app_id=self.id))
        self.names, self.asks = f"{self.id}-names", f"{self.id}-asks"
        kafka.topic(self.names, 1, **config)
        kafka.topic(self.asks, 1)

    def command(self, *words: str, failpoints: str = "") -> "subprocess.CompletedProcess[str]":
        arguments = ["-b", self._kafka.bootstrap, "--state-dir", "state"]
        return subprocess.run(
            [sys.executable, "-m", "framework.cli.main", *words, *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
            env={**os.environ, "PENSTOCK_FAILPOINTS": failpoints},
        )  # fmt: skip

    def run(self) -> str:
        """Until the end; its log."""
        ended = self.command("run", "shop", "--create-topics", "--until-end")
        assert ended.returncode == 0, ended.stderr
        return ended.stderr

    def die_after_commit(self) -> None:
        ended = self.command("run", "shop", "--create-topics", "--until-end", failpoints="after-commit=1")
        assert "failpoint after-commit" in ended.stderr

    def name(self, rows: dict[str, str | None]) -> None:
        self._kafka.send(self.names, [(key.encode(), value and value.encode()) for key, value in rows.items()])

    def ask(self, keys: list[str], word: str) -> None:
        self._kafka.send(self.asks, [(key.encode(), word.encode()) for key in keys])

    def answers(self) -> list[str]:
        return [record.value.decode() for record in self._kafka.read(f"{self.id}-found")]

    def committed(self) -> int:
        return int(self._kafka.committed(self.id, self.names)[0])


def caught_up(log: str) -> list[int]:
    """How many records of its topics each task with a table has replayed."""
    return [int(count) for count in re.findall(r"caught up task 0_0: (\d+) records", log)]


@pytest.mark.parametrize("is_disk_lost", [False, True], ids=["same disk", "empty disk"])
def test_worker_killed_between_commit_and_store_replays_what_its_store_lacks(
    kafka: Any, tmp_path: Path, is_disk_lost: bool
) -> None:
    program = Program(kafka, tmp_path)
    keys = [f"k{i}" for i in range(299)]
    program.name({key: f"old {key}" for key in [*keys, "other"]})
    program.run()
    assert program.committed() == 300
    program.name({"k1": "new", "k2": None, "k3": "new"})
    program.die_after_commit()
    committed = program.committed()
    assert committed > 300
    program.name({"other": "later"})  # beyond the committed offset: it is read, not replayed
    if is_disk_lost:
        shutil.rmtree(tmp_path / "state")
    program.ask(keys, "is")
    assert caught_up(program.run()) == [committed if is_disk_lost else committed - 300]
    changed = {"k1": "new", "k2": "None", "k3": "new"}
    assert program.answers() == [f"is {changed.get(key, f'old {key}')}" for key in keys]


def test_wiped_store_comes_back_from_a_compacted_topic_with_gaps(kafka: Any, tmp_path: Path) -> None:
    program = Program(kafka, tmp_path, cleanup_policy="compact")
    settings = load_settings({"bootstrap_servers": kafka.bootstrap}, {})
    producer = transactional_producer(settings, f"{program.id}-writer")
    producer.init_transactions(30)
    for number in range(5):  # each transaction leaves a marker, the aborted ones their records as well
        producer.begin_transaction()
        producer.produce(program.names, f"v{number}".encode(), f"k{number}".encode())
        producer.flush()
        producer.abort_transaction(30) if number % 2 else producer.commit_transaction(30)
    program.run()
    assert program.committed() == 10
    shutil.rmtree(tmp_path / "state")
    program.ask(["k0", "k1", "k2", "k3", "k4"], "is")
    assert caught_up(program.run()) == [3]
    assert caught_up(program.run()) == []
    assert program.answers() == ["is v0", "is None", "is v2", "is None", "is v4"]


def test_topic_that_forgets_rows_is_refused(kafka: Any, tmp_path: Path) -> None:
    program = Program(kafka, tmp_path, retention_ms="3600000")
    ended = program.command("run", "shop", "--create-topics", "--until-end")
    assert ended.returncode == 3, ended.stderr
    assert f"come back from the topic {program.names} (reuse_source_topics)" in ended.stderr
    assert "retention.ms=3600000, so rows would be lost. Set cleanup.policy=compact" in ended.stderr


def test_reset_to_end_replays_the_table_whole(kafka: Any, tmp_path: Path) -> None:
    program = Program(kafka, tmp_path)
    program.name({"a": "Ann", "b": "Bob"})
    program.run()
    assert program.command("reset", "shop", "--to", "end").returncode == 0
    program.ask(["a", "b"], "late")
    assert caught_up(program.run()) == [2]
    assert program.answers() == ["late Ann", "late Bob"]


def test_store_ahead_of_the_committed_offset_is_wiped_and_replayed(kafka: Any, tmp_path: Path) -> None:
    program = Program(kafka, tmp_path)
    program.name({"a": "Ann"})
    program.run()
    program.name({"b": "Bob"})
    program.run()
    shutil.copytree(tmp_path / "state", tmp_path / "kept")
    assert program.command("reset", "shop", "--to", "earliest").returncode == 0
    shutil.copytree(tmp_path / "kept", tmp_path / "state", dirs_exist_ok=True)  # as another machine would have it
    log = program.run()
    assert "the store find.names stops at offset 1, and" in log
    program.ask(["a", "b"], "is")
    program.run()
    assert program.answers() == ["is Ann", "is Bob"]
