"""Why a schedule is as long as it is: the chain of waiting transactions that ends last."""

from collections.abc import Sequence
from dataclasses import dataclass

from workloads.transactions import IDLE, WRITE, Transaction

Uses = dict[tuple[int, int], list[tuple[int, bool]]]
"""By key and slot: who uses it there, by number in the order, and whether it writes."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Each transaction of it starts when the one before it allows; ``keys`` are those waited for, the last first."""

    transactions: int
    keys: tuple[int, ...]

    @property
    def most_waited_for(self) -> tuple[int, int]:
        """The key waited for most often, and how often; the smallest of several, -1 of none."""
        if not self.keys:
            return -1, 0
        return min((-self.keys.count(key), key) for key in self.keys)[1], max(map(self.keys.count, self.keys))


def chain(placed: Sequence[Transaction], starts: Sequence[int]) -> Chain:
    """Returns the chain that ends with the first placed of the transactions that end last."""
    ends = [start + len(transaction) for start, transaction in zip(starts, placed, strict=True)]
    index, keys, uses = ends.index(max(ends)), [], _uses(placed, starts)
    length = 1
    while starts[index] > 0:
        index, key = _awaited(index, placed, starts, uses)
        keys.append(key)
        length += 1
    return Chain(length, tuple(keys))


def _uses(placed: Sequence[Transaction], starts: Sequence[int]) -> Uses:
    uses: Uses = {}
    for index, (start, transaction) in enumerate(zip(starts, placed, strict=True)):
        for slot, (kind, key) in enumerate(transaction, start):
            if kind != IDLE:
                uses.setdefault((key, slot), []).append((index, kind == WRITE))
    return uses


def _awaited(index: int, placed: Sequence[Transaction], starts: Sequence[int], uses: Uses) -> tuple[int, int]:
    """Returns a transaction without which this one could have started a slot earlier, and the key of both."""
    for before, (kind, key) in enumerate(placed[index], starts[index] - 1):
        for other, writes in uses.get((key, before), ()):
            if other < index and (writes or kind == WRITE):
                return other, key
    raise ValueError(f"transaction {index} starts in slot {starts[index]} and waits for nobody: not of this schedule")
