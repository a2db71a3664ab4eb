"""Shortest makespan first (SMF, Cheng et al., VLDB 2024), in the window: the cheapest of ten drawn at random is next.

The cheapest is the one that adds least to the makespan; of several, the one drawn first.  The random numbers are the
same in every case.
"""

import random

SAMPLED = 10


class Policy:
    def __init__(self):
        self.rng = random.Random(2024)

    def choose(self, window, makespan):
        drawn = self.rng.sample(range(len(window)), min(SAMPLED, len(window)))
        return min(drawn, key=lambda index: max(makespan, end(window[index])))


def end(waiting):
    return waiting["start"] + len(waiting["operations"])
