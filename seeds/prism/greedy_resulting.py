"""Greedy on the result (list scheduling, Graham 1966): the busiest model to the GPU that it presses least.

As the reference, but what counts is the pressure with the model in place, so its size counts too.
"""

from collections import defaultdict


def place(gpus, models):
    sizes = [model["size"] for model in models]
    loads = [model["rate"] / model["slo"] for model in models]
    free = list(gpus)
    load = defaultdict(float)
    plan = {}
    for model in sorted(range(len(models)), key=lambda model: -loads[model]):
        fitting = [gpu for gpu in range(len(gpus)) if free[gpu] > sizes[model]]
        gpu = min(fitting, key=lambda gpu: (load[gpu] + loads[model]) / (free[gpu] - sizes[model]))
        plan[model] = gpu
        load[gpu] += loads[model]
        free[gpu] -= sizes[model]
    return [plan[model] for model in range(len(models))]
