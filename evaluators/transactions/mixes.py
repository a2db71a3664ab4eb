"""The generated cases of both problems: every family of transactions meets every level of heat in every split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.transactions.case import Case
from workloads.transaction_mixes import FAMILIES, draw_transactions
from workloads.transactions import Transaction

MILDEST = 0.15
"""Below it hardly any two transactions conflict and all orders are equally good."""


SWEPT = 15
SKEWS = {"mild": 0.0, "usual": 0.5, "heavy": 1.0}
WRITES = {"few": 0.0, "usual": 0.5, "many": 1.0}


@dataclass(frozen=True, slots=True)
class Condition:
    """How uneven keys are taken, and how many accesses write, from 0 to 1; None: by the heat of each case."""

    skew: float | None = None
    writing: float | None = None


ORDINARY = Condition()
CONDITIONS = {
    "skew": {name: Condition(skew=degree) for name, degree in SKEWS.items()},
    "writes": {name: Condition(writing=degree) for name, degree in WRITES.items()},
}


def generated(
    name: str,
    seeds: Sequence[int],
    counts: Sequence[int],
    windows: Sequence[int] = (0,),
    large: int = 0,
    condition: Condition = ORDINARY,
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
        random = np.random.default_rng(seed)
        heat = MILDEST + (1 - MILDEST) * (level / levels + 1 / levels * random.uniform())
        family = list(FAMILIES)[column]
        transactions = draw_transactions(family, count, heat, random, condition.skew, condition.writing)
        cases.append(_case(f"{name} {index}, {family}", transactions, window))
    return cases


def _case(name: str, transactions: tuple[Transaction, ...], window: int) -> Case:
    seen = f", window {window}" if window else ""
    return Case(f"{name}, {len(transactions)}{seen}", transactions, window)
