"""One run of one job on one system in a process of its own; prints its figures as one line of JSON."""

import json
import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from tests.bench.penstock import run_penstock
from tests.bench.reference import run_reference
from tests.bench.sampler import sampling

SYSTEMS = {"reference": run_reference, "penstock": run_penstock}


def main(system: str, job: str, bootstrap: str, topic: str, output: str, total: str, sampled: str) -> None:
    watching: Any = sampling() if sampled == "sampled" else nullcontext(Counter())
    with watching as samples:
        figures = SYSTEMS[system](job, bootstrap, topic, output, int(total))
    lines = [(file, line, n) for (file, line), n in samples.items()]
    print(json.dumps({**asdict(figures), "samples": lines}))


if __name__ == "__main__":
    main(*sys.argv[1:])
