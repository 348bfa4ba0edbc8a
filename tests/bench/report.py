"""What was measured, as a table and as a file."""

import json
import statistics
from pathlib import Path
from typing import Any

from rich.table import Table

RESULTS = Path("bench/results.json")
Run = dict[str, Any]
Runs = dict[tuple[str, str], list[Run]]
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
