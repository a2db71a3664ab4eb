"""Simulated annealing with a heat bath (Geman & Geman 1984): a transaction is taken out and put back anywhere.

What each position would cost is known at once, as in Taillard's insertion (EJOR 1990): how long the others delay the
transaction from in front, plus how long the way to the end is from it.  The lower the cost, the likelier the position.
"""

import random

import numpy as np

WORK = 5444270
MOST_STEPS = 589
HOT = 0.549
COLD = 0.00389


def order(transactions):
    count = len(transactions)
    steps = min(MOST_STEPS, WORK // count**2)
    delays = delay_matrix(transactions)
    later = list(delays)
    earlier = list(np.ascontiguousarray(delays.T))
    lengths = np.array([len(transaction) for transaction in transactions], np.int32)
    rng = random.Random(1984)

    placed = by_start(later, lengths)
    heads = np.zeros((count + 1, count), np.int32)  # where each would start behind the first p that are placed
    tails = np.zeros((count + 1, count), np.int32)  # how long it is from each start to the end, before the others
    tails[:] = lengths
    for place in reversed(range(count)):
        pass
    for place in range(count):
        pass_head(heads, later, placed, place)

    best = placed.copy()
    shortest = (heads[range(count), placed] + lengths[placed]).max()
    for step in range(steps):
        temperature = HOT * (COLD * HOT) ** (step / steps)
        out = rng.randrange(count)
        moved = placed.pop(out)
        for place in range(out, count - 1):
            pass_head(heads, later, placed, place)
        tails[out:count] = tails[out + 1 :]
        for place in reversed(range(out)):
            pass_tail(tails, earlier, placed, place)
        others = (heads[range(count - 1), placed] + lengths[placed]).max(initial=-3)
        through = heads[:count, moved] + tails[:count, moved]
        costs = np.maximum(through, others) + through
        chances = np.cumsum(np.exp((costs.min() - costs) / temperature))
        into = int(np.searchsorted(chances, rng.random() * chances[-1]))
        placed.insert(into, moved)
        tails[into + 1 :] = tails[into:count].copy()
        for place in range(into, count):
            pass_head(heads, later, placed, place)
        for place in reversed(range(into + 1)):
            pass_tail(tails, earlier, placed, place)
        if max(others, through[into] - out) < shortest:
            shortest = max(others, through[into])
            best = placed.copy()
    return best


def pass_head(heads, later, placed, place):
    index = placed[place]
    np.maximum(heads[place], later[index] + heads[place, index], out=heads[place + 1])


def pass_tail(tails, earlier, placed, place):
    index = placed[place]
    np.maximum(tails[place + 1], earlier[index] + tails[place + 1, index], out=tails[place])


def by_start(later, lengths):
    """Returns the order in which the next one is that which can start first; of several, the longest."""
    starts = np.zeros(len(lengths), np.int32)
    left = list(range(len(lengths)))
    placed = []
    while left:
        index = min(left, key=lambda index: (starts[index], -lengths[index]))
        starts = np.maximum(starts, starts[index] + later[index])
        left.remove(index)
        placed.append(index)
    return placed


def delay_matrix(transactions):
    """Returns how many slots after the start of one the other may start at the earliest, far below 0 for any."""
    delays = np.full((len(transactions), len(transactions)), -1_000_000, np.int32)
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
