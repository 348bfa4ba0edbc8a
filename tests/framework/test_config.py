import pytest

from framework.config import load_settings
from framework.errors import ConfigError


def test_argument_goes_before_environment_before_app(monkeypatch: pytest.MonkeyPatch) -> None:
    app = {"commit_interval": "1s", "workers": 2, "chunk_records": 5}
    monkeypatch.setenv("PENSTOCK_COMMIT_INTERVAL", "20ms")
    monkeypatch.setenv("PENSTOCK_WORKERS", "3")
    settings = load_settings({"workers": 4, "instance": None}, app)
    assert (settings.workers, settings.commit_interval, settings.chunk_records) == (4, 20, 5)


def test_client_setting_comes_from_environment_with_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_KAFKA__SECURITY__PROTOCOL", "SASL_SSL")
    assert load_settings({}, {}).kafka == {"security.protocol": "SASL_SSL"}


def test_unknown_setting_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no setting comit_interval: known are .*commit_interval"):
        load_settings({"comit_interval": 1}, {})


def test_bad_value_is_named_with_its_meaning() -> None:
    with pytest.raises(ConfigError, match=r"commit_interval is 'soon'.*between two commits"):
        load_settings({"commit_interval": "soon"}, {})


def test_client_setting_that_breaks_a_guarantee_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"kafka\.isolation\.level: an aborted record must never be read"):
        load_settings({"kafka": {"isolation.level": "read_uncommitted"}}, {})
