"""Inputs for the programs, the ways of running them without Kafka, and how results are compared."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from framework.drivers.partitioner import partition_of
from framework.records import Record
from framework.testing import TestDriver
from tests.programs.language import PARTITIONS, Given, Program, build

FIRST_MS = 1_000_000
_KEYS = [f"k{i}" for i in range(12)]
Inputs = Mapping[str, list[Given]]
Result = Mapping[str, Any]


def inputs_of(programs: Iterable[Program], records: int = 300) -> Inputs:
    """The records of each program, in the order of sending.

    Those of ordered programs ascend in time; others are up to 300 ms out of order. At the end each partition of each
    input gets a record of a key that begins with z, a minute later: by that, the windows before it close.
    """
    return {program.name: _inputs(program, random.Random(program.name), records) for program in programs}


def _inputs(program: Program, dice: random.Random, records: int) -> list[Given]:
    given = []
    for i in range(records):
        time = FIRST_MS + 25 * i + (0 if program.is_ordered else dice.randrange(-300, 1))
        given.append(Given(dice.randrange(len(program.inputs)), dice.choice(_KEYS), dice.randrange(1, 1000), time))
    closing = FIRST_MS + 25 * records + 60_000
    for partition in range(PARTITIONS):
        key = next(k for k in (f"z{i}" for i in range(1000)) if partition_of(k.encode(), PARTITIONS) == partition)
        given += [Given(i, key, 1, closing + partition * 10 + i) for i in range(len(program.inputs))]
    return given


def by_driver(app_id: str, given: Inputs, **options: Any) -> dict[str, Result]:
    """The test driver; with `restarts` in the options it crashes so many times on the way."""
    restarts = options.pop("restarts", 0)
    app, programs = build(app_id)
    with TestDriver(app, partitions=PARTITIONS, **options) as driver:
        for program in programs:
            records = given[program.name]
            stops = {len(records) * (i + 1) // (restarts + 1) for i in range(restarts)}
            for place, record in enumerate(records):
                if place in stops:
                    driver.restart()
                driver.send(program.inputs[record.input], record.value, key=record.key, at=record.timestamp)
        return {program.name: compared(program, driver.records(program.output)) for program in programs}


def by_batch(app_id: str, given: Inputs) -> dict[str, Result]:
    """`app.batch`."""
    app, programs = build(app_id)
    rows: dict[Any, list[Any]] = {topic: [] for program in programs for topic in program.inputs}
    for program in programs:
        for record in given[program.name]:
            rows[program.inputs[record.input]].append((record.key, record.value, record.timestamp))
    outputs = app.batch(rows)
    return {program.name: compared(program, outputs.records(program.output)) for program in programs}


def compared(program: Program, records: Iterable[Record]) -> Result:
    """What must be the same: final records as often as they came, else the last value of each key."""
    known = [record for record in records if not str(record.key).startswith("z")]
    if program.only_final:
        return Counter((str(r.key), str(r.value), r.timestamp_ms) for r in known)  # type: ignore[return-value]
    return {str(r.key): r.value for r in {r.key: r for r in known}.values() if r.value is not None}
