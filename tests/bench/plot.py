"""The results as a picture, `bench/results.svg`: a row for each job, with records per second and CPU per record."""

from pathlib import Path
from typing import Any

from tests.bench.report import RESULTS, Runs, median

PLOT = RESULTS.with_suffix(".svg")
# From a palette that people with colour blindness tell apart too (Okabe, Ito).
_COLOURS = {"penstock": "#0072b2", "reference": "#999999", "streams": "#e69f00", "quix": "#cc79a7"}
_FIGURES = (("rate", "records/s (more is better)"), ("cpu_us", "µs CPU per record (less is better)"))
_BAR_INCHES, _ROW_INCHES = 0.19, 0.3
_ROOM = 1.3  # of an axis by its longest bar, for the figure behind it


def draw(runs: Runs, records: int, path: Path = PLOT) -> None:
    """Write the picture: bars are medians, the lines on them go from the lowest run to the highest.

    Raises:
        ImportError: matplotlib is not installed; `make bench` does.
    """
    from matplotlib.figure import Figure

    jobs = {job: [system for j, system in runs if j == job] for job, _ in runs}
    heights = [len(systems) * _BAR_INCHES + _ROW_INCHES for systems in jobs.values()]
    figure = Figure(figsize=(11, sum(heights) + 1.1), layout="constrained")
    figure.suptitle(f"{records:,} records (Quix: a tenth); bars: medians, lines: lowest to highest run", fontsize=11)
    rows = figure.subplots(len(jobs), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
    for (job, systems), row in zip(jobs.items(), rows, strict=True):
        for (name, _), axes in zip(_FIGURES, row, strict=True):
            _bars(axes, name, {system: runs[job, system] for system in systems})
        row[0].set_ylabel(job, rotation=0, ha="right", va="center", fontweight="bold", labelpad=12)
    for (_, title), axes in zip(_FIGURES, rows[0], strict=True):
        axes.set_title(title, fontsize=10)
    figure.align_ylabels(rows[:, 0])
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)


def _bars(axes: Any, name: str, runs: dict[str, list[dict[str, Any]]]) -> None:
    most = max(run[name] for mine in runs.values() for run in mine)
    for place, (system, mine) in enumerate(runs.items()):
        middle, values = median(mine, name), [run[name] for run in mine]
        axes.barh(place, middle, color=_COLOURS[system], height=0.8)
        axes.plot([min(values), max(values)], [place, place], color="black", linewidth=1)
        text = f"{middle:,.0f}" if name == "rate" else f"{middle:.2f}"
        axes.text(max(values) + most * 0.015, place, text, va="center", fontsize=8)
    axes.set_yticks(range(len(runs)), list(runs), fontsize=8)
    axes.set_ylim(len(runs) - 0.4, -0.6)
    axes.set_xlim(0, most * _ROOM)
    axes.tick_params(axis="x", labelsize=7, length=2)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
