"""`python -m tests.bench`: load a topic, run each job on each system by turns, check, and print what was measured.

A machine that does other things beside makes single figures worthless; so the systems alternate, each run has a process
of its own, medians are taken, and only ratios within one call of this program mean anything.
"""

import argparse
import json
import statistics
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from framework.broker import EmbeddedKafka
from tests.bench.outputs import fingerprint, is_right
from tests.bench.sampler import top_table
from tests.bench.single import SYSTEMS
from tests.bench.workload import load

JOBS = ("map", "count", "window")
BROKER_HEAP_MB = 1024
RUN_TIMEOUT_S = 600
RESULTS = Path("bench/results.json")
_WIDTH = 130  # of the table, also where no terminal is
Run = dict[str, Any]


class Bench:
    """A loaded topic and what its runs have shown."""

    def __init__(self, bootstrap: str, records: int, console: Console) -> None:
        self.bootstrap, self.records, self.console = bootstrap, records, console
        self.topic = f"clicks-{uuid.uuid4().hex[:8]}"
        self.per_user: Counter[bytes] = load(bootstrap, self.topic, records)
        self.agreed: dict[str, object] = {}

    def run(self, system: str, job: str, *, is_sampled: bool = False) -> Run:
        """One run, whose output has been found right.

        Raises:
            SystemExit: it is wrong, or the run failed.
        """
        output = f"{system}-{job}-{uuid.uuid4().hex[:8]}"
        command = [
            sys.executable, "-m", "tests.bench.single", system, job, self.bootstrap, self.topic, output,
            str(self.records), "sampled" if is_sampled else "plain",
        ]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT_S, check=False)
        if done.returncode:
            raise SystemExit(f"{system} {job}: the run failed with exit code {done.returncode}.")
        found = fingerprint(job, self.bootstrap, output)
        if not is_right(job, found, self.per_user) or self.agreed.setdefault(job, found) != found:
            raise SystemExit(f"{system} {job}: its output is wrong, so its figures do not count.")
        run: Run = json.loads(done.stdout.splitlines()[-1])
        self.console.print(f"{system} {job}: {run['rate']:,.0f} records/s, {run['cpu_us']:.2f} µs CPU per record")
        return run


def main() -> None:
    arguments = _arguments()
    console = Console()
    console.width = max(console.width, _WIDTH)
    with EmbeddedKafka(heap_mb=BROKER_HEAP_MB) as broker:
        console.print(f"loading {arguments.records:,} records")
        bench = Bench(broker.bootstrap, arguments.records, console)
        if arguments.profile:
            run = bench.run(arguments.system, arguments.profile, is_sampled=True)
            console.print(top_table(run["samples"], f"{arguments.system} {arguments.profile}: where the time goes"))
            return
        runs: dict[tuple[str, str], list[Run]] = {(job, system): [] for job in arguments.jobs for system in SYSTEMS}
        for _ in range(arguments.rounds):
            for (job, system), done in runs.items():
                done.append(bench.run(system, job))
    console.print(_table(runs, arguments.records))
    _save(runs, arguments.records)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS)
    parser.add_argument("--profile", choices=JOBS, metavar="JOB", help="instead, sample one run of this job")
    parser.add_argument("--system", choices=tuple(SYSTEMS), default="penstock", help="which one to sample")
    return parser.parse_args()


def _table(runs: dict[tuple[str, str], list[Run]], records: int) -> Table:
    table = Table(title=f"{records:,} records, medians; ratio: to the reference, in this call")
    for column in ("job", "system", "ratio", "records/s", "lowest to highest", "CPU\nratio", "µs CPU\n/record",
                   "2nd half\nratio", "2nd half\nrecords/s", "2nd half\nµs CPU", "peak\nMB"):  # fmt: skip
        table.add_column(column, justify="left" if column in ("job", "system") else "right")
    for (job, system), mine in runs.items():
        base = runs[job, "reference"]
        rates = [run["rate"] for run in mine]
        table.add_row(
            job, system,
            f"{_median(mine, 'rate') / _median(base, 'rate'):.2f}", f"{_median(mine, 'rate'):,.0f}",
            f"{min(rates):,.0f} to {max(rates):,.0f}",
            f"{_median(mine, 'cpu_us') / _median(base, 'cpu_us'):.2f}", f"{_median(mine, 'cpu_us'):.2f}",
            f"{_median(mine, 'late_rate') / _median(base, 'late_rate'):.2f}", f"{_median(mine, 'late_rate'):,.0f}",
            f"{_median(mine, 'late_cpu_us'):.2f}", f"{_median(mine, 'peak_mb'):.0f}",
        )  # fmt: skip
    return table


def _median(runs: list[Run], figure: str) -> float:
    return statistics.median(run[figure] for run in runs)


def _save(runs: dict[tuple[str, str], list[Run]], records: int) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    rows = [
        {"job": job, "system": system, "records": records, **{k: v for k, v in run.items() if k != "samples"}}
        for (job, system), mine in runs.items()
        for run in mine
    ]
    RESULTS.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
