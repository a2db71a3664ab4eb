"""The schedule that an order of transactions makes: each starts in the first slot that its keys allow.

Slots count from 0.  A transaction runs one operation a slot, without a pause, and is never moved once it is placed.
"""

from collections import defaultdict
from collections.abc import Iterable

from workloads.transactions import IDLE, WRITE, Transaction


class Schedule:
    """Transactions placed so far.

    Of each key two numbers are kept: the slot after its last access, which a write has to wait for, and the slot after
    its last write, which a read has to wait for.  No more is needed: a write comes after every entry of its key, so all
    that follow the last write are reads, and only reads can be entered before others.
    """

    __slots__ = ("_after_all", "_after_writes", "makespan", "starts")

    def __init__(self) -> None:
        self._after_all: defaultdict[int, int] = defaultdict(int)
        self._after_writes: defaultdict[int, int] = defaultdict(int)
        self.starts: list[int] = []
        self.makespan = 0

    def start(self, transaction: Transaction) -> int:
        """Returns the slot in which the transaction would start if it were placed now."""
        after_all, after_writes, start = self._after_all, self._after_writes, 0
        for position, (kind, key) in enumerate(transaction):
            first = (after_all if kind == WRITE else after_writes)[key] - position
            if first > start:
                start = first
        return start

    def place(self, transaction: Transaction) -> None:
        """Places the transaction after those placed before."""
        start = self.start(transaction)
        self.starts.append(start)
        self.makespan = max(self.makespan, start + len(transaction))
        after_all, after_writes = self._after_all, self._after_writes
        for after, (kind, key) in enumerate(transaction, start + 1):
            if kind == WRITE:
                after_all[key] = after_writes[key] = after
            elif kind != IDLE and after > after_all[key]:
                after_all[key] = after


def scheduled(transactions: Iterable[Transaction]) -> Schedule:
    """Returns the schedule of transactions placed in the given order."""
    schedule = Schedule()
    for transaction in transactions:
        schedule.place(transaction)
    return schedule
