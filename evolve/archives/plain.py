"""The archives of plain searches: of the starts alone, of the best so far, and of anyone."""

import math
from collections.abc import Iterator, Sequence
from random import Random

from evolve.archives.elite import others
from evolve.types import Candidate

CAPACITY = 1000
"""Candidates that a reservoir holds, however many there were."""


class _Kept:
    """What the archives of the peers have in common: members, the best of all candidates, and how long it stands."""

    def __init__(self) -> None:
        self._members: list[Candidate] = []
        self._best: Candidate | None = None
        self._idle = 0

    @property
    def best(self) -> Candidate | None:
        return self._best

    def add(self, candidate: Candidate) -> bool:
        self._idle += 1
        if candidate.evaluation.score is None:
            return False
        if self._best is None or candidate.score > self._best.score:
            self._best, self._idle = candidate, 0
        return self._take(candidate)

    def _take(self, candidate: Candidate) -> bool:
        """Returns whether a candidate with a score stays."""
        raise NotImplementedError

    def parent(self, rng: Random) -> Candidate:
        if not self._members:
            raise LookupError("an empty archive has no parent to offer")
        return self._chosen(rng)

    def _chosen(self, rng: Random) -> Candidate:
        """Returns one of the members, of which there is one."""
        return rng.choice(self._members)

    def inspirations(self, parent: Candidate, count: int, rng: Random) -> list[Candidate]:
        return others(self._members, parent, count, rng)

    def find(self, number: int) -> Candidate | None:
        return next((member for member in self._members if member.number == number), None)

    def idle(self, member: Candidate) -> int:  # noqa: ARG002 - all members compete with each other
        return self._idle

    def least(self, parents: Sequence[int]) -> float:  # noqa: ARG002 - nobody is raced
        return -math.inf

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


class Starts(_Kept):
    """The candidates without parents, which are the baselines; a parent is the best of them, of equals the earliest."""

    def _take(self, candidate: Candidate) -> bool:
        if not candidate.proposal.parents:
            self._members.append(candidate)
        return not candidate.proposal.parents

    def _chosen(self, rng: Random) -> Candidate:  # noqa: ARG002
        return max(self._members, key=lambda member: (member.score, -member.number))


class Latest(_Kept):
    """The best so far, of equals the latest, and the baselines to take ideas from."""

    def __init__(self) -> None:
        super().__init__()
        self._leading: Candidate | None = None

    def _take(self, candidate: Candidate) -> bool:
        leads = self._leading is None or candidate.score >= self._leading.score
        if leads:
            if self._leading is not None and self._leading.proposal.parents:
                self._members.remove(self._leading)
            self._leading = candidate
        if leads or not candidate.proposal.parents:
            self._members.append(candidate)
            return True
        return False

    def _chosen(self, rng: Random) -> Candidate:  # noqa: ARG002
        assert self._leading is not None
        return self._leading


class Reservoir(_Kept):
    """A sample of all candidates with a score, each as likely to be in it (algorithm R, Vitter 1985).

    What it draws depends on the candidates' numbers alone, so that a run that goes on holds the same sample.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__()
        self._capacity, self._seen = capacity, 0

    def _take(self, candidate: Candidate) -> bool:
        self._seen += 1
        if len(self._members) < self._capacity:
            self._members.append(candidate)
            return True
        place = Random(f"reservoir/{candidate.number}").randrange(self._seen)
        if place < self._capacity:
            self._members[place] = candidate
        return place < self._capacity
