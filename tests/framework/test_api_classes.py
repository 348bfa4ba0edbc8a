"""Handlers, stateful classes and periodic functions, as the description of the language writes them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from framework import App, Context, ListState, MapState, Processor, Timer, ValueState
from framework.testing import TestDriver


@dataclass
class Payment:
    """Money that moves."""

    amount: float


@dataclass
class Alert:
    """Too much of it."""

    account: str
    total: float


@dataclass
class Order:
    """What somebody wants."""

    id: int


@dataclass
class Invoice:
    """What it costs."""

    order: int


def velocity() -> tuple[App, object, object]:
    app = App("velocity")
    payments = app.topic("payments", key=str, value=Payment)
    alerts = app.topic("alerts", key=str, value=Alert)

    @app.processor(payments, to=alerts)
    class Velocity(Processor[str, Payment, Alert]):
        total = ValueState(float, default=0.0, ttl="1h")
        recent = MapState(int, Payment)

        def process(self, payment: Payment, ctx: Context[str]) -> Iterator[Alert]:
            self.total.set(self.total.get() + payment.amount)
            self.recent.put(ctx.timestamp, payment)
            ctx.timer(at=ctx.timestamp + 60_000)
            if self.total.get() > 1000:
                yield Alert(ctx.key, self.total.get())

        def on_timer(self, timer: Timer, ctx: Context[str]) -> Iterator[Alert]:
            yield Alert(f"{ctx.key} quiet since {timer.at - 60_000} after {len(self.recent)}", self.total.get())

    return app, payments, alerts


def test_processor_keeps_state_per_key_and_fires_timers_of_event_time() -> None:
    app, payments, alerts = velocity()
    with TestDriver(app) as driver:
        driver.send(payments, Payment(600.0), key="anna", at=0)  # type: ignore[arg-type]
        driver.send(payments, Payment(500.0), key="ben", at=1)  # type: ignore[arg-type]
        driver.restart()
        driver.send(payments, Payment(600.0), key="anna", at=60_000)  # type: ignore[arg-type]
        assert driver.read(alerts) == [  # type: ignore[arg-type]
            ("anna", Alert("anna", 1200.0)),
            ("anna", Alert("anna quiet since 0 after 2", 1200.0)),
        ]
        assert driver.store("Velocity.total")["ben"] == 500.0


def test_value_is_forgotten_after_its_time_to_live() -> None:
    app, payments, alerts = velocity()
    with TestDriver(app) as driver:
        driver.send(payments, Payment(600.0), key="anna", at=0)  # type: ignore[arg-type]
        driver.send(payments, Payment(600.0), key="anna", at=3_600_000)  # type: ignore[arg-type]
        assert [alert for _, alert in driver.read(alerts) if alert.account == "anna"] == []  # type: ignore


def test_timer_of_the_wall_clock_survives_a_restart() -> None:
    app = App("later")
    given = app.topic("given", key=str, value=int)
    fired = app.topic("fired", key=str, value=int)

    @app.processor(given, to=fired)
    class Later(Processor[str, int, int]):
        seen = ListState(int, ttl="1h")

        def process(self, value: int, ctx: Context[str]) -> None:
            self.seen.append(value)
            ctx.timer(after="30s")

        def on_timer(self, timer: Timer, ctx: Context[str]) -> int:
            return sum(self.seen.get())

    with TestDriver(app) as driver:
        driver.send(given, 1, key="a")
        driver.send(given, 2, key="a")
        driver.advance("29s")
        driver.restart()
        assert driver.read(fired) == []
        driver.advance("1s")
        assert driver.read(fired) == [("a", 3)]


def test_function_called_at_an_interval() -> None:
    app = App("beating")
    given = app.topic("given", value=int)
    beats = []

    @app.handler(given)
    def ignore(value: int) -> None: ...

    @app.every("1m")
    def heartbeat() -> None:
        beats.append(1)

    with TestDriver(app) as driver:
        driver.advance("59s")
        assert beats == []
        driver.advance("61s")
        assert beats == [1, 1]


def test_async_handler_keeps_the_order_of_a_key() -> None:
    app = App("invoices")
    orders = app.topic("orders", key=str, value=Order)
    invoices = app.topic("invoices", key=str, value=Invoice)

    @app.handler(orders, to=invoices, concurrency=100)
    async def invoice(order: Order) -> Invoice | None:
        await asyncio.sleep(0.001 * (5 - order.id))
        return Invoice(order.id) if order.id != 2 else None

    with TestDriver(app, chunk=10) as driver:
        for number in range(5):
            driver.send(orders, Order(number), key="anna")
        assert driver.read(invoices) == [("anna", Invoice(n)) for n in (0, 1, 3, 4)]


def test_handler_may_yield_several_sync_or_async() -> None:
    app = App("several")
    orders = app.topic("orders", key=str, value=int)
    parts = app.topic("parts", key=str, value=str)

    @app.handler(orders, to=parts)
    def first(count: int) -> Iterator[str]:
        for number in range(count):
            yield f"part {number}"

    @app.handler(orders, to=parts)
    async def second(count: int) -> AsyncIterator[str]:
        for number in range(count):
            await asyncio.sleep(0)
            yield f"async part {number}"

    with TestDriver(app) as driver:
        driver.send(orders, 2, key="a")
        expected = ["async part 0", "async part 1", "part 0", "part 1"]
        assert sorted(value for _, value in driver.read(parts)) == expected
