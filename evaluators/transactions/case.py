"""A case of both problems: transactions, as policies are given them, and what is measured of their schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evaluators.transactions.bound import Bound, bound
from evaluators.transactions.chain import chain
from evaluators.transactions.schedule import Schedule
from workloads.transactions import IDLE, KINDS, NO_KEY, Transaction


@dataclass(frozen=True, slots=True)
class Case:
    """Transactions with a name for tables; ``window`` is how many a policy sees at a time, 0: all of them."""

    label: str
    transactions: tuple[Transaction, ...]
    window: int = 0

    def __post_init__(self) -> None:
        if not self.transactions or self.window < 0:
            raise ValueError(f"{self.label}: expected transactions and a window from 0; got {len(self.transactions)}")
        for number, transaction in enumerate(self.transactions):
            for kind, key in transaction:
                if kind not in KINDS or (key != NO_KEY if kind == IDLE else key < 0):
                    raise ValueError(
                        f"{self.label}: transaction {number}: expected r or w with a key from 0, or - with {NO_KEY}; "
                        f"got {kind!r} with {key!r}"
                    )


Plain = list[list[str | int]]


def plain(transaction: Transaction) -> Plain:
    """Returns a transaction as a policy is given it: a list of [kind, key], one to a slot."""
    return [list(operation) for operation in transaction]


@lru_cache(maxsize=2048)
def bound_of(case: Case) -> Bound:
    """Returns the limit on the makespan of a case, computed once."""
    return bound(case.transactions)


def metrics(case: Case, order: Sequence[int], schedule: Schedule) -> dict[str, float]:
    """Returns the makespan in slots and what explains it, for transactions placed in a legal order.

    ``at_a_time`` is the mean number of transactions that run; ``late`` the share that starts only after the
    bound; ``chain`` the transactions of the chain that ends last, of which ``chain_waits`` wait for ``chain_key``.
    """
    placed = [case.transactions[index] for index in order]
    longest_wait, limit = chain(placed, schedule.starts), bound_of(case)
    key, waits = longest_wait.most_waited_for
    return {
        "makespan": schedule.makespan,
        "at_a_time": sum(map(len, placed)) / max(schedule.makespan, 1),
        "late": sum(start >= limit.slots for start in schedule.starts) / len(placed),
        "longest": limit.longest,
        "hottest_key_slots": limit.key_slots,
        "chain": longest_wait.transactions,
        "chain_key": key,
        "chain_waits": waits,
    }


def words(case: Case, metrics: Mapping[str, float]) -> str:
    """Returns what a case's makespan consists of, beside what the bound says."""
    limit = bound_of(case)
    return (
        f"makespan {metrics['makespan']}, {metrics['makespan'] / max(limit.slots, 1):.2f} times the bound (longest "
        f"transaction {limit.longest}; key {limit.key} needs {limit.key_slots}); {metrics['at_a_time']:.1f} run at a "
        f"time; {metrics['late']:.0%} start after the bound; the chain that ends last has {metrics['chain']} "
        f"transactions, {metrics['chain_waits']} of them wait for key {metrics['chain_key']}"
    )
