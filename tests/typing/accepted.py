"""Programs that mypy must accept."""

from dataclasses import dataclass

from framework import App, Stream, Table
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
