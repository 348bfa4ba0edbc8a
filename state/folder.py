"""The folder of one worker's state: one process at a time, of one app, in one layout."""

import fcntl
import json
import os
from pathlib import Path

from state.errors import StateFolderInUse, StateFolderMismatch

LAYOUT = 1


class StateFolder:
    """`path/TASK` holds the stores of each task; `path/penstock.json` says whose they are; `path/.lock` who is here.

    Raises:
        StateFolderInUse: another process holds it.
        StateFolderMismatch: another app's, or of another layout.
    """

    def __init__(self, path: Path, app_id: str) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take_lock()
            self._check_identity(app_id)
        except BaseException:
            os.close(self._lock)
            raise

    def task_path(self, task: str) -> Path:
        return self.path / task

    def untouched_since(self, task: str) -> float | None:
        """When the files of a task's stores were last written (s since the epoch); None: there are none."""
        return max((file.stat().st_mtime for file in self.task_path(task).glob("*")), default=None)

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._lock, 20, 0).decode(errors="replace").strip() or "unknown"
            raise StateFolderInUse(
                f"the state folder {self.path} is in use by the process {holder}: stop it, or give this worker "
                "another folder (state_dir) or another name (instance)."
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d" % os.getpid(), 0)

    def _check_identity(self, app_id: str) -> None:
        file, mine = self.path / "penstock.json", {"app": app_id, "layout": LAYOUT}
        if not file.exists():
            draft = file.with_suffix(".tmp")
            draft.write_text(json.dumps(mine))
            draft.replace(file)
            return
        try:
            found = json.loads(file.read_text())
        except ValueError as error:
            raise StateFolderMismatch(
                f"{file} cannot be read ({error}): if {self.path} is this app's folder, remove the folder; "
                "its stores come back from their changelogs."
            ) from error
        if found != mine:
            raise StateFolderMismatch(
                f"the state folder {self.path} belongs to {found}, not to {mine}: give this app another folder "
                "(state_dir), or remove that one; stores come back from their changelogs."
            )
