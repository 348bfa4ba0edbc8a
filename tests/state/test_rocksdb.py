import subprocess
import sys
from pathlib import Path

import pytest

from state import StateUnreadable
from state.rocksdb import RocksBackend

ENDLESS_WRITER = """
import sys
from pathlib import Path
from state.rocksdb import RocksBackend
backend = RocksBackend(Path(sys.argv[1]), ["a", "b"])
n = 0
while True:
    n += 1
    rows = {b"%d" % i: b"%d" % n for i in range(50)}
    backend.write({"a": rows, "b": rows}, {b"n": b"%d" % n})
    if n == 20:
        print("writing", flush=True)
"""


def test_damaged_file_is_state_unreadable(tmp_path: Path) -> None:
    backend = RocksBackend(tmp_path / "task", ["a"])
    backend.write({"a": {b"k": b"v"}}, {})
    backend.close()
    (tmp_path / "task" / "CURRENT").write_bytes(b"nonsense\n")
    with pytest.raises(StateUnreadable, match="remove that folder"):
        RocksBackend(tmp_path / "task", ["a"])


def test_store_no_longer_declared_is_kept(tmp_path: Path) -> None:
    backend = RocksBackend(tmp_path / "task", ["a", "b"])
    backend.write({"b": {b"k": b"v"}}, {})
    backend.close()
    RocksBackend(tmp_path / "task", ["a"]).close()
    backend = RocksBackend(tmp_path / "task", ["a", "b"])
    assert backend.get("b", b"k") == b"v"
    backend.close()


def test_kill_between_writes_leaves_whole_batches(tmp_path: Path) -> None:
    path = tmp_path / "task"
    writer = subprocess.Popen([sys.executable, "-c", ENDLESS_WRITER, str(path)], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.kill()
    writer.wait()
    writer.stdout.close()
    backend = RocksBackend(path, ["a", "b"])
    n = backend.metadata(b"n")
    assert n is not None and int(n) >= 20
    assert {value for store in ("a", "b") for _, value in backend.scan(store)} == {n}
    backend.close()
