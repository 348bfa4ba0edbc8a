"""One run of one job on one system in a process of its own; prints its figures as one line of JSON."""

import json
import sys
from dataclasses import asdict
from typing import Any

from tests.bench import nexmark, quix, reference
from tests.bench.penstock import run_penstock
from tests.bench.quix import run_quix
from tests.bench.reference import run_reference
from tests.bench.sampler import Sampler
from tests.bench.stopwatch import Stopwatch
from tests.bench.streams import run_streams
from tests.bench.workload import JOBS, Inputs

_ALL = JOBS + nexmark.JOBS
SYSTEMS = {"reference": reference.JOBS, "streams": _ALL, "quix": quix.JOBS, "penstock": _ALL}
"""Those that are measured, and the jobs that each does."""


def main(system: str, job: str, bootstrap: str, output: str, how: str, inputs: str) -> None:
    kind = nexmark.NexmarkInputs if job in nexmark.JOBS else Inputs
    given: Any = kind(**json.loads(inputs))
    samples: list[Any] = []
    if system in ("streams", "quix"):
        run = run_streams if system == "streams" else run_quix
        figures = run(job, bootstrap, given, output)
    else:
        sampler = Sampler()
        watch = Stopwatch(given.records(job))
        if how == "sampled":
            watch = Stopwatch(given.records(job), sampler.start, sampler.stop)
        figures = (run_reference if system == "reference" else run_penstock)(job, bootstrap, given, output, watch)
        samples = [(file, line, n) for (file, line), n in sampler.samples.items()]
    print(json.dumps({**asdict(figures), "samples": samples}))


if __name__ == "__main__":
    main(*sys.argv[1:])
