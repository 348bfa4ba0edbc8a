"""One run of one job on one system in a process of its own; prints its figures as one line of JSON."""

import json
import sys
from dataclasses import asdict

from tests.bench.penstock import run_penstock
from tests.bench.reference import run_reference
from tests.bench.sampler import Sampler
from tests.bench.stopwatch import Stopwatch

SYSTEMS = {"reference": run_reference, "penstock": run_penstock}


def main(system: str, job: str, bootstrap: str, topic: str, output: str, total: str, how: str) -> None:
    sampler = Sampler()
    is_sampled = how == "sampled"
    watch = Stopwatch(int(total), sampler.start, sampler.stop) if is_sampled else Stopwatch(int(total))
    figures = SYSTEMS[system](job, bootstrap, topic, output, watch)
    lines = [(file, line, n) for (file, line), n in sampler.samples.items()]
    print(json.dumps({**asdict(figures), "samples": lines}))


if __name__ == "__main__":
    main(*sys.argv[1:])
