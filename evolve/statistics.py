"""How much better, and how sure: ratios, geometric means, paired bootstrap, share of a gap closed."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

DRAWS = 4000
EQUAL = 1e-9
"""Ratios that differ from one by less are one: what is left is rounding."""

_EXACT = 14
"""Stretches of which all ways to change signs are counted."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A geometric mean of per-case ratios with its 95% interval."""

    mean: float
    low: float
    high: float
    stretches: int

    @property
    def above_one(self) -> bool:
        """Whether the interval excludes one from below; a single stretch of data shows nothing."""
        return self.low > 1.0 and self.stretches > 1


def ratio(value: float, other: float, direction: Literal["minimize", "maximize"]) -> float:
    """Returns how many times better ``value`` is than ``other``; both positive."""
    return other / value if direction == "minimize" else value / other


def geometric_mean(ratios: Sequence[float]) -> float:
    """Returns the geometric mean of positive ratios, at least one."""
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))


def paired_bootstrap(ratios: Sequence[float], stretches: Sequence[Hashable], seed: int = 0) -> Interval:
    """Returns the geometric mean of paired ratios with a percentile interval.

    Whole *stretches* of independent data are drawn with replacement, so cases that overlap count
    once (Efron & Tibshirani 1993, ch. 8 and 13; clusters as in Davison & Hinkley 1997, s. 3.8).
    """
    import numpy as np

    codes: dict[Hashable, int] = {}
    members = [codes.setdefault(stretch, len(codes)) for stretch in stretches]
    sums = np.bincount(members, weights=np.log(np.asarray(ratios)))
    counts = np.bincount(members)
    drawn = np.random.default_rng(seed).integers(0, len(codes), size=(DRAWS, len(codes)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(geometric_mean(ratios), math.exp(low), math.exp(high), len(codes))


def sign_flip(ratios: Sequence[float], stretches: Sequence[Hashable], seed: int = 0) -> float:
    """Returns the two-sided p-value of paired ratios whose logarithms might as well have the other sign.

    The randomisation test of Fisher 1935 ("The Design of Experiments", s. 21), where whole stretches change sign: exact
    for few of them, else by draws.  On few cases it claims less than a bootstrap does.
    """
    import numpy as np

    codes: dict[Hashable, int] = {}
    members = [codes.setdefault(stretch, len(codes)) for stretch in stretches]
    sums = np.bincount(members, weights=np.log(np.asarray(ratios)))
    sums = sums[np.abs(sums) > EQUAL]
    if len(sums) <= _EXACT:
        signs = 1 - 2 * ((np.arange(1 << len(sums))[:, None] >> np.arange(len(sums))) & 1)
    else:
        signs = np.random.default_rng(seed).choice((-1, 1), size=(5 * DRAWS, len(sums)))
        signs[0] = 1  # what was seen is one of the draws
    return float(np.mean(np.abs(signs @ sums) >= abs(sums.sum()) - EQUAL))


def holm(values: Sequence[float]) -> list[float]:
    """Returns p-values that hold for all of them together (Holm 1979)."""
    adjusted, largest = [1.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted


def gap_closed(reference: Sequence[float], policy: Sequence[float], bound: Sequence[float]) -> float | None:
    """Returns the share of the distance from the reference to the bound, on totals; None if there is none."""
    distance = math.fsum(reference) - math.fsum(bound)
    return (math.fsum(reference) - math.fsum(policy)) / distance if distance else None
