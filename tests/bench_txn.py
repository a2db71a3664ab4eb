"""A row of ``make bench`` for the problems of transactions: how their simulator grows with the number of them."""

import statistics
import time
from collections.abc import Sequence

import numpy as np

from evaluators.transactions.schedule import scheduled
from tests.bench_rows import Row, spread
from workloads.transaction_mixes import draw_transactions
from workloads.transactions import Transaction

SMALL, LARGE = 50, 1_000
MOST = 1.5


def txn_growth(rounds: int = 15) -> Row:
    """Time of an operation in a schedule of 1,000 transactions against one of 50, in turn.

    A schedule looks at each operation twice, so its inherent complexity is their number.
    """
    small, large = (draw_transactions("ycsb", count, 0.5, np.random.default_rng(7)) for count in (SMALL, LARGE))
    pairs = [(_nanoseconds(small, LARGE // SMALL), _nanoseconds(large, 1)) for _ in range(rounds)]
    ratios = [many / few for few, many in pairs]
    return Row(
        f"txn and txn_online, a schedule of {LARGE:,} transactions",
        f"{statistics.median(many for _, many in pairs):.0f} ns an operation",
        f"{SMALL} transactions: {statistics.median(few for few, _ in pairs):.0f} ns",
        spread(ratios),
        f"{MOST}",
        statistics.median(ratios) <= MOST,
    )


def _nanoseconds(transactions: Sequence[Transaction], times: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(times):
        scheduled(transactions)
    return (time.perf_counter_ns() - start) / times / sum(map(len, transactions))
