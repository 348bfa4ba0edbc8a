"""What it costs to read and to write an event, by format; beside ours, Avro by fastavro as one writes it by hand.

    python -m tests.bench.formats

No Kafka: µs of CPU per record in chunks of 10,000, best of nine rounds. All formats must read what was written.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from serde import for_type
from tests.bench.reference import decode_avro, encode_avro
from tests.bench.workload import Event, Taxed, add_vat, events

RECORDS = 10_000


def main() -> None:
    read = msgspec.json.Decoder(Event).decode
    given = [read(value) for _, value, _ in events(RECORDS)]
    taxed = [add_vat(event) for event in given]
    print("            read  write  bytes")
    for name in ("json", "msgpack", "avro"):
        reads, writes = for_type(Event, name), for_type(Taxed, name)
        written = reads.serialize_many(given)
        if reads.deserialize_many(written) != given:
            raise SystemExit(f"{name} reads something else than was written.")
        _tell(name, lambda r=reads, w=written: r.deserialize_many(w), lambda w=writes: w.serialize_many(taxed), written)
    written = for_type(Event, "avro").serialize_many(given)
    if [decode_avro(data) for data in written if data] != given:
        raise SystemExit("fastavro reads something else than was written.")
    by_hand: Any = lambda: [decode_avro(data) for data in written if data]
    _tell("fastavro", by_hand, lambda: [encode_avro(value) for value in taxed], written)


def _tell(name: str, read: Callable[[], object], write: Callable[[], object], written: Sequence[bytes | None]) -> None:
    size = sum(len(data or b"") for data in written) / RECORDS
    print(f"{name:10} {_cost(read):6.2f} {_cost(write):6.2f} {size:6.0f}", flush=True)


def _cost(run: Callable[[], object]) -> float:
    costs = []
    for _ in range(9):
        before = time.process_time()
        run()
        costs.append(time.process_time() - before)
    return min(costs) / RECORDS * 1e6


if __name__ == "__main__":
    main()
