"""MULTIFIT (Coffman, Garey & Johnson 1978): first fit decreasing at a bisected target pressure.

At a target pressure k a model takes its size, and rate / SLO / k for its cache, so a plan that keeps the target is a
packing.  First fit decreasing looks for one; the plan of the lowest target at which it succeeds counts.
"""

import math

ROUNDS = 14


def place(gpus, models):
    sizes = [model["size"] for model in models]
    loads = [model["rate"] / model["slo"] for model in models]
    low = sum(loads) / (sum(gpus) - sum(sizes))
    high = sum(loads)  # where the caches of all models together take one gigabyte
    best = first_fit(gpus, sizes, loads, high)
    for _ in range(ROUNDS):
        target = math.sqrt(low * high)
        plan = first_fit(gpus, sizes, loads, target)
        if plan is None:
            low = target
        else:
            high = target
            best = plan
    return best


def first_fit(gpus, sizes, loads, target):
    """Returns a plan with every pressure below the target, or None if first fit decreasing finds none."""
    lengths = [load / target + size for load, size in zip(loads, sizes, strict=True)]
    left = list(gpus)
    plan = {}
    for model in sorted(range(len(lengths)), key=lambda model: -lengths[model]):
        gpu = next((gpu for gpu in range(len(gpus)) if left[gpu] > lengths[model]), None)
        if gpu is None:
            return None
        plan[model] = gpu
        left[gpu] -= lengths[model]
    return [plan[model] for model in range(len(lengths))]
