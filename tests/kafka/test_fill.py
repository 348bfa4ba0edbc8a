"""Topics that are filled from files, on a real broker."""

import json
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from framework.config import load_settings
from framework.errors import ConfigError
from framework.runtime.fill import fill_topics
from framework.runtime.kafka import admin_client
from framework.runtime.topics import Topics

pytestmark = pytest.mark.kafka
_TIMEOUT_S = 120
_APP = """
from framework import App, Context, ListState, Processor
app = App("{id}")
orders = app.topic("{id}-orders", key=str, value=str, partitions=2)
tags = app.topic("{id}-tags", key=str, value=list[str], partitions=2, fill="tags.jsonl")
results = app.topic("{id}-results", key=str, value=list[str])
@app.processor(orders, to=results)
class Tagged(Processor[str, str, list[str]]):
    tags = ListState(str, initial=tags)
    def process(self, value: str, ctx: Context[str]) -> list[str]:
        self.tags.append(value)
        return self.tags.get()
"""


def write_tags(folder: Path, rows: dict[str, Any]) -> None:
    lines = [json.dumps({"key": key, "value": value}) for key, value in rows.items()]
    (folder / "tags.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def app_id(kafka: Any, tmp_path: Path) -> str:
    app_id = f"fill-{uuid.uuid4().hex[:8]}"
    (tmp_path / "shop.py").write_text(_APP.format(id=app_id))
    kafka.topic(f"{app_id}-orders", 2)
    return app_id


def run(folder: Path, servers: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "framework.cli.main", "run", "shop", "-b", servers, "--state-dir", "state"]
    return subprocess.run(
        [*command, "--create-topics", "--until-end"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip


def test_file_fills_the_state_once_before_the_first_record(kafka: Any, tmp_path: Path, app_id: str) -> None:
    write_tags(tmp_path, {f"k{i}": [f"t{i}"] for i in range(20)})
    kafka.send(f"{app_id}-orders", [(b"k%d" % i, b"x") for i in range(20)])
    first = run(tmp_path, kafka.bootstrap)
    assert first.returncode == 0, first.stderr
    write_tags(tmp_path, {f"k{i}": ["other"] for i in range(20)})
    kafka.send(f"{app_id}-orders", [(b"k7", b"y")])
    second = run(tmp_path, kafka.bootstrap)
    assert second.returncode == 0, second.stderr
    written = [(r.key.decode(), json.loads(r.value)) for r in kafka.read(f"{app_id}-results")]
    assert sorted(written) == sorted([(f"k{i}", [f"t{i}", "x"]) for i in range(20)] + [("k7", ["t7", "x", "y"])])


def test_row_that_does_not_fit_stops_the_start_and_leaves_the_topic_empty(
    kafka: Any, tmp_path: Path, app_id: str
) -> None:
    write_tags(tmp_path, {"a": ["t"], "b": 7})
    ended = run(tmp_path, kafka.bootstrap)
    assert ended.returncode != 0
    assert "tags.jsonl, line 2" in ended.stderr
    assert kafka.read(f"{app_id}-tags") == []


def test_workers_that_start_together_fill_a_topic_once(
    kafka: Any, tmp_path: Path, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tags(tmp_path, {f"k{i}": [f"t{i}"] for i in range(5_000)})
    namespace: dict[str, Any] = {}
    exec(compile(_APP.format(id=app_id), "shop.py", "exec"), namespace)
    plan = namespace["app"].plan()
    settings = load_settings({"bootstrap_servers": kafka.bootstrap}, namespace["app"].settings)
    topics = Topics(admin_client(settings), kafka.bootstrap)
    topics.create(plan.topics)
    failed: list[BaseException] = []

    def start() -> None:
        try:
            fill_topics(plan, settings, {f"{app_id}-orders": 2, f"{app_id}-tags": 2})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_TIMEOUT_S)
    assert failed == []
    assert len(kafka.read(f"{app_id}-tags")) == 5_000


def test_missing_file_is_told_before_anything_runs(
    kafka: Any, tmp_path: Path, app_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    exec(compile(_APP.format(id=app_id), "shop.py", "exec"), namespace)
    settings = load_settings({"bootstrap_servers": kafka.bootstrap}, namespace["app"].settings)
    Topics(admin_client(settings), kafka.bootstrap).create(namespace["app"].plan().topics)
    with pytest.raises(ConfigError, match=r"tags\.jsonl .*does not exist"):
        fill_topics(namespace["app"].plan(), settings, {f"{app_id}-tags": 2})
