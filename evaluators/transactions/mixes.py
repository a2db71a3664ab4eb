"""The generated cases of both problems: every family of transactions meets every level of heat in every split."""

from collections.abc import Sequence

import numpy as np

from evaluators.transactions.case import Case
from workloads.transaction_mixes import FAMILIES, draw_transactions

MILDEST = 0.15
"""Below it hardly any two transactions conflict and all orders are equally good."""


def generated(
    name: str, seeds: Sequence[int], counts: Sequence[int], windows: Sequence[int] = (0,), large: int = 0
) -> list[Case]:
    """Returns a case for each seed; families rotate, and any five cases in a row are spread over the levels of heat.

    ``counts`` are numbers of transactions and ``windows`` what a policy sees of them; both rotate too.  Where ``large``
    is given, one case in 25 has so many transactions.
    """
    levels = max(len(seeds) // len(FAMILIES), 1)
    cases = []
    for index, seed in enumerate(seeds):
        row, column = divmod(index, len(FAMILIES))
        level = (7 * row + 2 * levels * column // len(FAMILIES)) % levels
        count, window = counts[(row + 3 * column) % len(counts)], windows[(row + column) % len(windows)]
        if large and index % 25 == 12:
            count = large
        cases.append(_case(f"{name} {index}", list(FAMILIES)[column], count, window, level / levels, 1 / levels, seed))
    return cases


def _case(name: str, family: str, count: int, window: int, level: float, width: float, seed: int) -> Case:
    random = np.random.default_rng(seed)
    heat = MILDEST + (1 - MILDEST) * (level + width * random.uniform())
    seen = f", window {window}" if window else ""
    return Case(f"{name}, {family}, {count}{seen}", draw_transactions(family, count, heat, random), window)
