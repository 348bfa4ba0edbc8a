"""Commands on a real broker."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kafka
_DEADLINE_S = 60.0
_PENSTOCK = [sys.executable, "-m", "framework.cli.main"]


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    """A folder with an app of its own, `shop:app`, on topics `in-TAG` and `out-TAG`; TAG is its file `tag`."""
    tag = uuid.uuid4().hex[:8]
    (tmp_path / "tag").write_text(tag)
    (tmp_path / "shop.py").write_text(
        "from framework import App, Stream\n"
        f'app = App("shop-{tag}")\n'
        f'orders = app.topic("in-{tag}", value=str, partitions=2)\n'
        f'shouts = app.topic("out-{tag}", value=str)\n'
        "@app.topology(orders, to=shouts)\n"
        "def shout(orders: Stream[None, str]) -> Stream[None, str]:\n"
        "    return orders.map(str.upper)\n"
    )
    return tmp_path


def test_topics_lists_what_is_missing_and_creates_it(kafka: Any, app_folder: Path) -> None:
    tag = (app_folder / "tag").read_text()
    assert _topics(app_folder, kafka.bootstrap) == {
        f"in-{tag}": ["read", "missing", "-"],
        f"out-{tag}": ["written", "missing", "-"],
    }
    assert _topics(app_folder, kafka.bootstrap, "--create") == {
        f"in-{tag}": ["read", "created", "2"],
        f"out-{tag}": ["written", "created", "4"],
    }
    assert _topics(app_folder, kafka.bootstrap, "--create") == {
        f"in-{tag}": ["read", "there", "2"],
        f"out-{tag}": ["written", "there", "4"],
    }


def test_run_works_until_sigterm_and_ends_with_0(kafka: Any, app_folder: Path) -> None:
    tag = (app_folder / "tag").read_text()
    command = [*_PENSTOCK, "run", "shop", "-b", kafka.bootstrap, "--state-dir", "state", "--create-topics"]
    with subprocess.Popen(command, cwd=app_folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            _await(lambda: _has_topic(app_folder, kafka.bootstrap, f"in-{tag}"))
            kafka.send(f"in-{tag}", [(None, b"hear ye")])
            _await(lambda: [r.value for r in kafka.read(f"out-{tag}")] == [b"HEAR YE"])
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=_DEADLINE_S)
    assert process.returncode == 0
    assert "Traceback" not in said


def test_run_without_its_topics_ends_with_3_and_says_what_to_do(kafka: Any, app_folder: Path) -> None:
    command = [*_PENSTOCK, "run", "shop", "-b", kafka.bootstrap, "--state-dir", "state"]
    ended = subprocess.run(command, cwd=app_folder, capture_output=True, text=True, check=False, timeout=_DEADLINE_S)
    assert ended.returncode == 3
    assert "penstock topics APP --create" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def broker_process(tmp_path: Path) -> "Iterator[subprocess.Popen[str]]":
    """`penstock broker` that makes its temporary folders in `tmp_path`."""
    command = [*_PENSTOCK, "broker", "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        yield process
        process.kill()


def test_broker_prints_its_address_and_sigterm_ends_it_without_leftovers(broker_process: Any, tmp_path: Path) -> None:
    address = broker_process.stdout.readline().strip()
    assert _listens(address)
    broker_process.terminate()
    assert broker_process.wait(_DEADLINE_S) == 0
    assert not _listens(address)
    assert list(tmp_path.iterdir()) == []


def test_broker_killed_takes_kafka_with_it(broker_process: Any) -> None:
    address = broker_process.stdout.readline().strip()
    assert _listens(address)
    broker_process.kill()
    _await(lambda: not _listens(address))


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _topics(folder: Path, bootstrap: str, *options: str) -> dict[str, list[str]]:
    command = [*_PENSTOCK, "topics", "shop", "-b", bootstrap, *options]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=_DEADLINE_S).stdout
    return {line.split()[0]: line.split()[1:] for line in said.splitlines()[1:]}


def _has_topic(folder: Path, bootstrap: str, topic: str) -> bool:
    return _topics(folder, bootstrap)[topic][1] == "there"


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
