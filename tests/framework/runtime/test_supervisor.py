"""When a dead worker is started again."""

import pytest

from framework.runtime.supervisor import RestartPolicy


@pytest.mark.parametrize(("deaths", "pause_ms"), [(1, 0), (2, 200), (3, 400), (7, 6_400), (8, 10_000), (1_000, 10_000)])
def test_restart_policy_pauses_double_up_to_the_longest(deaths: int, pause_ms: int) -> None:
    assert RestartPolicy().pause_ms(deaths) == pause_ms


@pytest.mark.parametrize(
    ("exit_code", "was_healthy", "is_hopeless"),
    [
        pytest.param(137, False, False, id="killed"),
        pytest.param(1, False, False, id="fatal"),
        pytest.param(2, True, True, id="wrong setting"),
        pytest.param(3, False, True, id="no broker from the start"),
        pytest.param(3, True, False, id="broker gone meanwhile"),
        pytest.param(4, True, True, id="fenced"),
        pytest.param(5, True, True, id="record cannot be processed"),
        pytest.param(0, True, False, id="ended for no reason"),
    ],
)
def test_restart_policy_gives_up_where_no_restart_heals(exit_code: int, was_healthy: bool, is_hopeless: bool) -> None:
    assert RestartPolicy().is_hopeless(exit_code, was_healthy=was_healthy) is is_hopeless


def test_restart_policy_worker_that_ran_for_long_is_healthy() -> None:
    policy = RestartPolicy(healthy_ms=1_000)
    assert policy.is_healthy(now_ms=1_500.0, started_ms=500.0)
    assert not policy.is_healthy(now_ms=1_499.0, started_ms=500.0)
