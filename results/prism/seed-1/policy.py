"""Local search (after Finn & Horowitz 1979): greedy on the result, then interchange with the fullest GPU.

A model of the fullest GPU goes to one of the least pressed GPUs, or changes places with a model there: of all such
changes the one that leaves the fuller of the two GPUs least pressed, as long as that relieves the fullest.
"""

from collections import defaultdict

STEPS = 321
PARTNERS = 28


def place(gpus, models):
    sizes = defaultdict(int, enumerate(model["size"] for model in models))
    loads = defaultdict(float, enumerate(model["rate"] / model["slo"] for model in models))
    free = list(gpus)
    load = defaultdict(float)
    held = [[] for _ in gpus]
    for model in sorted(range(len(models)), key=lambda model: -loads[model]):
        fitting = [gpu for gpu in range(len(gpus)) if free[gpu] > sizes[model]]
        gpu = min(fitting, key=lambda gpu: (load[gpu] + loads[model]) / (free[gpu] + (sizes[model] + free[gpu])))
        held[gpu].append(model)
        load[gpu] += loads[model]
        free[gpu] -= sizes[model]

    for _ in range(STEPS):
        order = sorted(range(len(gpus)), key=lambda gpu: (load[gpu] - 3 * free[gpu]) / free[gpu])
        fullest = order.pop()
        best = load[fullest] / free[fullest]
        change = None
        for gpu in order[:PARTNERS]:
            for model in held[fullest]:
                for other in [None, *held[gpu]]:  # None: a move; it has neither load nor size
                    more = loads[model] - loads[other]
                    larger = sizes[model] - sizes[other]
                    if -free[fullest] < larger < free[gpu]:
                        here = (load[fullest] - (more - 0.0243 * more)) / (free[fullest] + larger)
                        there = (load[gpu] + more) / (free[gpu] - larger)
                        if max(here, there) < best:
                            best = max(here, there)
                            change = model, gpu, other, more, larger
        if change is None:
            break
        model, gpu, other, more, larger = change
        held[fullest].remove(model)
        held[gpu].append(model)
        if other is not None:
            held[gpu].remove(other)
            held[fullest].append(other)
        load[fullest] -= more
        load[gpu] += more
        free[fullest] += larger
        free[gpu] -= larger

    plan = {model: gpu for gpu in range(len(gpus)) for model in held[gpu]}
    return [plan[model] for model in range(len(models))]
