"""Would handlers be faster with columns than with lists? One chunk after the other, raw JSON in, raw JSON or sums out.

    pip install polars pyarrow; python -m tests.bench.columns

No Kafka: only what a handler and the decoding and encoding around it cost, per record, best of five rounds. All ways of
a job must give the same, which is checked first.
"""

import importlib
import io
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from tests.bench.workload import VAT, WINDOW_MS, Event, Taxed, events

RECORDS = 100_000
_SCHEMA = ("user", "page", "amount", "country", "ts")
_decode, _encode = msgspec.json.Decoder(Event).decode, msgspec.json.Encoder().encode
Job = Callable[[Sequence[bytes], Sequence[bytes]], object]
Sums = dict[tuple[bytes, int], float]


def map_lists(values: Sequence[bytes], _: Sequence[bytes]) -> object:
    given = [event for event in map(_decode, values) if event.amount >= 0]
    return [_encode(Taxed(e.user, e.page, e.amount, e.country, e.ts, e.amount * VAT)) for e in given]


def map_decoded_arrow(values: Sequence[bytes], _: Sequence[bytes]) -> object:
    """Values decoded one by one as now, then columns: what a handler of record batches over any serde would do."""
    arrow, compute = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.compute")
    given = [_decode(value) for value in values]
    batch = arrow.RecordBatch.from_pydict({name: [getattr(event, name) for event in given] for name in _SCHEMA})
    batch = batch.filter(compute.greater_equal(batch["amount"], 0))
    batch = batch.append_column("vat", compute.multiply(batch["amount"], VAT))
    return [_encode(Taxed(*row)) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]


def map_arrow(values: Sequence[bytes], _: Sequence[bytes]) -> object:
    arrow, compute = importlib.import_module("pyarrow.json"), importlib.import_module("pyarrow.compute")
    table = arrow.read_json(io.BytesIO(b"\n".join(values)))
    table = table.filter(compute.greater_equal(table["amount"], 0))
    return [_encode(row) for row in table.append_column("vat", compute.multiply(table["amount"], VAT)).to_pylist()]


def map_polars(values: Sequence[bytes], _: Sequence[bytes]) -> object:
    frame, polars = _frame(values)
    written = io.BytesIO()
    frame.filter(polars.col("amount") >= 0).with_columns(vat=polars.col("amount") * VAT).write_ndjson(written)
    return written.getvalue().splitlines()


def sums_lists(values: Sequence[bytes], keys: Sequence[bytes]) -> object:
    sums: dict[tuple[bytes, int], float] = defaultdict(float)
    for key, event in zip(keys, map(_decode, values), strict=True):
        sums[key, event.ts // WINDOW_MS] += event.amount
    return sums


def sums_polars(values: Sequence[bytes], keys: Sequence[bytes]) -> object:
    frame, polars = _frame(values)
    frame = frame.with_columns(key=polars.Series(keys))
    found = frame.group_by("key", polars.col("ts") // WINDOW_MS).agg(polars.col("amount").sum())
    return dict(zip(zip(found["key"], found["ts"], strict=True), found["amount"], strict=True))


def _frame(values: Sequence[bytes]) -> tuple[Any, Any]:
    polars = importlib.import_module("polars")
    kinds = (polars.String, polars.String, polars.Float64, polars.String, polars.Int64)
    return polars.read_ndjson(b"\n".join(values), schema=dict(zip(_SCHEMA, kinds, strict=True))), polars


def _check(values: Sequence[bytes], keys: Sequence[bytes]) -> None:
    expected = _read(map_lists(values, keys))
    for job in (map_decoded_arrow, map_arrow, map_polars):
        if _read(job(values, keys)) != expected:
            raise SystemExit(f"{job.__name__} gives other records than map_lists.")
    sums, others = cast(Sums, sums_lists(values, keys)), cast(Sums, sums_polars(values, keys))
    # Reason: sums of floats depend on the order of the addends.
    if sums.keys() != others.keys() or any(abs(sums[key] - others[key]) > 1e-6 for key in sums):
        raise SystemExit("sums_polars gives other sums than sums_lists.")


def _read(written: object) -> list[object]:
    return [msgspec.json.decode(value) for value in cast(list[bytes], written)]


def main() -> None:
    rows = list(events(RECORDS))
    keys, values = [key for key, _, _ in rows], [value for _, value, _ in rows]
    _check(values, keys)
    jobs: tuple[Job, ...] = (map_lists, map_decoded_arrow, map_arrow, map_polars, sums_lists, sums_polars)
    for size in (1_000, 10_000, 100_000):
        for job in jobs:
            walls, cpus = [], []
            for _ in range(5):
                wall, cpu = time.perf_counter(), time.process_time()
                for at in range(0, RECORDS, size):
                    job(values[at : at + size], keys[at : at + size])
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
            per = 1e6 / RECORDS
            print(f"{size:7} {job.__name__:17} {min(walls) * per:.2f} µs {min(cpus) * per:.2f} µs CPU", flush=True)


if __name__ == "__main__":
    main()
