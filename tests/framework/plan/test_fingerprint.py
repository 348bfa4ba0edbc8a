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
