"""Reload: the command runs again when a file changes."""

import sys
import threading
import time
from pathlib import Path

from framework.cli.dev import run_and_reload

_DEADLINE_S = 60.0


def test_command_runs_again_at_each_change_and_ends_when_asked(tmp_path: Path) -> None:
    watched, marks = tmp_path / "app", tmp_path / "marks"
    watched.mkdir()
    marks.mkdir()
    module = watched / "app.py"
    module.write_text("version = 1\n")
    # Each run leaves its process id, and one more file when it is asked to end.
    program = (
        "import os, pathlib, signal, sys, time\n"
        f"marks = pathlib.Path({str(marks)!r})\n"
        "def end(*_):\n"
        "    (marks / f'{os.getpid()}.ended').touch()\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "(marks / f'{os.getpid()}.began').touch()\n"
        "while True: time.sleep(0.05)\n"
    )
    asked, told = threading.Event(), []
    thread = threading.Thread(
        target=run_and_reload, args=([sys.executable, "-c", program], watched, asked, told.append)
    )
    thread.start()
    try:
        _await(lambda: len(list(marks.glob("*.began"))) == 1)
        deadline = time.monotonic() + _DEADLINE_S
        while len(list(marks.glob("*.began"))) < 2 and time.monotonic() < deadline:
            # Reason: the watcher may begin to look only after the first process runs, so the change is made again.
            module.write_text(module.read_text() + "\n")
            time.sleep(0.3)
    finally:
        asked.set()
        thread.join(_DEADLINE_S)
    began, ended = ({p.stem for p in marks.glob(f"*.{mark}")} for mark in ("began", "ended"))
    assert len(began) >= 2
    assert ended == began
    assert told[0] == "app.py changed: starting again"


def _await(condition) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
