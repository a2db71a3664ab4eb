"""A row of ``make bench``: a promise, our figure, the comparison and the ratio."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One promise: ``kept`` compares the ratio (or the figure, where there is no ratio) with the limit."""

    promise: str
    ours: str
    comparison: str
    ratio: str
    limit: str
    kept: bool


def spread(ratios: list[float]) -> str:
    """Returns the median of ratios with their quartiles."""
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"
