"""How do costs grow? CPU per record (µs) and records per second over keys, partitions, workers and sizes of values.

    python -m tests.bench.growth [--dimensions keys active many partitions workers values window] [--rounds 3]
    python -m tests.bench.growth --dimensions keys --profile 1000000    # where the time goes, by line, at one point

Each point is a topic of its own (`grown_topics.py`), loaded once; the points of a dimension alternate, each run in
processes of its own, with stores that hold all keys before the clock starts; medians. A keyed count, but for `window`,
which sums over 10 s. `bench/growth.json` keeps all runs.
"""

import argparse
import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from framework import App, Stream, Table, Windowed, tumbling
from framework.broker import EmbeddedKafka
from tests.bench.grown_topics import Point, load
from tests.bench.measured_group import Declare, Spent, measure
from tests.bench.sampler import top_table

RESULTS = Path("bench/growth.json")
_MB = 1_000_000


def count(app: App, source: str, output: str) -> None:
    given, counts = app.topic(source, key=str, value=bytes), app.topic(output, key=str, value=int)

    @app.topology(given, to=counts)
    def counted(given: Stream[str, bytes]) -> Table[str, int]:
        return given.group_by_key().count()


def window(app: App, source: str, output: str) -> None:
    given, sums = app.topic(source, key=str, value=bytes), app.topic(output, key=Windowed[str], value=int)

    @app.topology(given, to=sums)
    def summed(given: Stream[str, bytes]) -> Table[Windowed[str], int]:
        return given.group_by_key().window(tumbling("10s", grace="1s")).sum(len)


def _over_keys(drawn: str, *keys: int) -> dict[int, Point]:
    return {n: Point(keys=n, records=_MB, drawn=drawn) for n in keys}


POINTS: Mapping[str, Mapping[int, Point]] = {
    "keys": _over_keys("uniform", 1_000, 10_000, 100_000, 1_000_000),
    "active": _over_keys("active", 1_000, 10_000, 100_000, 1_000_000),
    "many": _over_keys("uniform", 10_000_000),
    "many-active": _over_keys("active", 10_000_000),
    "partitions": {n: Point(partitions=n) for n in (1, 2, 4, 8, 16)},
    "workers": {n: Point(partitions=8, records=2 * _MB) for n in (1, 2, 4)},
    "values": {
        100: Point(value_bytes=100),
        1_000: Point(value_bytes=1_000),
        10_000: Point(value_bytes=10_000, records=_MB // 10),
        100_000: Point(value_bytes=100_000, records=_MB // 50, keys=1_000),
    },
    "window": {n: Point(keys=n, records=_MB // 2) for n in (1_000, 10_000, 100_000, 1_000_000)},
}
"""By dimension, the points by their place on it."""


def main() -> None:
    arguments = _arguments()
    console = Console(width=130)
    runs: list[dict[str, object]] = []
    with EmbeddedKafka(heap_mb=1024) as broker:
        for dimension in arguments.dimensions:
            points = POINTS[dimension]
            if arguments.profile:
                points = {arguments.profile: points[arguments.profile]}
            loaded = {point: load(broker.bootstrap, point) for point in dict.fromkeys(points.values())}
            found: dict[int, list[Spent]] = {place: [] for place in points}
            for _ in range(arguments.rounds):
                for place, point in points.items():
                    workers = place if dimension == "workers" else 1
                    spent, samples = measure(
                        _declaration(dimension), broker.bootstrap, loaded[point], point,
                        workers=workers, is_sampled=bool(arguments.profile),
                    )  # fmt: skip
                    console.print(f"{dimension} {place:,}: {spent.cpu_us:.2f} µs CPU, {spent.rate:,.0f} records/s")
                    found[place].append(spent)
                    runs.append({"dimension": dimension, "place": place, **asdict(point), **asdict(spent)})
                    if samples:
                        console.print(top_table(samples, f"{dimension} {place:,}: where the time goes", 25))
            console.print(table(dimension, found))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(runs, indent=1))


def _declaration(dimension: str) -> Declare:
    return window if dimension == "window" else count


def table(dimension: str, found: Mapping[int, list[Spent]]) -> RichTable:
    """A row per point: medians, and the CPU by that of the first point."""
    shown = RichTable(
        dimension, "µs CPU/record", "by the first", "records/s", "changed/record", "records/commit", "measured", "MB"
    )  # fmt: skip
    first = None
    for place, runs in found.items():
        cpu, rate, changed, per_commit, peak = (
            statistics.median(getattr(run, figure) for run in runs)
            for figure in ("cpu_us", "rate", "changed", "commit_records", "peak_mb")
        )
        first = first or cpu
        shown.add_row(
            f"{place:,}", f"{cpu:.2f}", f"{cpu / first:.2f}", f"{rate:,.0f}", f"{changed:.3f}", f"{per_commit:,.0f}",
            f"{runs[0].measured:,}", f"{peak:.0f}",
        )  # fmt: skip
    return shown


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", nargs="+", choices=tuple(POINTS), default=tuple(POINTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", type=int, metavar="PLACE", help="sample the runs at this place of the dimension")
    return parser.parse_args()


if __name__ == "__main__":
    main()
