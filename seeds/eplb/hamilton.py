"""Hamilton's apportionment (largest remainders; Balinski & Young 1982) of slots to experts by load.

An expert's quota is its share of all slots.  Each gets the whole part, at least one; slots that are left go to the
largest remainders, and where too many are given the smallest remainders lose one.  Sorted replicas go to the GPUs in
zigzag.
"""

import numpy as np


def rebalance(history, previous, slots, gpus, nodes, groups):
    load = history[-1].astype(float)
    layers = len(load)
    quota = slots * load / np.maximum(load.sum(1, keepdims=True), 1)
    count = np.maximum(quota.astype(int), 1)
    for layer in range(layers):
        while (left := slots - count[layer].sum()) != 0:
            remainder = quota[layer] - count[layer]
            if left > 0:
                count[layer, np.argsort(-remainder)[:left]] += 1
            else:
                remainder[count[layer] == 1] = np.inf
                count[layer, np.argsort(remainder)[: min(-left, (count[layer] > 1).sum())]] -= 1

    heaviest = np.argsort(-load / count, axis=1)
    repeats = np.take_along_axis(count, heaviest, 1)
    turns = np.repeat(heaviest, repeats.ravel()).reshape(layers, slots // gpus, gpus)
    turns[:, 1::2] = turns[:, 1::2, ::-1]
    return turns.transpose(0, 2, 1).reshape(layers, slots)
