"""What was measured, as a table and as a file."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

RESULTS = Path("bench/results.json")
Run = dict[str, Any]
Runs = dict[tuple[str, str], list[Run]]
BUDGETS = {"map": 0.75, "count": 0.95, "window": 1.0}
"""CPU per record of a run of 200,000 records, by the reference's: what was measured when this was last changed."""
TOLERANCE = 1.2
_COLUMNS = (
    "job", "system", "records/s", "lowest to highest", "µs CPU\n/record", "2nd half\nrecords/s", "2nd half\nµs CPU",
    "peak\nMB", "penstock:\nrate", "penstock:\nCPU",
)  # fmt: skip


def table(runs: Runs, records: int) -> Table:
    """A row per job and system: medians, and what penstock's are of them."""
    found = Table(title=f"{records:,} records, medians; the last two columns: penstock's figure by this system's")
    for column in _COLUMNS:
        found.add_column(column, justify="left" if column in ("job", "system") else "right")
    for (job, system), mine in runs.items():
        rates = [run["rate"] for run in mine]
        ours = runs.get((job, "penstock"))
        found.add_row(
            job, system, f"{median(mine, 'rate'):,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}",
            f"{median(mine, 'cpu_us'):.2f}", f"{median(mine, 'late_rate'):,.0f}", f"{median(mine, 'late_cpu_us'):.2f}",
            f"{median(mine, 'peak_mb'):.0f}", _ratio(ours, mine, "rate"), _ratio(ours, mine, "cpu_us"),
        )  # fmt: skip
    return found


def budget_report(runs: Runs) -> list[str]:
    """A line for each job that has a budget: its CPU per record by the reference's, and whether that is too much.

    CPU, since that is the steadier figure; by the reference, since machines differ.
    """
    lines = []
    for job, budget in BUDGETS.items():
        if (job, "penstock") in runs and (job, "reference") in runs:
            ratio = median(runs[job, "penstock"], "cpu_us") / median(runs[job, "reference"], "cpu_us")
            told = "within" if ratio <= budget * TOLERANCE else "OVER"
            lines.append(
                f"{job}: {ratio:.2f} of the reference's CPU per record, {told} the budget of {budget:.2f} + 20 %"
            )
    return lines


def mean_report(runs: Runs, jobs: Sequence[str]) -> list[str]:
    """For each other system a line: the geometric mean of the ratios of rate and of CPU over the jobs both did."""
    lines = []
    for other in dict.fromkeys(system for _, system in runs if system != "penstock"):
        both = [job for job in jobs if (job, "penstock") in runs and (job, other) in runs]
        if len(both) > 1:
            rate, cpu = (
                statistics.geometric_mean(
                    median(runs[job, "penstock"], figure) / median(runs[job, other], figure) for job in both
                )
                for figure in ("rate", "cpu_us")
            )
            lines.append(
                f"penstock by {other}: {rate:.2f} times the rate at {cpu:.2f} of the CPU, "
                f"geometric mean of {len(both)} jobs ({', '.join(both)})"
            )
    return lines


def _ratio(ours: list[Run] | None, theirs: list[Run], figure: str) -> str:
    return f"{median(ours, figure) / median(theirs, figure):.2f}" if ours and ours is not theirs else ""


def median(runs: list[Run], figure: str) -> float:
    """The median of a figure."""
    return statistics.median(run[figure] for run in runs)


def save(runs: Runs, records: int) -> None:
    """Write all runs to `bench/results.json`."""
    RESULTS.parent.mkdir(exist_ok=True)
    rows = [
        {"job": job, "system": system, "records": records, **{k: v for k, v in run.items() if k != "samples"}}
        for (job, system), mine in runs.items()
        for run in mine
    ]
    RESULTS.write_text(json.dumps(rows, indent=1))
