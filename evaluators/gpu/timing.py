"""Turns samples of a kernel's time into a timing.

A GPU's clock follows its temperature and its power, so that the same kernel may take 30% more a second later.  Each
sample of a kernel is therefore taken in turns with one of a fixed configuration, the *anchor*, on the same shape: what
slows both cancels out of their ratio.  The anchor's *settled* median, taken once for a shape, turns ratios back into
microseconds.
"""

from collections.abc import Sequence
from statistics import median

from evaluators.gpu.bench import Status, Timing

LEAST_REPEATS = 3
MOST_REPEATS = 25
STEADY = 0.05
"""Up to this spread a timing stands as it is.  Beyond, the series drifts, was disturbed, or has modes far apart:
more of it is needed, for the median of few samples with two modes may be either."""

SETTLING = 5
"""Samples whose median is compared with that of as many before them."""

SETTLED = 0.01


def corrected(kernel: Sequence[float], anchor: Sequence[float], settled: float) -> Timing:
    """Returns the timing of a kernel from samples in microseconds that were taken in turns with the anchor's.

    Its median is that of the ratios of a sample to the anchor's of the same turn, times ``settled``, the anchor's own
    median; half the interquartile range of the ratios over their median is its spread.

    Raises:
        ValueError: fewer than three turns, unequally many samples, or one that is not above zero.
    """
    if len(kernel) != len(anchor) or len(kernel) < LEAST_REPEATS:
        raise ValueError(f"expected samples of at least {LEAST_REPEATS} turns, got {len(kernel)} and {len(anchor)}")
    if not min(*kernel, *anchor, settled) > 0:
        raise ValueError("expected times above zero; an event of the GPU was read before it had happened")
    ratios = [own / other for own, other in zip(kernel, anchor, strict=True)]
    middle = median(ratios)
    return Timing(Status.OK, middle * settled, _quartile_range(ratios) / 2 / middle, len(ratios))


def is_steady(timing: Timing) -> bool:
    """Says whether a timing's spread is small enough to stop there."""
    return timing.spread <= STEADY


def repeats(microseconds: float, budget_ms: float) -> int:
    """Returns how many turns that take so long fit a budget: a slow configuration gets fewer, but three at least."""
    fitting = int(budget_ms * 1000 / microseconds) if microseconds > 0 else MOST_REPEATS
    return max(LEAST_REPEATS, min(MOST_REPEATS, fitting))


def settled(anchor: Sequence[float]) -> float | None:
    """Returns the median of the anchor's latest samples; None while they still differ from those before them.

    A GPU that was idle runs its first kernels at another clock than those after a few milliseconds of work.
    """
    if len(anchor) < 2 * SETTLING:
        return None
    latest, before = median(anchor[-SETTLING:]), median(anchor[-2 * SETTLING : -SETTLING])
    return latest if abs(latest / before - 1) <= SETTLED else None


def _quartile_range(values: Sequence[float]) -> float:
    """Returns the distance of the quartiles, each interpolated between the two nearest values."""
    ordered = sorted(values)
    return _at(ordered, 0.75) - _at(ordered, 0.25)


def _at(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])
