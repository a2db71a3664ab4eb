"""Longest processing time first (Graham 1969), where a model's length is the memory that it takes in the end.

At a pressure k on every GPU a model takes its size, and rate / SLO / k for its cache; k is the pressure that there
would be on average.  The longest model goes to the GPU with the least taken, of those with room.
"""

from collections import defaultdict


def place(gpus, models):
    sizes = [model["size"] for model in models]
    loads = [model["rate"] / model["slo"] for model in models]
    mean = sum(loads) / (sum(gpus) - sum(sizes))
    lengths = [load / mean + size for load, size in zip(loads, sizes, strict=True)]
    free = list(gpus)
    taken = defaultdict(float)
    plan = {}
    for model in sorted(range(len(models)), key=lambda model: -lengths[model]):
        fitting = [gpu for gpu in range(len(gpus)) if free[gpu] > sizes[model]]
        gpu = min(fitting, key=lambda gpu: taken[gpu])
        plan[model] = gpu
        taken[gpu] += lengths[model]
        free[gpu] -= sizes[model]
    return [plan[model] for model in range(len(models))]
