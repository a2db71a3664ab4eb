"""Limits on the makespan of every order: the longest transaction, and for each key the slots that its accesses need.

Let a transaction that touches key k have its first and last access at positions fa and la, and its first and last write
at fw and lw.  If S is placed before T, every write of T comes after all of S's accesses of k, and every read of T after
all of S's writes of it.  So, whatever the order, these spans of slots are disjoint:

- among transactions that write k, from fa to lw, for lw of S comes before fa of T;
- among them too, from fw to la, for la of S comes before fw of T;
- from fw to lw of those that write k and from fa to la of *one* that only reads it.

Each family of disjoint spans is a machine with one job at a time: a job takes the slots of its span, after a head of at
least the positions before it and with a tail of at least those behind it.  For all a and b the jobs with a head from a
and a tail from b need a + their slots + b together.  README.md has the proof at length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from workloads.transactions import IDLE, WRITE, Transaction

Span = tuple[int, int, int]
"""Head, slots and tail of a job."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A number of slots that no order needs less than, and its parts: the longest transaction and the hottest key."""

    longest: int
    key: int
    key_slots: int

    @property
    def slots(self) -> int:
        """The larger of the parts."""
        return max(self.longest, self.key_slots)


@dataclass(slots=True)
class _Touch:
    """First and last access and write of one transaction on one key; ``first_write`` is -1 where it only reads."""

    length: int
    first: int
    last: int
    first_write: int = -1
    last_write: int = -1


def bound(transactions: Sequence[Transaction]) -> Bound:
    """Returns the limit; the key is -1 where no key that is written is touched by two transactions."""
    hottest, most = -1, 0
    longest = max(map(len, transactions), default=0)
    for key, touches in _by_key(transactions).items():
        slots = _key_slots(touches) if _most(touches, longest) > most else 0
        if slots > most:
            hottest, most = key, slots
    return Bound(longest, hottest, most)


def _by_key(transactions: Sequence[Transaction]) -> dict[int, list[_Touch]]:
    found: dict[int, list[_Touch]] = {}
    for transaction in transactions:
        for key, touch in _touches(transaction).items():
            found.setdefault(key, []).append(touch)
    return found


def _touches(transaction: Transaction) -> dict[int, _Touch]:
    found: dict[int, _Touch] = {}
    for position, (kind, key) in enumerate(transaction):
        if kind == IDLE:
            continue
        touch = found.setdefault(key, _Touch(len(transaction), position, position))
        touch.last = position
        if kind == WRITE:
            touch.last_write = position
            if touch.first_write < 0:
                touch.first_write = position
    return found


def _most(touches: Sequence[_Touch], longest: int) -> int:
    """Returns what the slots of a key cannot exceed; 0 where nobody has to wait for another."""
    writers = [touch for touch in touches if touch.first_write >= 0]
    if not writers or len(touches) == 1:
        return 0
    return sum(touch.last - touch.first + 1 for touch in writers) + 2 * longest


def _key_slots(touches: Sequence[_Touch]) -> int:
    """Returns the slots that the accesses of a key need, with what comes before and behind."""
    longest = max(touch.length for touch in touches)
    return max(_needed(jobs, reads, longest) for jobs, reads in _machines(touches))


def _machines(touches: Sequence[_Touch]) -> Iterator[tuple[list[Span], list[Span]]]:
    """Yields jobs of which no two overlap, and jobs of which any one overlaps none of these."""
    writers = [touch for touch in touches if touch.first_write >= 0]
    readers = [touch for touch in touches if touch.first_write < 0]
    yield [_span(touch, touch.first, touch.last_write) for touch in writers], []
    yield [_span(touch, touch.first_write, touch.last) for touch in writers], []
    yield (
        [_span(touch, touch.first_write, touch.last_write) for touch in writers],
        [_span(touch, touch.first, touch.last) for touch in readers],
    )


def _span(touch: _Touch, first: int, last: int) -> Span:
    return first, last - first + 1, touch.length - 1 - last


def _needed(jobs: Sequence[Span], reads: Sequence[Span], longest: int) -> int:
    """Returns the largest a + slots + b over the jobs, and one of the reads, with a head from a and a tail from b."""
    slots = np.zeros((longest, longest), np.int64)
    read = np.zeros((longest, longest), np.int64)
    for head, length, tail in jobs:
        slots[head, tail] += length
    for head, length, tail in reads:
        read[head, tail] = max(read[head, tail], length)
    slots = slots[::-1, ::-1].cumsum(0).cumsum(1)[::-1, ::-1]
    read = np.maximum.accumulate(np.maximum.accumulate(read[::-1, ::-1], 0), 1)[::-1, ::-1]
    total = slots + read
    ends = np.add.outer(np.arange(longest), np.arange(longest))
    return int((total + ends)[total > 0].max(initial=0))
