"""Local search (after Finn & Horowitz 1979): longest processing time first, then exchanges with the fullest GPU.

Replicas go to the largest load per replica, as in DeepSeek's EPLB (2025), and to the least loaded GPU with room
(Graham 1969).  In each step a replica on the fullest GPU of a layer changes places with one elsewhere: of all such
exchanges the one that leaves the fuller of the two GPUs least loaded, as long as that relieves the fullest.
"""

import heapq

import numpy as np

STEPS = 24


def rebalance(history, previous, slots, gpus, nodes, groups):
    load = history[-1].astype(float)
    slot, count = replicate(load, slots)
    share = np.take_along_axis(load / count, slot, 1)
    order = np.stack([packed(row, gpus) for row in share])
    placed = np.take_along_axis(slot, order, 1)
    weight = np.take_along_axis(share, order, 1)

    room = slots // gpus
    gpu_of_slot = np.arange(slots) // room
    every = np.arange(len(load))
    for _ in range(STEPS):
        total = weight.reshape(-1, gpus, room).sum(2)
        fullest = total.argmax(1)
        ours = fullest[:, None] * room + np.arange(room)
        more = np.take_along_axis(weight, ours, 1)[:, :, None] - weight[:, None, :]
        most = total[every, fullest][:, None, None]
        left = np.maximum(most - more, total[:, None, gpu_of_slot] + more)
        left = np.where(gpu_of_slot == fullest[:, None, None], most, left).reshape(len(load), -1)
        best = left.argmin(1)
        one = ours[every, best // slots]
        other = best % slots
        if (left[every, best] >= total[every, fullest]).all():
            break
        for rows in (placed, weight):
            rows[every, one], rows[every, other] = rows[every, other], rows[every, one]
    return placed


def replicate(load, slots):
    """Returns the expert of each slot, one replica after another, and the replicas of each expert."""
    layers, experts = load.shape
    slot = np.tile(np.arange(slots) % experts, (layers, 1))
    count = np.ones((layers, experts))
    every = np.arange(layers)
    for index in range(experts, slots):
        hottest = (load / count).argmax(1)
        slot[:, index] = hottest
        count[every, hottest] += 1
    return slot, count


def packed(weights, gpus):
    """Returns the items of each GPU in turn: the heaviest first, to the lightest GPU with room."""
    held = [[] for _ in range(gpus)]
    lightest = [(0.0, gpu) for gpu in range(gpus)]
    for item in np.argsort(-weights, kind="stable"):
        total, gpu = heapq.heappop(lightest)
        held[gpu].append(item)
        if len(held[gpu]) < len(weights) // gpus:
            heapq.heappush(lightest, (total + weights[item], gpu))
    return np.concatenate(held)
