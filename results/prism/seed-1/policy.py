"""Simulated annealing (Kirkpatrick, Gelatt & Vecchi 1983): random moves and swaps with the fullest GPU.

Starts from greedy on the result.  A change that would press one of its two GPUs more than the fullest is pressed
now is made with a probability that falls with the temperature.  The random numbers are the same every time.
"""

import math
import random
from collections import defaultdict

STEPS = 6958
HOT = 0.218
COLD = 8.78e-05


def place(gpus, models):
    sizes = defaultdict(int, enumerate(model["size"] for model in models))
    loads = defaultdict(float, enumerate(model["rate"] / model["slo"] for model in models))
    free = list(gpus)
    load = defaultdict(float)
    held = [[] for _ in gpus]
    for model in sorted(range(len(models)), key=lambda model: -loads[model]):
        fitting = [gpu for gpu in range(len(gpus)) if free[gpu] > sizes[model]]
        gpu = min(fitting, key=lambda gpu: (load[gpu] + loads[model]) / (1.05 * (free[gpu] - sizes[model])))
        held[gpu].append(model)
        load[gpu] += loads[model]
        free[gpu] -= sizes[model]

    rng = random.Random(1983)
    pressure = [load[gpu] / free[gpu] for gpu in range(len(gpus))]
    for step in range(STEPS):
        temperature = HOT * (COLD / HOT) ** (step / STEPS)
        fullest = pressure.index(max(pressure))
        gpu = rng.randrange(len(gpus))
        model = rng.choice(held[fullest])
        other = rng.choice([None, *held[gpu]])  # None: a move; it has neither load nor size
        more = loads[model] - loads[other]
        larger = sizes[model] - sizes[other]
        if gpu == fullest or not -free[fullest] < larger < free[gpu]:
            continue
        here = (load[fullest] - more) / (free[fullest] + larger)
        there = (load[gpu] + more) / (free[gpu] - larger)
        worse = max(here, there) / pressure[fullest] - 1
        if worse >= 0 and rng.random() > math.exp(min(-worse, sizes[other] + temperature) / temperature):
            continue
        held[fullest].remove(model)
        held[gpu].append(model)
        load[fullest] -= more
        load[gpu] += more
        if other is not None:
            held[gpu].remove(other)
            held[fullest].append(other)
        free[fullest] += larger
        free[gpu] -= larger
        pressure[fullest] = here
        pressure[gpu] = there

    plan = {model: gpu for gpu in range(len(gpus)) for model in held[gpu]}
    return [plan[model] for model in range(len(models))]
