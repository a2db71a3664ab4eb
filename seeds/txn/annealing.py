"""Simulated annealing (Kirkpatrick, Gelatt & Vecchi 1983): random swaps, insertions and moves of blocks.

Starts from the order in which the next one is that which can start first.  What a change does is computed from the
first changed place on, and only until it is too long to be taken.  The mean start counts a little beside the makespan,
which few changes alter.  The random numbers are the same every time.
"""

import math
import random

import numpy as np

WORK = 18_000
HOT = 1.0
COLD = 0.1
LONGEST_BLOCK = 6
WEIGHT_OF_STARTS = 0.05


def order(transactions):
    count = len(transactions)
    steps = WORK // count
    later = list(delay_matrix(transactions))
    lengths = [len(transaction) for transaction in transactions]
    rng = random.Random(1983)

    placed = by_start(later, lengths)
    states = [(0, 0, np.zeros(count, int))]  # makespan, sum of starts and start of each, behind the first p placed
    extend(states, placed, later, lengths, math.inf)
    best = placed
    shortest = states[-1][0]
    for step in range(steps):
        temperature = HOT * (COLD / HOT) ** (step / steps)
        changed = placed.copy()
        one = rng.randrange(count)
        other = rng.randrange(count)
        kind = rng.random()
        if kind < 0.4:
            changed[one], changed[other] = changed[other], changed[one]
        else:
            size = 1 if kind < 0.8 else rng.randint(2, LONGEST_BLOCK)
            block = changed[one : one + size]
            del changed[one : one + size]
            changed[other:other] = block
        first = min(one, other)
        most = cost(states[-1]) - temperature * math.log(1 - rng.random())
        tried = states[: first + 1]
        if extend(tried, changed[first:], later, lengths, most):
            placed = changed
            states = tried
            if states[-1][0] < shortest:
                shortest = states[-1][0]
                best = placed
    return best


def cost(state):
    return state[0] + WEIGHT_OF_STARTS * state[1]


def extend(states, placed, later, lengths, most):
    """Appends the state behind each transaction placed; returns whether the cost stays within the most."""
    makespan, sum_of_starts, starts = states[-1]
    for index in placed:
        start = int(starts[index])
        makespan = max(makespan, start + lengths[index])
        sum_of_starts += start
        starts = np.maximum(starts, later[index] + start)
        states.append((makespan, sum_of_starts, starts))
        if makespan + WEIGHT_OF_STARTS * sum_of_starts > most:
            return False
    return True


def by_start(later, lengths):
    """Returns the order in which the next one is that which can start first; of several, the longest."""
    starts = np.zeros(len(lengths), int)
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
