"""One bounded elite: the best candidates, no two of which behave alike."""

import math
from bisect import insort
from collections import Counter
from collections.abc import Iterator
from random import Random

from evolve.types import Candidate


class Elite:
    """Keeps the ``capacity`` best candidates by score.

    Of candidates with equal ratios on every case only the shortest stays, so that edits without
    effect neither fill the archive nor make its policies grow.
    """

    def __init__(self, capacity: int = 32) -> None:
        if capacity < 1:
            raise ValueError(f"an archive holds at least one candidate; got capacity={capacity}")
        self._capacity = capacity
        self._members: list[Candidate] = []  # best first
        self._by_behaviour: dict[tuple[float, ...], Candidate] = {}
        self._uses: Counter[int] = Counter()  # how often a member was built on

    @property
    def best(self) -> Candidate | None:
        return self._members[0] if self._members else None

    def add(self, candidate: Candidate) -> bool:
        self._uses.update(candidate.proposal.parents)
        if candidate.evaluation.score is None:
            return False
        twin = self._by_behaviour.get(_behaviour(candidate))
        if twin is not None:
            if len(twin.proposal.source) <= len(candidate.proposal.source):
                return False
            self._members.remove(twin)
        insort(self._members, candidate, key=_standing)
        self._by_behaviour[_behaviour(candidate)] = candidate
        return self._shed() is not candidate

    def parent(self, rng: Random) -> Candidate:
        if not self._members:
            raise LookupError("an empty archive has no parent to offer")
        return rng.choices(self._members, [self._appeal(rank) for rank in range(len(self._members))])[0]

    def inspirations(self, parent: Candidate, count: int, rng: Random) -> list[Candidate]:
        others = [member for member in self._members if member.number != parent.number]
        return rng.sample(others, min(count, len(others)))

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def _shed(self) -> Candidate | None:
        """Lets the worst go when there are too many, and forgets the uses of those that left."""
        worst = self._members.pop() if len(self._members) > self._capacity else None
        if worst is not None:
            del self._by_behaviour[_behaviour(worst)]
        self._uses = Counter({member.number: self._uses[member.number] for member in self._members})
        return worst

    def _appeal(self, rank: int) -> float:
        """Falls with the rank and, slowly, with every use."""
        return math.exp(-4.0 * rank / self._capacity) / math.sqrt(1 + self._uses[self._members[rank].number])


def _standing(candidate: Candidate) -> tuple[float, int]:
    return -candidate.score, candidate.number


def _behaviour(candidate: Candidate) -> tuple[float, ...]:
    return tuple(result.ratio for result in candidate.evaluation.cases)
