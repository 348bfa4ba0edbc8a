"""Programs that mypy must accept."""

from collections.abc import Iterator
from dataclasses import dataclass

from framework import App, Context, ListState, MapState, Processor, Stream, Table, Timer, ValueState, every
from framework.testing import TestDriver


@dataclass
class Order:
    """A record of the user's."""

    customer: str
    amount: int


app = App("typed")
lines = app.topic("lines", value=str)
counts = app.topic("counts", key=str, value=int)
orders = app.topic("orders", key=str, value=Order)


@app.topology(lines, to=counts)
def count_words(lines: Stream[None, str]) -> Table[str, int]:
    return lines.flat_map(str.split).group_by(lambda word: word).count()


@app.topology(orders, to=counts)
def spent(orders: Stream[str, Order]) -> Table[str, int]:
    return orders.group_by(lambda order: order.customer).sum(lambda order: order.amount)


@app.topology(orders)
def branches(orders: Stream[str, Order]) -> None:
    large, small = orders.branch(lambda order: order.amount > 10, otherwise=True)
    large.merge(small).map(lambda order: order.amount).to(counts)


def drive() -> int:
    with TestDriver(app) as driver:
        driver.send(orders, Order("a", 1), key="k")
        driver.send(orders, None, key="k")
        rows: list[tuple[str, int]] = driver.read(counts)
        return len(rows) + driver.table(counts)["a"]


# Stateful classes and handlers


@app.processor(orders, to=counts)
class Spending(Processor[str, Order, int]):
    """Counts by customer."""

    total = ValueState(int, default=0, ttl="1h")
    last = ValueState(Order)
    seen = ListState(Order)
    by_amount = MapState(int, Order)

    def process(self, value: Order, ctx: Context[str]) -> Iterator[int]:
        self.total.set(self.total.get() + value.amount)
        before = self.last.get()
        if before is not None:
            yield before.amount
        self.seen.append(value)
        self.by_amount.put(value.amount, value)
        ctx.timer(at=ctx.timestamp + 1, name=ctx.key.upper())
        ctx.timer(after="5s")

    def on_timer(self, timer: Timer, ctx: Context[str]) -> int | None:
        return timer.at if timer.name is not None else None

    @every("10s", clock="wall")
    def report(self, ctx: Context[str]) -> Iterator[tuple[str, int]]:
        yield from self.total.all()


@app.topology(orders, to=counts)
def processed(orders: Stream[str, Order]) -> Stream[str, int]:
    return orders.process(Spending)


@app.handler(orders, to=counts, concurrency=10)
async def ask(order: Order, ctx: Context[str]) -> int | None:
    return order.amount + ctx.timestamp


@app.handler(orders, to=counts, batch=True)
def ask_all(orders: list[Order]) -> list[int | None]:
    return [order.amount for order in orders]


@app.every("1m")
def beat() -> None: ...
