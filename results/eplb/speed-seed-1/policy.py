"""All layers at once: replicas by a bisected threshold, packed in rounds, by a mean that leans on the last window.

The load per slot t is bisected until ceil(load / t) slots for each expert are just few enough, which comes to giving
the next replica to the largest load per replica as DeepSeek's EPLB (2025) does; slots that are left go to the largest.
Replicas are packed from the heaviest on, in rounds of one for each GPU: the heaviest to the GPU with the least so far.
"""

import numpy as np

STEPS = 3
RECENT = 0.177


def rebalance(history, previous, slots, gpus, nodes, groups):
    windows, layers, experts = history.shape
    weights = RECENT ** np.arange(windows - 1, -1, -1, dtype=np.float32)
    load = (weights[:, None, None] * history).sum(0) + np.float32(0.000241)  # an expert without load needs a slot too

    low = load.sum(1, keepdims=True) / np.float32(slots)
    high = load.max(1, keepdims=True)
    for _ in range(STEPS):
        middle = (low + high) / np.float32(4)
        enough = np.ceil(load / middle).sum(1, keepdims=True) <= slots
        high = np.where(enough, middle, high)
    count = np.ceil(load / high)
    left = slots - count.sum(1, keepdims=True)

    heaviest = np.argsort(-load / count, axis=1)
    heaviest += experts * np.arange(layers)[:, None]
    repeats = count.ravel()[heaviest]
    repeats += np.arange(experts) < left
    share = load.ravel()[heaviest] / repeats
    repeats = repeats.ravel().astype(np.int64)
    expert = np.repeat(heaviest.ravel() % experts, repeats).reshape(layers, -1, gpus)
    weight = np.repeat(share.ravel(), repeats).reshape(expert.shape)

    total = weight[:, 0].copy()
    placed = np.empty_like(expert)
    placed[:, 0] = expert[:, 0]
    every = np.arange(layers)[:, None]
    for turn in range(1, slots // gpus):
        lightest = np.argsort(total, axis=1)
        placed[every, turn, lightest] = expert[:, turn]
        total[every, lightest] += weight[:, turn]
    return placed.transpose(0, 2, 1).reshape(layers, slots)
