"""Random order, the same every time."""

import random


def order(transactions):
    return random.Random(0).sample(range(len(transactions)), len(transactions))
