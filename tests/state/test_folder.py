from pathlib import Path

import pytest

from state import StateFolder, StateFolderInUse, StateFolderMismatch


def test_folder_in_use_is_refused_and_free_after_release(tmp_path: Path) -> None:
    first = StateFolder(tmp_path, "app")
    with pytest.raises(StateFolderInUse, match=r"in use by the process \d+"):
        StateFolder(tmp_path, "app")
    first.release()
    StateFolder(tmp_path, "app").release()


def test_folder_of_another_app_is_refused_and_not_held(tmp_path: Path) -> None:
    StateFolder(tmp_path, "one").release()
    with pytest.raises(StateFolderMismatch, match=r"belongs to .*one"):
        StateFolder(tmp_path, "two")
    StateFolder(tmp_path, "one").release()


def test_folder_with_unreadable_identity_is_refused(tmp_path: Path) -> None:
    (tmp_path / "penstock.json").write_text("{")
    with pytest.raises(StateFolderMismatch, match="cannot be read"):
        StateFolder(tmp_path, "app")
