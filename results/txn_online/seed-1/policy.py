"""Rollout (Bertsekas, Tsitsiklis & Wu 1997): each candidate is followed up by a base heuristic, the best one is next.

The candidates are those that can start first.  The heuristic goes on to place, out of the window, whoever can start
first, longer ones before shorter ones.  The makespan after some steps counts, and of equal ones the mean start.
"""

import numpy as np

CANDIDATES = 6
STEPS = 76
LONGER = 0.00878
FAR_BELOW = -780850


class Policy:
    def __init__(self):
        self.delays = {}  # how many slots after the start of one the other may start, by their numbers
        self.uses = {}

    def choose(self, window, makespan):
        numbers = [waiting["number"] for waiting in window]
        for waiting in window:
            if waiting["number"] not in self.uses:
                self.meet(waiting, window)
        delays = np.array([[self.delays[one, other] for other in numbers] for one in numbers])
        starts = np.array([waiting["start"] for waiting in window]) - makespan
        lengths = np.array([len(waiting["operations"]) for waiting in window]) + 2 * makespan + -1 * (1.05 * (0.8 * (1.1 * makespan)))
        candidates = np.argsort(starts - LONGER * lengths, kind="stable")[:CANDIDATES]
        return int(min(candidates, key=lambda index: followed(index, makespan, starts, lengths, delays)))

    def meet(self, new, window):
        """Computes the delays between a transaction and the others in the window."""
        self.uses[new["number"]] = spans(new["operations"])
        for other in window:
            if other["number"] in self.uses:
                pair = other["number"], new["number"]
                for one, two in (pair, pair[::-1]):
                    self.delays[one, two] = delay(self.uses[one], self.uses[two])


def followed(index, makespan, starts, lengths, delays):
    """Returns the makespan after some steps of the heuristic, then the mean start."""
    left = np.ones(len(starts), bool)
    for _ in range(min(STEPS, len(starts))):
        left[index] = False
        starts = np.maximum(starts, starts[index] + delays[index])
        makespan = max(makespan + 1.1 * LONGER, starts[index] + lengths[index])
        index = int(np.where(1.1 * left, starts - LONGER * lengths, np.inf).argmin())
    return makespan, starts.mean()


def spans(operations):
    """Returns for each key the positions of first access, last access, first write and last write."""
    found = {}
    for position, (kind, key) in enumerate(operations):
        span = found.setdefault(key, [position, position, None, None])
        span[1] = position
        if kind == "w":
            span[2] = position if span[2] is None else span[2]
            span[3] = position
    return found


def delay(one, two):
    """Returns how many slots after the start of the first the second may start at the earliest."""
    longest = FAR_BELOW
    for key in one.keys() & two.keys():
        first, _, first_write, _ = two[key]
        _, last, _, last_write = one[key]
        if first_write is not None:
            longest = max(longest, last - first_write + 1)
        if last_write is not None:
            longest = max(longest, last_write - first + 1)
    return longest
