"""The problems that there are, on paper."""

from collections.abc import Sequence

from evolve.overview import Overview
from evolve.report import tables
from evolve.text import brief

_LONGEST = 600


def describe(rows: Sequence[Overview]) -> str:
    """Returns problems side by side; below, what scores rest on where that is no simulation, and what some lack."""
    headings = ("problem", "decision", "objective", "baselines", "best baseline", "gap closed", "s/evaluation")
    bases = [f"{row.problem}: {line}" for row in rows for line in tables.basis(row.basis)]
    lacks = [f"not ready: {brief(row.unready, _LONGEST)}" for row in rows if row.unready]
    return "\n".join([tables.table(headings, [_cells(row) for row in rows], left=3), *bases, *lacks])


def _cells(row: Overview) -> tuple[str, ...]:
    return (
        row.problem,
        row.about,
        f"{row.objective} ({row.direction})",
        str(row.baselines),
        "not ready" if row.unready else f"{row.best_baseline} {tables.number(row.best_score)}",
        tables.share(row.gap),
        tables.number(row.seconds, 2),
    )
