"""One bounded elite: the best candidates, no two of which behave alike."""

import math
from bisect import insort
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from evolve.types import Candidate

TIREDNESS = 0.3
"""Ranks that a member loses in a tournament with every time it was built on."""


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
        self._idle = 0

    @property
    def best(self) -> Candidate | None:
        return self._members[0] if self._members else None

    def add(self, candidate: Candidate) -> bool:
        self._uses.update(candidate.proposal.parents)
        before = self.best
        self._idle += 1
        if candidate.evaluation.score is None:
            return False
        twin = self._by_behaviour.get(behaviour(candidate))
        if twin is not None:
            if len(twin.proposal.source) <= len(candidate.proposal.source):
                return False
            self._members.remove(twin)
        insort(self._members, candidate, key=standing)
        self._by_behaviour[behaviour(candidate)] = candidate
        self._cut()
        if before is None or candidate.score > before.score:
            self._idle = 0
        return behaviour(candidate) in self._by_behaviour

    def _cut(self) -> None:
        """Has the worst leave, and forgets how often they were built on."""
        for leaving in self._members[self._capacity :]:
            del self._by_behaviour[behaviour(leaving)]
        del self._members[self._capacity :]
        self._uses = Counter({member.number: self._uses[member.number] for member in self._members})

    def parent(self, rng: Random) -> Candidate:
        return tournament(self._members, [self._uses[member.number] for member in self._members], rng)

    def inspirations(self, parent: Candidate, count: int, rng: Random) -> list[Candidate]:
        return others(self._members, parent, count, rng)

    def find(self, number: int) -> Candidate | None:
        return next((member for member in self._members if member.number == number), None)

    def idle(self, member: Candidate) -> int:  # noqa: ARG002 - all members compete with each other
        return self._idle

    def least(self, parents: Sequence[int]) -> float:  # noqa: ARG002
        return self._members[-1].score if len(self._members) == self._capacity else -math.inf

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def tournament(members: Sequence[Candidate], uses: Sequence[int], rng: Random) -> Candidate:
    """Returns the better of two members drawn at random; ``members`` stand best first.

    Raises:
        LookupError: there are none.
    """
    if not members:
        raise LookupError("an empty archive has no parent to offer")
    drawn = rng.randrange(len(members)), rng.randrange(len(members))
    return members[min(drawn, key=lambda rank: rank + TIREDNESS * uses[rank])]


def others(members: Sequence[Candidate], parent: Candidate, count: int, rng: Random) -> list[Candidate]:
    """Returns up to ``count`` members besides the parent, each once."""
    besides = [member for member in members if member.number != parent.number]
    return rng.sample(besides, min(count, len(besides)))


def standing(candidate: Candidate) -> tuple[float, int]:
    """Orders candidates: the best first, of equals the earliest."""
    return -candidate.score, candidate.number


def behaviour(candidate: Candidate) -> tuple[float, ...]:
    """Returns what tells candidates apart that are not the same to us: the ratio on each case."""
    return tuple(result.ratio for result in candidate.evaluation.cases)
