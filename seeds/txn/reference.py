"""Shortest makespan first (SMF, Cheng et al., VLDB 2024): of ten drawn at random, the one that adds least is next.

The first transaction is drawn too.  Of those that add the same, the one drawn first is taken; the random numbers are
the same every time.
"""

import random

SAMPLED = 10


def order(transactions):
    rng = random.Random(2024)
    left = list(range(len(transactions)))
    after_all = {}
    after_writes = {}
    makespan = 0
    placed = []
    while left:
        best = None
        for index in rng.sample(left, min(SAMPLED if placed else 1, len(left))):
            start = first_slot(transactions[index], after_all, after_writes)
            end = max(makespan, start + len(transactions[index]))
            if best is None or end < best[0]:
                best = end, start, index
        makespan, start, index = best
        place(transactions[index], start, after_all, after_writes)
        left.remove(index)
        placed.append(index)
    return placed


def first_slot(transaction, after_all, after_writes):
    """Returns where a transaction would start."""
    start = 0
    for position, (kind, key) in enumerate(transaction):
        after = after_all if kind == "w" else after_writes
        start = max(start, after.get(key, 0) - position)
    return start


def place(transaction, start, after_all, after_writes):
    for slot, (kind, key) in enumerate(transaction, start):
        after_all[key] = max(after_all.get(key, 0), slot + 1)
        if kind == "w":
            after_writes[key] = slot + 1
