"""Changelogs of stores that forget by time are cut, and whoever restores from what is left goes on exactly."""

import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from serde import Windowed, for_type
from tests.faults.fleet import wait_for

pytestmark = pytest.mark.kafka
_KEYS = [f"k{i}" for i in range(20)]
_STORES = ("counts", "pairs-left", "pairs-right", "ids")


def program(app_id: str) -> str:
    return (
        "from framework import App, Stream, Table, Windowed, tumbling\n"
        f'app = App("{app_id}")\n'
        f'lefts = app.topic("{app_id}-lefts", key=str, value=str)\n'
        f'rights = app.topic("{app_id}-rights", key=str, value=str)\n'
        f'counts = app.topic("{app_id}-counts", key=Windowed[str], value=int)\n'
        f'pairs = app.topic("{app_id}-pairs", key=str, value=str)\n'
        f'ids = app.topic("{app_id}-ids", key=str, value=str)\n'
        "@app.topology(lefts, to=counts)\n"
        "def counted(lefts: Stream[str, str]) -> Table[Windowed[str], int]:\n"
        '    return lefts.group_by_key().window(tumbling("1s")).count(name="counts")\n'
        "@app.topology(lefts, rights, to=pairs)\n"
        "def joined(lefts: Stream[str, str], rights: Stream[str, str]) -> Stream[str, str]:\n"
        '    return lefts.join(rights, value=lambda a, b: a + b, within="1s", type=str, name="pairs")\n'
        "@app.topology(lefts, to=ids)\n"
        "def once(lefts: Stream[str, str]) -> Stream[str, str]:\n"
        '    return lefts.deduplicate(lambda value: value, within="10s", name="ids")\n'
    )


@contextmanager
def worker(folder: Path, servers: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "framework.cli.main", "run", "cut", "-b", servers, "--state-dir", "state"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([*command, "--instance", "w0"], cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def firsts(kafka: Any, app_id: str) -> dict[str, int]:
    return {store: min(kafka.first_offsets(f"{app_id}-{store}-changelog").values()) for store in _STORES}


def test_changelogs_are_cut_and_a_killed_worker_goes_on_exactly_on_a_new_disk(kafka: Any, tmp_path: Path) -> None:
    app_id = f"cut-{uuid.uuid4().hex[:8]}"
    (tmp_path / "cut.py").write_text(program(app_id))
    for topic in ("lefts", "rights", "counts", "pairs", "ids"):
        kafka.topic(f"{app_id}-{topic}", 1)

    def send(minute: int, side: str) -> None:
        rows = [(key.encode(), f"{key}-{minute}-{side}".encode(), 60_000 * minute + 10) for key in _KEYS]
        kafka.send(f"{app_id}-{side}s", rows)

    def wait_for_ids(minutes: int) -> None:
        wait_for(lambda: len(kafka.read(f"{app_id}-ids")) == minutes * len(_KEYS), f"the ids of minute {minutes}")
        wait_for(lambda: len(kafka.read(f"{app_id}-pairs")) == minutes * len(_KEYS), f"the pairs of minute {minutes}")

    minute = 0
    for _ in range(2):
        with worker(tmp_path, kafka.bootstrap) as process:
            before = firsts(kafka, app_id) if minute else dict.fromkeys(_STORES, 0)
            while minute == 0 or minute % 4 or any(first <= before[s] for s, first in firsts(kafka, app_id).items()):
                send(minute, "right")
                send(minute, "left")
                minute += 1
                wait_for_ids(minute)
                assert minute < 100
            # what is sent now is not finished, or not even begun, when the worker is killed
            send(minute, "right")
            send(minute, "left")
            minute += 1
            process.kill()
            process.wait()
        shutil.rmtree(tmp_path / "state")
    with worker(tmp_path, kafka.bootstrap):
        wait_for_ids(minute)
        # repeats of the last minute: the windows count on, the join meets the rights that it kept, ids pass no more
        send(minute - 1, "left")
        wait_for(lambda: len(kafka.read(f"{app_id}-pairs")) == (minute + 1) * len(_KEYS), "the last pairs")
    keys = for_type(Windowed[str])
    counts = {str(keys.deserialize(r.key)): int.from_bytes(r.value, "big") for r in kafka.read(f"{app_id}-counts")}
    windows = [(key, m, f"{key}@{60_000 * m}/{60_000 * m + 1_000}") for m in range(minute) for key in _KEYS]
    assert counts == {window: 2 if m == minute - 1 else 1 for _, m, window in windows}
    once = sorted(f"{key}-{m}-left" for key, m, _ in windows)
    assert sorted(r.value.decode() for r in kafka.read(f"{app_id}-ids")) == once
    pairs = [f"{key}-{m}-left{key}-{m}-right" for key, m, _ in windows for _ in range(2 if m == minute - 1 else 1)]
    assert sorted(r.value.decode() for r in kafka.read(f"{app_id}-pairs")) == sorted(pairs)
    assert all(first > 0 for first in firsts(kafka, app_id).values())
    log = (tmp_path / "log").read_text()
    assert "is not cut" not in log
    assert "Traceback" not in log
