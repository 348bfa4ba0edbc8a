"""`run --until-end` on a real broker: to the ends of the start, over repartition topics and workers, then exit 0."""

import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kafka
_TIMEOUT_S = 120
_LINES = ["to be or not to be", "that is the question", "whether it is nobler"] * 200


@pytest.fixture
def app_id(tmp_path: Path) -> str:
    """The app `words:app` in `tmp_path`: counts words of `ID-lines` by length of the word, then by word."""
    app_id = f"until-{uuid.uuid4().hex[:8]}"
    (tmp_path / "words.py").write_text(
        "from framework import App, Stream, Table\n"
        f'app = App("{app_id}")\n'
        f'lines = app.topic("{app_id}-lines", value=str, partitions=4)\n'
        f'counts = app.topic("{app_id}-counts", key=str, value=int)\n'
        f'lengths = app.topic("{app_id}-lengths", key=int, value=int)\n'
        "@app.topology(lines, to=(counts, lengths))\n"
        "def count(lines: Stream[None, str]) -> tuple[Table[str, int], Table[int, int]]:\n"
        "    words = lines.flat_map(str.split)\n"
        "    counts = words.group_by(lambda word: word).count()\n"
        "    changes = counts.to_stream().map_items(lambda word, count: (len(word), 1), key=int, type=int)\n"
        "    return counts, changes.group_by_key().count()\n"
    )
    return app_id


def run(folder: Path, servers: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "framework.cli.main", "run", "words", "-b", servers, "--state-dir", "state"]
    return subprocess.run(
        [*command, "--create-topics", "--until-end", *options],
        cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip


def counted(kafka: Any, topic: str) -> dict[str, int]:
    return {r.key.decode(): int.from_bytes(r.value, "big") for r in kafka.read(topic)}


def test_until_end_with_two_workers_reads_everything_and_ends_with_0(kafka: Any, app_id: str, tmp_path: Path) -> None:
    kafka.topic(f"{app_id}-lines", 4)
    kafka.send(f"{app_id}-lines", [(b"%d" % i, line.encode()) for i, line in enumerate(_LINES)])
    ended = run(tmp_path, kafka.bootstrap, "--workers", "2")
    assert ended.returncode == 0, ended.stderr
    assert counted(kafka, f"{app_id}-counts") == Counter(word for line in _LINES for word in line.split())
    again = run(tmp_path, kafka.bootstrap, "--workers", "2")
    assert again.returncode == 0, again.stderr
    kafka.send(f"{app_id}-lines", [(b"x", b"to be continued")])
    more = run(tmp_path, kafka.bootstrap)
    assert more.returncode == 0, more.stderr
    expected = Counter(word for line in [*_LINES, "to be continued"] for word in line.split())
    assert counted(kafka, f"{app_id}-counts") == expected


def test_until_end_without_input_ends_with_0(kafka: Any, app_id: str, tmp_path: Path) -> None:
    ended = run(tmp_path, kafka.bootstrap)
    assert ended.returncode == 0, ended.stderr
    assert counted(kafka, f"{app_id}-counts") == {}


def test_until_end_with_two_workers_finishes_a_join_by_a_foreign_key(kafka: Any, tmp_path: Path) -> None:
    app_id = f"foreign-{uuid.uuid4().hex[:8]}"
    orders, customers, names = f"{app_id}-orders", f"{app_id}-customers", f"{app_id}-names"
    (tmp_path / "words.py").write_text(
        "from framework import App, Table\n"
        f'app = App("{app_id}")\n'
        f'orders = app.topic("{orders}", key=str, value=str, partitions=3)\n'
        f'customers = app.topic("{customers}", key=str, value=str, partitions=2)\n'
        f'names = app.topic("{names}", key=str, value=str, partitions=1)\n'
        "@app.topology(orders, customers, to=names)\n"
        "def join(orders: Table[str, str], customers: Table[str, str]) -> Table[str, str]:\n"
        "    return orders.join(customers, on=lambda order: order, value=lambda order, name: name, type=str)\n"
    )
    kafka.topic(orders, 3)
    kafka.topic(customers, 2)
    kafka.send(orders, [(b"o%d" % i, b"c%d" % (i % 20)) for i in range(1000)])
    kafka.send(customers, [(b"c%d" % i, b"name %d" % i) for i in range(19)])
    ended = run(tmp_path, kafka.bootstrap, "--workers", "2")
    assert ended.returncode == 0, ended.stderr
    expected = {f"o{i}": f"name {i % 20}" for i in range(1000) if i % 20 != 19}
    assert {r.key.decode(): r.value.decode() for r in kafka.read(names)} == expected
    kafka.send(customers, [(b"c1", b"changed")])
    again = run(tmp_path, kafka.bootstrap)
    assert again.returncode == 0, again.stderr
    expected |= {f"o{i}": "changed" for i in range(1, 1000, 20)}
    assert {r.key.decode(): r.value.decode() for r in kafka.read(names)} == expected
