"""The class path of Kafka is remembered, and made again when its jars are gone."""

from pathlib import Path

import pytest

from framework.broker import jars


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch) -> list[str]:
    """What was asked of the resolver, which answers with an empty folder of jars; the cache is empty."""
    asked: list[str] = []

    class Environment:
        path = tmp_path / "env"

    def build(endpoint: str, *, update: bool) -> Environment:
        asked.append(endpoint)
        for name in ("jars", "modules"):
            (Environment.path / name).mkdir(parents=True, exist_ok=True)
        return Environment()

    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("jgo.build", build)
    return asked


def test_class_path_is_fetched_once(fetched: list[str], tmp_path: Path) -> None:
    assert jars.class_path() == jars.class_path() == f"{tmp_path}/env/jars/*:{tmp_path}/env/modules/*"
    assert len(fetched) == 1


def test_class_path_is_fetched_again_when_its_jars_are_gone(fetched: list[str], tmp_path: Path) -> None:
    jars.class_path()
    (tmp_path / "env" / "jars").rmdir()
    assert not jars.is_class_path_ready()
    jars.class_path()
    assert len(fetched) == 2
