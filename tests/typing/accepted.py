"""Programs that mypy must accept."""

from collections.abc import Iterator
from dataclasses import dataclass

from framework import (
    App,
    Context,
    GlobalTable,
    ListState,
    MapState,
    Processor,
    Stream,
    Table,
    Timer,
    ValueState,
    Windowed,
    every,
    hopping,
    session,
    sliding,
    tumbling,
    unlimited,
)
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


texts = app.topic("texts", key=str, value=str)


@app.topology(orders, texts, to=(texts, orders))
def pairs(orders: Stream[str, Order], texts: Stream[str, str]) -> tuple[Stream[str, str], Stream[str, Order]]:
    both = orders.join(texts, value=lambda order, text: text * order.amount, within="5s", grace="1s")
    perhaps = orders.left_join(texts, value=lambda order, text: text or order.customer, within=("0s", "5s"))
    either = orders.outer_join(texts, value=lambda order, text: text if order is None else order.customer, within="5s")
    texts_or_none = either.map(lambda text: text or "")
    known = orders.semi_join(texts, within="5s", late="drop")
    late_texts: Stream[str, str] = known.late_right
    late_orders: Stream[str, Order] = known.late_left
    late_orders.merge(known)
    return both.merge(perhaps, texts_or_none, late_texts), known.deduplicate(lambda order: order.customer, within="1h")


@app.topology(orders, name="routes")
def routes(orders: Stream[str, Order]) -> None:
    parts = orders.limit_rate(3, per="1s").branch({"large": lambda order: order.amount > 10}, otherwise="small")
    amounts = parts["small"].with_headers(lambda order: {"customer": order.customer}).map(lambda order: order.amount)
    amounts.with_timestamps(lambda amount: 1000 * amount).to(lambda amount: counts, topics=(counts,))


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


# Tables


@app.topology(orders, counts)
def tables(orders: Table[str, Order], counts: Table[str, int]) -> None:
    large: Table[str, Order] = orders.filter(lambda order: order.amount > 10)
    names: Table[str, str] = large.map(lambda order: order.customer)
    by_customer: Table[str, int] = orders.group_by(lambda order: order.customer).aggregate(
        0, lambda total, order: total + order.amount, lambda total, order: total - order.amount
    )
    amounts: Table[int, int] = orders.group_by_items(lambda key, order: (order.amount, order)).count()
    pairs: Table[str, tuple[str, int]] = names.join(by_customer)
    maybe: Table[str, tuple[str, int | None]] = names.left_join(by_customer, on=lambda name: name.upper())
    either: Table[str, str] = names.outer_join(by_customer, value=lambda name, total: f"{name}{total}")
    calm: Table[str, str] = either.suppress(until="10s", max_records=100)
    stream: Stream[str, tuple[str, int]] = pairs.to_stream()
    print(amounts, maybe, calm, stream)


@app.topology(orders, counts)
def looked_up(orders: Stream[str, Order], counts: GlobalTable[str, int]) -> None:
    known: Stream[str, int] = orders.join(
        counts, key=lambda order: order.customer, value=lambda order, count: order.amount + count
    )
    totals: Table[str, int] = known.to_table(history="1h")
    both: Stream[str, int] = orders.left_join(totals, value=lambda order, total: total or order.amount, grace="1m")
    print(both)


minutes = app.topic("minutes", key=Windowed[str], value=int)
means = app.topic("means", key=Windowed[str], value=float)
missed = app.topic("missed", key=str, value=Order)


@app.topology(orders, to=(minutes, missed))
def per_minute(orders: Stream[str, Order]) -> tuple[Table[Windowed[str], int], Stream[str, Order]]:
    sums = orders.group_by_key().window(tumbling("1m", grace="10s")).sum(lambda order: order.amount, emit="final")
    return sums, sums.late


@app.topology(orders, to=means)
def mean_of_visit(orders: Stream[str, Order]) -> Table[Windowed[str], float]:
    return orders.group_by_key().window(session(lambda order: "5m")).mean(lambda order: order.amount)


@app.topology(orders, to=minutes)
def merged(orders: Stream[str, Order]) -> Table[Windowed[str], int]:
    visits = orders.group_by_key().window(session("5m", max_length="1h"))
    return visits.aggregate(0, lambda total, order: total + order.amount, merge=lambda left, right: left + right)


@app.topology(orders, texts)
def lists(orders: Stream[str, Order], texts: Stream[str, str]) -> None:
    lengths: Table[Windowed[str], list[int]] = texts.group_by_key().window(sliding("5m")).collect(len, max=10)
    starts: Stream[int, int] = lengths.to_stream().map_items(lambda window, found: (window.start, len(found)))
    starts.group_by_key().max(emit="complete").to_stream()
    texts.group_by_key().window(hopping("5m", "1m")).approx_distinct().to(minutes)
    bought, said = orders.group_by_key(), texts.group_by_key()
    bought.window(unlimited()).cogroup(
        {bought: lambda total, order: total + order.amount, said: lambda total, text: total + len(text)}, initial=0
    ).to(minutes)
