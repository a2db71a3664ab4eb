"""Greedy by KV pressure (Yu et al., "Prism", arXiv 2505.04021): the busiest model to the least pressed GPU.

Models by rate / SLO, descending; each goes to the GPU that is pressed least at that time, of those with room.
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
        gpu = min(fitting, key=lambda gpu: load[gpu] / free[gpu])
        plan[model] = gpu
        load[gpu] += loads[model]
        free[gpu] -= sizes[model]
    return [plan[model] for model in range(len(models))]
