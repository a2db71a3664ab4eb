"""Round robin: each model, in the order given, to the GPU that has waited longest, of those with room."""


def place(gpus, models):
    free = list(gpus)
    waiting = list(range(len(gpus)))
    plan = []
    for model in models:
        gpu = next(gpu for gpu in waiting if free[gpu] > model["size"])
        waiting.remove(gpu)
        waiting.append(gpu)
        plan.append(gpu)
        free[gpu] -= model["size"]
    return plan
