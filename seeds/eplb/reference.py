"""DeepSeek's hierarchical balancing (EPLB, DeepSeek-AI 2025), by the loads of the last window.

Groups of experts go to nodes; in each node the next replica goes to the expert with the largest load per replica; the
replicas go to the node's GPUs.  Both packings take the heaviest first, to the least loaded with room (longest
processing time, Graham 1969).  Where groups do not divide evenly by nodes, all experts are one group on one node.
"""

import numpy as np


def rebalance(history, previous, slots, gpus, nodes, groups):
    load = history[-1].astype(float)
    layers, experts = load.shape
    if groups % nodes:
        nodes = groups = 1
    size = experts // groups
    in_node = experts // nodes

    # the experts of each node, [layers, nodes, experts of a node]
    node = pack(load.reshape(layers, groups, size).sum(2), nodes)
    members = np.argsort(node, axis=1, kind="stable")
    expert = (members[:, :, None] * size + np.arange(size)).reshape(layers * nodes, in_node)
    load = np.take_along_axis(np.repeat(load, nodes, axis=0), expert, 1)

    slot, count = replicate(load, slots // nodes)
    share = np.take_along_axis(load / count, slot, 1)
    gpu = pack(share, gpus // nodes)
    order = np.argsort(gpu, axis=1, kind="stable")
    placed = np.take_along_axis(expert, np.take_along_axis(slot, order, 1), 1)
    return placed.reshape(layers, slots)


def replicate(load, slots):
    """Returns the expert of each slot, one replica after another, and the replicas of each expert."""
    rows, experts = load.shape
    slot = np.tile(np.arange(slots) % experts, (rows, 1))
    count = np.ones((rows, experts))
    every = np.arange(rows)
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
