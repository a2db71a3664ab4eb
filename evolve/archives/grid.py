"""Niches after MAP-Elites (Mouret & Clune 2015), with few members: where policies behave alike and are as long."""

import math
from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from evolve.archives.elite import standing
from evolve.types import Candidate

Niche = tuple[int, ...]
"""A cell of the grid."""

Describe = Callable[[Mapping[str, float]], Mapping[str, float]]
"""Returns how a policy behaved on a case, from the metrics: numbers from 0 to 1 by name."""

STEPS = 4
"""Niches along each number that describes a policy's behaviour."""

OCTAVE = 2
"""Niches that the length of a policy passes through until it has doubled."""


def niche(candidate: Candidate, describe: Describe) -> Niche:
    """Returns the cell of a candidate: its length, and the means over the cases of what describes its behaviour.

    Numbers outside of 0 to 1 count as the nearer end, and what is no number as 0.
    """
    length = round(OCTAVE * math.log2(1 + len(candidate.proposal.source)))
    sums: dict[str, float] = {}
    for case in candidate.evaluation.cases:
        for name, value in describe(case.metrics).items():
            sums[name] = sums.get(name, 0.0) + (min(max(value, 0.0), 1.0) if value == value else 0.0)
    count = len(candidate.evaluation.cases)
    return length, *(min(int(STEPS * sums[name] / count), STEPS - 1) for name in sorted(sums))


class Grid:
    """Holds at most ``capacity`` candidates, and of them the best in each of as many niches as there is room for.

    While it is full, a candidate has to be better than the worst member; then the worst of the most crowded
    niche leaves.  So a niche never costs the best member its place, and the worst member never becomes worse.
    """

    def __init__(self, capacity: int, niche: Callable[[Candidate], Niche]) -> None:
        if capacity < 1:
            raise ValueError(f"a grid holds at least one candidate; got capacity={capacity}")
        self._capacity, self._niche = capacity, niche
        self._members: list[Candidate] = []  # best first
        self._niches: dict[int, Niche] = {}  # of each member, by its number

    @property
    def least(self) -> float:
        """The score of the worst member, which a candidate must exceed to be taken; -inf while there is room."""
        return self._members[-1].score if len(self._members) >= self._capacity else -math.inf

    def add(self, candidate: Candidate) -> bool:
        """Takes a candidate with a score, and returns whether it stays."""
        if candidate.score <= self.least or candidate.number in self._niches:
            return False
        self._insert(candidate)
        self.resize(self._capacity)
        return candidate.number in self._niches

    def resize(self, capacity: int) -> None:
        """Holds at most ``capacity`` members from now on; of more, the worst of the most crowded niche leaves first."""
        self._capacity = capacity
        while len(self._members) > capacity:
            crowds = Counter(self._niches.values())
            leaving = max(reversed(self._members), key=lambda member: crowds[self._niches[member.number]])
            self._remove(leaving)

    def replace(self, old: Candidate, new: Candidate) -> None:
        """Puts a candidate in the place of a member, if that is one."""
        if old.number in self._niches:
            self._remove(old)
            self._insert(new)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def _insert(self, candidate: Candidate) -> None:
        insort(self._members, candidate, key=standing)
        self._niches[candidate.number] = self._niche(candidate)

    def _remove(self, member: Candidate) -> None:
        self._members.remove(member)
        del self._niches[member.number]
