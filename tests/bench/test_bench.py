"""The systems of the benchmark do the same work, on few records."""

import uuid
from typing import Any

import pytest

from tests.bench import nexmark, reference
from tests.bench.outputs import expected, fingerprint
from tests.bench.penstock import run_penstock
from tests.bench.reference import run_reference
from tests.bench.stopwatch import Stopwatch
from tests.bench.workload import JOBS, Inputs, load

RECORDS = 3_000
pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def inputs(kafka: Any) -> Inputs:
    return load(kafka.bootstrap, RECORDS)


@pytest.mark.parametrize("job", JOBS)
def test_bench_penstock_writes_what_the_job_comes_to(kafka: Any, inputs: Inputs, job: str) -> None:
    output = f"penstock-{job}-{uuid.uuid4().hex[:8]}"
    assert run_penstock(job, kafka.bootstrap, inputs, output, Stopwatch(inputs.records(job))).rate > 0
    found = fingerprint("penstock", job, kafka.bootstrap, output)
    assert found == (expected(job, RECORDS) or found)
    assert found


@pytest.fixture(scope="module")
def site(kafka: Any) -> nexmark.NexmarkInputs:
    return nexmark.load(kafka.bootstrap, RECORDS)


@pytest.mark.parametrize("job", ["q1", "q4", "q8"])
def test_bench_penstock_answers_a_query_of_nexmark(kafka: Any, site: nexmark.NexmarkInputs, job: str) -> None:
    output = f"penstock-{job}-{uuid.uuid4().hex[:8]}"
    assert run_penstock(job, kafka.bootstrap, site, output, Stopwatch(site.records(job))).rate > 0
    assert nexmark.fingerprint(job, kafka.bootstrap, output) == nexmark.what_it_comes_to(job, RECORDS)


@pytest.mark.parametrize("job", reference.JOBS)
def test_bench_reference_writes_what_the_job_comes_to(kafka: Any, inputs: Inputs, job: str) -> None:
    output = f"reference-{job}-{uuid.uuid4().hex[:8]}"
    assert run_reference(job, kafka.bootstrap, inputs, output, Stopwatch(inputs.records(job))).rate > 0
    assert fingerprint("reference", job, kafka.bootstrap, output) == expected(job, RECORDS)
