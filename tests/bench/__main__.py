"""`python -m tests.bench`: load topics, run each job on each system by turns, check, and print what was measured.

A machine that does other things beside makes single figures worthless; so the systems alternate, each run has a process
of its own, medians are taken, and only ratios within one call of this program mean anything.
"""

import argparse
import json
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from framework.broker import EmbeddedKafka
from tests.bench import nexmark, plot
from tests.bench.nexmark import NexmarkInputs
from tests.bench.outputs import expected, fingerprint
from tests.bench.report import Runs, budget_report, mean_report, save, table
from tests.bench.sampler import top_table
from tests.bench.single import SYSTEMS
from tests.bench.workload import JOBS, Inputs, load

BROKER_HEAP_MB = 1024
RUN_TIMEOUT_S = 600
QUIX_SHARE = 10  # it gets one of so many records
_WIDTH = 150  # of the table, also where no terminal is


class Bench:
    """Topics, loaded when a job first needs them, and what their runs have shown."""

    def __init__(self, bootstrap: str, records: int, console: Console) -> None:
        self.bootstrap, self.records, self.console = bootstrap, records, console
        self._inputs: dict[bool, Inputs | NexmarkInputs] = {}
        self.agreed: dict[str, object | None] = {}

    def inputs(self, job: str) -> Inputs | NexmarkInputs:
        is_query = job in nexmark.JOBS
        if is_query not in self._inputs:
            self.console.print(f"loading {self.records:,} {'events of NEXMark' if is_query else 'records'}")
            self._inputs[is_query] = (nexmark.load if is_query else load)(self.bootstrap, self.records)
        return self._inputs[is_query]

    def run(self, system: str, job: str, *, is_sampled: bool = False) -> dict[str, Any]:
        """One run, whose output has been found right.

        Raises:
            SystemExit: it is wrong, or the run failed.
        """
        output = f"{system}-{job}-{uuid.uuid4().hex[:8]}"
        command = [
            sys.executable, "-m", "tests.bench.single", system, job, self.bootstrap, output,
            "sampled" if is_sampled else "plain", json.dumps(asdict(self.inputs(job))),
        ]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT_S, check=False)
        if done.returncode:
            raise SystemExit(f"{system} {job}: the run failed with exit code {done.returncode}.")
        self._check(system, job, output)
        run: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        self.console.print(f"{system} {job}: {run['rate']:,.0f} records/s, {run['cpu_us']:.2f} µs CPU per record")
        return run

    def _check(self, system: str, job: str, output: str) -> None:
        if job in nexmark.JOBS:
            expects, found = nexmark.what_it_comes_to, nexmark.fingerprint(job, self.bootstrap, output)
        else:
            expects, found = expected, fingerprint(system, job, self.bootstrap, output)
        if job not in self.agreed:
            self.agreed[job] = expects(job, self.records)
        if self.agreed[job] is None:
            self.agreed[job] = found
        if found != self.agreed[job]:
            raise SystemExit(f"{system} {job}: its output is wrong, so its figures do not count.")


def main() -> None:
    arguments = _arguments()
    console = Console()
    console.width = max(console.width, _WIDTH)
    with EmbeddedKafka(heap_mb=BROKER_HEAP_MB) as broker:
        bench = Bench(broker.bootstrap, arguments.records, console)
        if arguments.profile:
            run = bench.run(arguments.systems[-1], arguments.profile, is_sampled=True)
            console.print(top_table(run["samples"], f"{arguments.profile}: where the time goes"))
            return
        small = Bench(broker.bootstrap, arguments.records // QUIX_SHARE, console)
        runs: Runs = {(job, s): [] for job in _jobs(arguments.jobs) for s in arguments.systems if job in SYSTEMS[s]}
        for _ in range(arguments.rounds):
            for (job, system), done in runs.items():
                if system != "quix" or not done:
                    done.append((small if system == "quix" else bench).run(system, job))
    console.print(table(runs, arguments.records))
    save(runs, arguments.records)
    console.print(_plot(runs, arguments.records))
    for line in mean_report(runs, nexmark.JOBS) + budget_report(runs):
        console.print(line)


def _plot(runs: Runs, records: int) -> str:
    try:
        plot.draw(runs, records)
    except ImportError:
        return f"no picture, since matplotlib is missing; `make bench` installs it, and writes {plot.PLOT}"
    return f"picture: {plot.PLOT}"


def _jobs(names: Sequence[str]) -> list[str]:
    return [job for name in names for job in (nexmark.JOBS if name == "nexmark" else (name,))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    jobs = (*JOBS, *nexmark.JOBS)
    parser.add_argument(
        "--jobs", nargs="+", choices=(*jobs, "nexmark"), default=JOBS, metavar="JOB",
        help=f"{', '.join(jobs)}; nexmark: all its queries (default: those before q0)",
    )  # fmt: skip
    parser.add_argument("--systems", nargs="+", choices=tuple(SYSTEMS), default=tuple(SYSTEMS))
    parser.add_argument("--profile", choices=jobs, metavar="JOB", help="instead, sample one run of the last system")
    return parser.parse_args()


if __name__ == "__main__":
    main()
