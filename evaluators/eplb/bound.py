"""The balance that no placement can exceed, the loads of the next window known.

In a layer let t* be the smallest t with ``sum of max(1, ceil(load / t)) <= slots``.  Replicas of at most t need that
many slots, for an expert without load has one too.  So in every placement some slot carries t* at least, and so does
the GPU that it is on.  The fullest GPU has no less than the mean either.
"""

import numpy as np

_STEPS = 50
_ROUNDING = 1e-12  # quotients that are whole may come out a little larger


def most_balanced(loads: np.ndarray, slots: int, gpus: int) -> float:
    """Returns a balancedness that no placements for ``loads[windows, layers, experts]`` exceed."""
    rows = loads.reshape(-1, loads.shape[-1])
    mean = rows.sum(1) / gpus
    fullest = np.maximum(mean, least_slot_load(rows, slots)).sum()
    return float(min(1.0, mean.sum() / fullest)) if fullest else 1.0


def least_slot_load(rows: np.ndarray, slots: int) -> np.ndarray:
    """Returns just less than t* of each row of loads: by bisection, the largest t that is known to be too small."""
    low = rows.sum(1) / slots * (1 - 1e-9)  # the mean of all slots; just below it more slots are needed
    high = rows.max(1).astype(float)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        needed = np.maximum(np.ceil(rows / np.maximum(middle, 1e-300)[:, None]), 1)
        enough = needed.sum(1) <= slots
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return low * (1 - _ROUNDING)
