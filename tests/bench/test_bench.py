"""The two systems of the benchmark do the same work, on few records."""

import uuid
from typing import Any

import pytest

from tests.bench.outputs import fingerprint, is_right
from tests.bench.penstock import run_penstock
from tests.bench.reference import run_reference
from tests.bench.stopwatch import Stopwatch
from tests.bench.workload import load

RECORDS = 3_000


@pytest.mark.kafka
@pytest.mark.parametrize("job", ["map", "count", "window"])
def test_bench_both_systems_write_the_same(kafka: Any, job: str) -> None:
    tag = uuid.uuid4().hex[:8]
    source = f"clicks-{tag}"
    per_user = load(kafka.bootstrap, source, RECORDS)
    found = []
    for run in (run_reference, run_penstock):
        output = f"{run.__name__}-{tag}"
        assert run(job, kafka.bootstrap, source, output, Stopwatch(RECORDS)).rate > 0
        found.append(fingerprint(job, kafka.bootstrap, output))
    assert is_right(job, found[0], per_user)
    assert found[0] == found[1]
