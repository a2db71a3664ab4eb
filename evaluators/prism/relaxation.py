"""A limit on the largest pressure of any placement, for clusters too large for the exact optimum.

If every pressure is at most k, the models pack into as many bins as there are GPUs: with
``x = (rate / slo / k + size) / 80`` the x of a GPU's models sum to at most 1.  So whatever bounds the number of bins
from below also refutes targets k.  Here it is L2 of Martello & Toth (1990): for any 0 <= e <= 1/2 let

    h(x) = 0 if x < e;  x if e <= x <= 1 - e;  1 if x > 1 - e.

In each bin the h sum to at most 1: beside an item above 1 - e there is room only for items below e, which count 0, and
without one h(x) <= x.  Hence k is refuted if the h of all models sum to more than the number of GPUs.  With e = 0 this
is the bound of the mean: all load over all free memory; with e = 1/2 it counts models that need a GPU each.  As k
grows every x and h falls, so the refuted targets are an interval, and bisection finds its end.
"""

import numpy as np

from workloads.model_placements import MEMORY, Cluster

_ROUNDING = 1e-9  # weights are lowered and the number of GPUs raised by this share, far more than floats are off
_STEPS = 32


def relaxation(cluster: Cluster) -> float:
    """Returns a pressure that the fullest GPU of no legal plan is below, after a millisecond of work."""
    load = np.array([model.rate / model.slo for model in cluster.models])
    size = np.array([float(model.size) for model in cluster.models])
    mean = load.sum() / (MEMORY * cluster.gpus - size.sum())
    low = max(mean, (load / (MEMORY - size)).max()) * (1 - _ROUNDING)
    high = load.sum()  # a GPU of a legal plan has a gigabyte left at least
    for _ in range(_STEPS):
        target = np.sqrt(low * high)
        if _bins((load / target + size) / MEMORY * (1 - _ROUNDING)) > cluster.gpus * (1 + _ROUNDING):
            low = target
        else:
            high = target
    return float(low)


def _bins(x: np.ndarray) -> float:
    """Returns the largest sum of h over all thresholds e: as e rises to the next x, or to 1/2, no h falls."""
    x = np.sort(x)
    total = np.concatenate([[0.0], np.cumsum(x)])
    thresholds = np.append(x[x <= 0.5], 0.5)
    small = np.searchsorted(x, thresholds, side="left")
    not_big = np.searchsorted(x, 1 - thresholds, side="right")
    return float((len(x) - not_big + total[not_big] - total[small]).max())
