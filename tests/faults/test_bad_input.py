"""What does not fit is told clearly, and nothing is lost by it."""

import resource
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from framework import App, Stream, Table
from framework.errors import BrokerUnreachable, ConfigError, LocalStateError, RecordError, StreamError, TopicError
from framework.runtime import topics
from state import StateFolder
from tests.faults.fleet import running_fleet
from tests.faults.inputs import create_topics, send, steps_of, wait_until_counted

NOBODY = "127.0.0.1:1"


def summing_app() -> App:
    """Sums numbers per key, and numbers regrouped by their last digit."""
    app = App(f"sums-{uuid.uuid4().hex[:8]}")
    numbers = app.topic(f"{app.id}-numbers", key=str, value=int)
    more = app.topic(f"{app.id}-more", key=str, value=int)
    sums = app.topic(f"{app.id}-sums", key=str, value=int)
    digits = app.topic(f"{app.id}-digits", key=int, value=int)

    @app.topology(numbers, more, to=sums)
    def add_up(numbers: Stream[str, int], more: Stream[str, int]) -> Table[str, int]:
        return numbers.merge(more).group_by_key().sum()

    @app.topology(numbers, to=digits)
    def regroup(numbers: Stream[str, int]) -> Table[int, int]:
        return numbers.group_by(lambda number: number % 10, key=int).count()

    return app


def create(kafka: Any, app: App, **partitions: int) -> None:
    for spec in app.plan().topics:
        kafka.topic(spec.name, partitions.get(spec.name.rpartition("-")[2], 2))


def run(kafka: Any, app: App, tmp_path: Path) -> None:
    """Run it until it fails."""
    settings = {"bootstrap_servers": kafka.bootstrap, "state_dir": tmp_path}
    with ThreadPoolExecutor(1) as thread:  # not the main thread: pytest's signal handlers stay
        thread.submit(app.run, **settings).result(60)


def test_broker_nobody_answers_is_told_with_exit_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_TIMEOUT_S", 1.0)
    with pytest.raises(BrokerUnreachable, match=f"no broker answers at {NOBODY}.*bootstrap_servers") as raised:
        summing_app().run(bootstrap_servers=NOBODY, state_dir=tmp_path)
    assert raised.value.exit_code == 3


@pytest.mark.kafka
def test_input_topic_unknown_is_named(kafka: Any, tmp_path: Path) -> None:
    app = summing_app()
    with pytest.raises(TopicError, match=f"{app.id}-numbers.*does not have: create") as raised:
        run(kafka, app, tmp_path)
    assert raised.value.exit_code == 3


@pytest.mark.kafka
def test_inputs_that_meet_in_a_store_with_different_partitions_are_named(kafka: Any, tmp_path: Path) -> None:
    app = summing_app()
    create(kafka, app, numbers=2, more=3)
    with pytest.raises(TopicError, match=f"{app.id}-numbers has 2, {app.id}-more has 3"):
        run(kafka, app, tmp_path)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("internal", "partitions", "config", "said"),
    [
        pytest.param("add_up.sum-changelog", 2, {"cleanup_policy": "delete"}, "cleanup.policy=delete", id="changelog"),
        pytest.param(
            "regroup.count.partials-repartition", 2, {"retention_ms": "1000"}, "retention.ms=1000", id="retention"
        ),
        pytest.param("add_up.sum-changelog", 3, {"cleanup_policy": "compact"}, "has 3 partitions", id="partitions"),
    ],
)
def test_internal_topic_that_would_lose_data_is_refused(
    kafka: Any, tmp_path: Path, internal: str, partitions: int, config: dict[str, str], said: str
) -> None:
    app = summing_app()
    create(kafka, app)
    kafka.topic(f"{app.id}-{internal}", partitions, **config)
    with pytest.raises(TopicError, match=f"internal topic {app.id}-{internal} has.*") as raised:
        run(kafka, app, tmp_path)
    assert said in str(raised.value)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("config", "said"),
    [
        pytest.param(
            {"cleanup_policy": "compact"},
            "cleanup.policy=compact, which would let it grow without end: the app needs cleanup.policy=compact,delete",
            id="cannot be cut",
        ),
        pytest.param(
            {"cleanup_policy": "delete,compact", "retention_ms": "1000"},
            "retention.ms=1000, which would lose data: the app needs retention.ms=-1",
            id="loses by age",
        ),
    ],
)
def test_changelog_of_what_forgets_by_time_with_other_settings_is_refused(
    kafka: Any, tmp_path: Path, config: dict[str, str], said: str
) -> None:
    app = App(f"once-{uuid.uuid4().hex[:8]}")
    ids = app.topic(f"{app.id}-ids", key=str, value=int)

    @app.topology(ids)
    def once(ids: Stream[str, int]) -> None:
        ids.deduplicate(within="1m", name="passed")

    create(kafka, app)
    kafka.topic(f"{app.id}-passed-changelog", 2, **config)
    with pytest.raises(TopicError, match=said):
        run(kafka, app, tmp_path)


