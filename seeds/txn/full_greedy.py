"""Full greedy: SMF (Cheng et al., VLDB 2024) without sampling; of all that are left, the one that adds least is next.

Of those that add the same, the one that starts first is taken.
"""

import numpy as np


def order(transactions):
    delays = delay_matrix(transactions)
    lengths = np.array([len(transaction) for transaction in transactions])
    starts = np.zeros(len(transactions), int)
    left = list(range(len(transactions)))
    makespan = 0
    placed = []
    while left:
        index = min(left, key=lambda index: (max(makespan, starts[index] + lengths[index]), starts[index]))
        makespan = max(makespan, starts[index] + lengths[index])
        starts = np.maximum(starts, starts[index] + delays[index])
        left.remove(index)
        placed.append(index)
    return placed


def delay_matrix(transactions):
    """Returns how many slots after the start of one the other may start at the earliest, far below 0 for any."""
    delays = np.full((len(transactions), len(transactions)), -1_000_000)
    first, last, first_write, last_write = {}, {}, {}, {}
    for index, transaction in enumerate(transactions):
        for position, (kind, key) in enumerate(transaction):
            first.setdefault(key, {}).setdefault(index, position)
            last.setdefault(key, {})[index] = position
            if kind == "w":
                first_write.setdefault(key, {}).setdefault(index, position)
                last_write.setdefault(key, {})[index] = position
    for key in first_write:
        raise_delays(delays, last[key], first_write[key])
        raise_delays(delays, last_write[key], first[key])
    return delays


def raise_delays(delays, last, first):
    """Accounts for one key: the first access of the later transaction is behind the last one of the earlier."""
    rows, columns = np.array(list(last)), np.array(list(first))
    gaps = np.subtract.outer(list(last.values()), list(first.values())) + 1
    block = np.ix_(rows, columns)
    delays[block] = np.maximum(delays[block], gaps)
