"""DeepSeek's global balancing (EPLB, DeepSeek-AI 2025): as the reference, but without groups and nodes.

The next replica goes to the expert with the largest load per replica, and the replicas go to all GPUs, the heaviest
first to the least loaded with room (longest processing time, Graham 1969).
"""

import numpy as np


def rebalance(history, previous, slots, gpus, nodes, groups):
    load = history[-1].astype(float)
    slot, count = replicate(load, slots)
    share = np.take_along_axis(load / count, slot, 1)
    order = np.argsort(pack(share, gpus), axis=1, kind="stable")
    return np.take_along_axis(slot, order, 1)


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


def pack(weights, packs):
    """Returns the pack of each item, equally many in each: the heaviest first, to the lightest pack with room."""
    rows, items = weights.shape
    room = items // packs
    found = np.zeros((rows, items), int)
    heaviest = np.argsort(-weights, axis=1, kind="stable")
    for row in range(rows):
        total = [0.0] * packs
        held = [0] * packs
        for item in heaviest[row]:
            pack = min((pack for pack in range(packs) if held[pack] < room), key=total.__getitem__)
            found[row, item] = pack
            total[pack] += weights[row, item]
            held[pack] += 1
    return found
