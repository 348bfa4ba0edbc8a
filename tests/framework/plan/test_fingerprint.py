"""What a changed program may keep of its state."""

from collections.abc import Callable
from typing import Any

import pytest

from framework import App, GroupedStream, Stream
from framework.errors import ProgramChanged
from framework.plan.fingerprint import check, fingerprints
from framework.plan.plan import Plan


def plan(aggregate: Callable[[GroupedStream[str, int]], Any], *, before: Callable[..., Any] = lambda s: s) -> Plan:
    app = App("shop")
    orders = app.topic("orders", key=str, value=int)

    @app.topology(orders)
    def total(orders: Stream[str, int]) -> None:
        aggregate(before(orders).group_by_key())

    return app.plan()


def test_step_added_before_it_and_other_emission_fit() -> None:
    old = plan(lambda grouped: grouped.count(name="totals"))
    new = plan(
        lambda grouped: grouped.count(name="totals", changes="all"), before=lambda s: s.filter(lambda value: value > 1)
    )
    check(new, fingerprints(old))


def test_step_under_another_name_fits() -> None:
    check(
        plan(lambda grouped: grouped.sum(name="sums")), fingerprints(plan(lambda grouped: grouped.count(name="counts")))
    )


def test_other_verb_does_not_fit_and_names_the_line() -> None:
    old = plan(lambda grouped: grouped.count(name="totals"))
    with pytest.raises(
        ProgramChanged, match=r'test_fingerprint.py:\d+: the step "totals" .* it was count\(\) and is sum'
    ):
        check(plan(lambda grouped: grouped.sum(name="totals")), fingerprints(old))


def test_other_value_type_does_not_fit() -> None:
    old = plan(lambda grouped: grouped.aggregate(0, lambda state, value: state + value, type=int, name="totals"))
    new = plan(lambda grouped: grouped.aggregate("", lambda state, value: state, type=str, name="totals"))
    with pytest.raises(ProgramChanged, match=r"its values have changed: it was int and is str"):
        check(new, fingerprints(old))


def limited(limit: Callable[[Any, Any], Any]) -> Plan:
    app = App("shop")
    orders = app.topic("orders", key=str, value=int)
    refunds = app.topic("refunds", key=str, value=int)

    @app.topology(orders, refunds)
    def pair(orders: Stream[str, int], refunds: Stream[str, int]) -> None:
        limit(orders, refunds)

    return app.plan()


def pair(left: int | None, right: int | None) -> int:
    return (left or 0) - (right or 0)


FITTING: dict[str, tuple[Any, Any]] = {
    "join, grace and rule for late": (
        lambda a, b: a.outer_join(b, value=pair, within="5s", name="pairs"),
        lambda a, b: a.outer_join(b, value=pair, within="5s", grace="1m", late="drop", name="pairs"),
    ),
    "limit, number and grace": (
        lambda a, b: a.limit_rate(3, per="1m", name="few"),
        lambda a, b: a.limit_rate(5, per="1m", grace="1s", name="few"),
    ),
}


@pytest.mark.parametrize(("old", "new"), FITTING.values(), ids=list(FITTING))
def test_other_patience_fits(old: Any, new: Any) -> None:
    check(limited(new), fingerprints(limited(old)))


UNFITTING: dict[str, tuple[Any, Any, str]] = {
    "join, within": (
        lambda a, b: a.join(b, value=pair, within="5s", name="pairs"),
        lambda a, b: a.join(b, value=pair, within=("5s", "6s"), name="pairs"),
        "its after_ms was 5000 and is 6000",
    ),
    "join, kind": (
        lambda a, b: a.join(b, value=pair, within="5s", name="pairs"),
        lambda a, b: a.outer_join(b, value=pair, within="5s", name="pairs"),
        r"it was join\(\) and is outer_join\(\)",
    ),
    "deduplicate, within": (
        lambda a, b: a.deduplicate(within="5s", name="once"),
        lambda a, b: a.deduplicate(within="6s", name="once"),
        "its within_ms was 5000 and is 6000",
    ),
    "limit, period": (
        lambda a, b: a.limit_rate(3, per="1m", name="few"),
        lambda a, b: a.limit_rate(3, per="2m", name="few"),
        "its period_ms was 60000 and is 120000",
    ),
}


@pytest.mark.parametrize(("old", "new", "reason"), UNFITTING.values(), ids=list(UNFITTING))
def test_other_times_do_not_fit(old: Any, new: Any, reason: str) -> None:
    with pytest.raises(ProgramChanged, match=reason):
        check(limited(new), fingerprints(limited(old)))
