"""An outer join whose rows go to topics chosen by a function, on a real broker, over two runs with state between."""

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kafka
_TIMEOUT_S = 120
_KEYS = 200


def program(app_id: str) -> str:
    return (
        "from framework import App, Stream\n"
        f'app = App("{app_id}")\n'
        f'lefts = app.topic("{app_id}-lefts", key=str, value=str, partitions=3)\n'
        f'rights = app.topic("{app_id}-rights", key=str, value=str, partitions=3)\n'
        f'pairs = app.topic("{app_id}-pairs", key=str, value=str)\n'
        f'alone = app.topic("{app_id}-alone", key=str, value=str)\n'
        "def choose(row: str):\n"
        '    return alone if "None" in row else pairs\n'
        "@app.topology(lefts, rights)\n"
        "def join(lefts: Stream[str, str], rights: Stream[str, str]) -> None:\n"
        '    rows = lefts.outer_join(rights, value=lambda a, b: f"{a}+{b}", within="1s", type=str)\n'
        "    rows.to(choose, topics=(pairs, alone))\n"
    )


def run(folder: Path, servers: str) -> None:
    command = [sys.executable, "-m", "framework.cli.main", "run", "joined", "-b", servers, "--state-dir", "state"]
    ended = subprocess.run(
        [*command, "--create-topics", "--until-end"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def rows(kafka: Any, topic: str) -> list[str]:
    return sorted(record.value.decode() for record in kafka.read(topic))


def test_outer_join_to_chosen_topics_gives_each_row_once_and_keeps_its_state(kafka: Any, tmp_path: Path) -> None:
    app_id = f"joined-{uuid.uuid4().hex[:8]}"
    (tmp_path / "joined.py").write_text(program(app_id))
    for side in ("lefts", "rights"):
        kafka.topic(f"{app_id}-{side}", 3)
    kafka.send(f"{app_id}-lefts", [(b"%d" % i, b"l%d" % i, 1000) for i in range(_KEYS)])
    kafka.send(f"{app_id}-rights", [(b"%d" % i, b"r%d" % i, 1000) for i in range(0, _KEYS, 2)])
    run(tmp_path, kafka.bootstrap)
    assert rows(kafka, f"{app_id}-pairs") == sorted(f"l{i}+r{i}" for i in range(0, _KEYS, 2))
    assert rows(kafka, f"{app_id}-alone") == sorted(f"l{i}+None" for i in range(1, _KEYS, 2))
    # what comes late meets what the first run kept
    kafka.send(f"{app_id}-rights", [(b"%d" % i, b"r%d" % i, 1000) for i in range(1, _KEYS, 2)])
    run(tmp_path, kafka.bootstrap)
    assert rows(kafka, f"{app_id}-pairs") == sorted(f"l{i}+r{i}" for i in range(_KEYS))
    assert rows(kafka, f"{app_id}-alone") == sorted(f"l{i}+None" for i in range(1, _KEYS, 2))
