"""Final results of windows on a real broker, over two runs, the second on a new disk."""

import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from serde import Windowed, for_type

pytestmark = pytest.mark.kafka
_TIMEOUT_S = 120
_KEYS = [f"k{i}" for i in range(30)]


def program(app_id: str) -> str:
    return (
        "from framework import App, Stream, Table, Windowed, session, tumbling\n"
        f'app = App("{app_id}")\n'
        f'given = app.topic("{app_id}-given", key=str, value=str, partitions=3)\n'
        f'counts = app.topic("{app_id}-counts", key=Windowed[str], value=int)\n'
        f'visits = app.topic("{app_id}-visits", key=Windowed[str], value=int)\n'
        f'late = app.topic("{app_id}-late", key=str, value=str)\n'
        "@app.topology(given, to=(counts, visits, late))\n"
        "def windows(given: Stream[str, str])"
        " -> tuple[Table[Windowed[str], int], Table[Windowed[str], int], Stream[str, str]]:\n"
        "    grouped = given.group_by_key()\n"
        '    counts = grouped.window(tumbling("10s", grace="0s")).count(emit="final")\n'
        '    return counts, grouped.window(session("3s", grace="0s")).count(emit="final"), counts.late\n'
    )


def run(folder: Path, servers: str) -> None:
    command = [sys.executable, "-m", "framework.cli.main", "run", "windows", "-b", servers, "--state-dir", "state"]
    ended = subprocess.run(
        [*command, "--create-topics", "--until-end"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def rows(kafka: Any, topic: str) -> list[tuple[str, int]]:
    keys = for_type(Windowed[str])
    return sorted((str(keys.deserialize(r.key)), int.from_bytes(r.value, "big")) for r in kafka.read(topic))


def test_final_windows_come_out_once_and_stay_closed_on_a_new_disk(kafka: Any, tmp_path: Path) -> None:
    app_id = f"windows-{uuid.uuid4().hex[:8]}"
    (tmp_path / "windows.py").write_text(program(app_id))
    kafka.topic(f"{app_id}-given", 3)
    for at in (1_000, 4_000, 12_000):
        kafka.send(f"{app_id}-given", [(key.encode(), b"v", at) for key in _KEYS])
    run(tmp_path, kafka.bootstrap)
    counts = sorted(row for key in _KEYS for row in [(f"{key}@0/10000", 2), (f"{key}@10000/20000", 1)])
    visits = sorted(row for key in _KEYS for row in [(f"{key}@1000/4000", 2), (f"{key}@12000/12000", 1)])
    assert rows(kafka, f"{app_id}-counts") == counts
    assert rows(kafka, f"{app_id}-visits") == visits
    shutil.rmtree(tmp_path / "state")
    kafka.send(f"{app_id}-given", [(key.encode(), b"late", 19_000) for key in _KEYS])
    kafka.send(f"{app_id}-given", [(key.encode(), b"new", 30_000) for key in _KEYS])
    run(tmp_path, kafka.bootstrap)
    assert rows(kafka, f"{app_id}-counts") == sorted(counts + [(f"{key}@30000/40000", 1) for key in _KEYS])
    late = sorted((r.key.decode(), r.value) for r in kafka.read(f"{app_id}-late"))
    assert late == sorted((key, b"late") for key in _KEYS)