@pytest.mark.kafka
def test_record_that_cannot_be_decoded_stops_the_task_before_it(kafka: Any, tmp_path: Path) -> None:
    app = summing_app()
    create(kafka, app)
    numbers = f"{app.id}-numbers"
    good = [(b"a", number.to_bytes(8, "big")) for number in (1, 2, 3)]
    kafka.send(numbers, [*good, (b"a", b"xyz"), *good], partition=0)
    with pytest.raises(RecordError) as raised:
        run(kafka, app, tmp_path)
    error = raised.value
    assert (error.exit_code, error.tp, error.offset) == (5, (numbers, 0), 3)
    for part in (f"{numbers}-0 at offset 3", 'step "', "expected", "got"):
        assert part in str(error)
    assert kafka.committed(app.id, numbers)[0] == 3
    sums = [int.from_bytes(record.value, "big") for record in kafka.read(f"{app.id}-sums")]
    assert sums[-1] == 6


def test_state_folder_in_use_by_another_process_is_told(tmp_path: Path) -> None:
    app = summing_app()
    held = StateFolder(tmp_path / app.id / "worker-0", app.id)
    with pytest.raises(LocalStateError, match="in use by the process"):
        app.run(bootstrap_servers=NOBODY, state_dir=tmp_path)
    held.release()


def test_state_folder_of_another_app_is_told(tmp_path: Path) -> None:
    app = summing_app()
    StateFolder(tmp_path / app.id / "worker-0", "another-app").release()
    with pytest.raises(ConfigError, match=r"another-app.*state_dir"):
        app.run(bootstrap_servers=NOBODY, state_dir=tmp_path)


@pytest.mark.faults
@pytest.mark.kafka
def test_disk_full_under_a_store_loses_nothing(kafka: Any, tmp_path: Path) -> None:
    app_id = create_topics(kafka, 1)
    words = [f"k{i}" for i in range(2000)]
    with running_fleet(kafka.bootstrap, app_id, tmp_path, is_static=True) as fleet:
        fleet.start(0)
        send(kafka, app_id, "left", words[:10])
        wait_until_counted(kafka, app_id, "merged", 10)
        # As a disk that is full: no file of the worker may grow beyond this, and the next commit needs more.
        resource.prlimit(fleet.processes[0].pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
        send(kafka, app_id, "left", words)
        assert fleet.processes[0].wait(60) == LocalStateError.exit_code
        assert "cannot write the store" in fleet.said(0)
        assert "Traceback" not in fleet.said(0)
        assert "Make room on that disk" in fleet.said(0)
        fleet.start(0)
        send(kafka, app_id, "left", words[:10])
        wait_until_counted(kafka, app_id, "merged", 2020)
        assert fleet.stop(0) == 0
    steps = steps_of(kafka, app_id, "merged")
    assert steps == {f"k{i}": [1, 2, 3] if i < 10 else [1] for i in range(2000)}


def test_every_error_of_a_run_has_an_exit_code_of_its_kind() -> None:
    codes = {error.__name__: error.exit_code for error in (BrokerUnreachable, ConfigError, RecordError, TopicError)}
    assert codes == {"BrokerUnreachable": 3, "ConfigError": 2, "RecordError": 5, "TopicError": 3}
    assert StreamError.exit_code == 1
