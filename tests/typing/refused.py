"""Mistakes that mypy must refuse: exactly the lines marked so."""

from framework import App, Context, GlobalTable, ListState, MapState, Processor, Stream, Table, ValueState, tumbling
from framework.testing import TestDriver

app = App("mistaken")
lines = app.topic("lines", value=str)
counts = app.topic("counts", key=str, value=int)


def of_int(number: int) -> int:
    return number


@app.topology(lines)
def mistakes(lines: Stream[None, str]) -> None:
    lines.map(of_int)  # mistake
    lines.map("upper")  # mistake
    lines.map(lambda line: line.no_such_method())  # mistake
    lines.to(counts)  # mistake
    lines.filter(lambda line: line, nam="x")  # mistake
    wrong: Table[str, str] = lines.group_by(lambda line: line).count()  # mistake
    lines.group_by(lambda line: line).count(changes="some")  # mistake
    wrong.to(counts)  # mistake
    lines.count()  # mistake


texts = app.topic("texts", key=str, value=str)


@app.topology(texts, counts)
def mistaken_joins(texts: Stream[str, str], counts: Stream[str, int]) -> None:
    texts.join(counts, value=lambda text, count: text + count, within="5s")  # mistake
    texts.left_join(counts, value=lambda text, count: count + 1, within="5s")  # mistake
    texts.join(counts, value=lambda text, count: text, within=5)  # mistake
    texts.semi_join(counts, within="5s", late="never")  # mistake
    texts.with_timestamps(lambda text: text)  # mistake
    texts.to(lambda text: 1, topics=())  # mistake


def drive() -> None:
    with TestDriver(app) as driver:
        driver.send(counts, "four", key="k")  # mistake
        driver.send(counts, 4, key=5)  # mistake
        rows: list[tuple[str, str]] = driver.read(counts)  # mistake
        print(rows)


class Totals(Processor[str, str, int]):
    """Its states are typed."""

    total = ValueState(int, default=0)
    last = ValueState(str)
    seen = ListState(str)
    by_name = MapState(str, int)

    def process(self, value: str, ctx: Context[str]) -> int | None:
        self.total.set("x")  # mistake
        self.last.get().upper()  # mistake
        self.seen.append(1)  # mistake
        self.by_name.put(1, 1)  # mistake
        ctx.timer(at="noon")  # mistake
        ctx.timer()  # mistake
        return value  # mistake


@app.topology(lines)
def of_other_values(lines: Stream[str, int]) -> None:
    lines.process(Totals)  # mistake


@app.topology(counts, counts)
def of_tables(left: Table[str, int], right: GlobalTable[str, int]) -> None:
    left.map(lambda count: count.upper())  # mistake
    left.join(left, value=lambda mine, its: mine.upper())  # mistake
    left.left_join(left, value=lambda mine, its: mine + its)  # mistake
    left.group_by(str).reduce(lambda a, b: str(a), lambda a, b: a)  # mistake
    left.to_stream().join(right, value=lambda mine, its: mine)  # mistake
    left.suppress(until=10)  # mistake


@app.topology(texts)
def mistaken_windows(texts: Stream[str, str]) -> None:
    windows = texts.group_by_key().window(tumbling("1m"))
    tumbling(60)  # mistake
    windows.count(emit="last")  # mistake
    plain: Table[str, int] = windows.count()  # mistake
    windows.sum(lambda text: text.amount)  # mistake
    numbers: Stream[str, int] = windows.count().late  # mistake
    texts.group_by_key().window("1m")  # mistake
    windows.count().to(counts)  # mistake
    plain.to(counts)
    numbers.to(counts)
