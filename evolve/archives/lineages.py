"""An elite for each baseline and its descendants, so that a weak start may still become the best design.

On ``spot``, the best policies found descend from baselines that score far below the best one: their
first steps would never enter a single elite.  An island model without migration (Tanese 1989), with
one island for each baseline.
"""

import math
from collections.abc import Iterator, Sequence
from random import Random

from evolve.archives.elite import Elite, others, standing, tournament
from evolve.types import Candidate

LEAST = 6
"""Members of a lineage, however many lineages there are."""

WITHIN = 0.8
"""How often a parent is chosen within a lineage, each as often as any other, and not among the best of all."""

REMEMBERED = 1024
"""Candidates of which the lineage is known at least, besides the members: children come soon after their parents."""


class Lineages:
    """Holds about ``capacity`` candidates, shared out evenly among the lineages.

    A candidate belongs to the lineage of its first parent; one without parents begins a lineage.
    """

    def __init__(self, capacity: int = 32) -> None:
        self._capacity = capacity
        self._elites: dict[int, Elite] = {}  # by the number of the candidate that began the lineage
        self._lineages: dict[int, int] = {}  # of the members and the latest candidates
        self._members: list[Candidate] = []  # of all lineages, best first

    @property
    def best(self) -> Candidate | None:
        return self._members[0] if self._members else None

    def add(self, candidate: Candidate) -> bool:
        stays = self._elite(candidate).add(candidate)
        self._members = sorted((member for elite in self._elites.values() for member in elite), key=standing)
        return stays

    def parent(self, rng: Random) -> Candidate:
        lineages = [elite for elite in self._elites.values() if len(elite)]
        if lineages and rng.random() < WITHIN:
            return rng.choice(lineages).parent(rng)
        leaders = self._members[: 2 * LEAST]
        return tournament(leaders, [self._uses(member) for member in leaders], rng)

    def inspirations(self, parent: Candidate, count: int, rng: Random) -> list[Candidate]:
        return others(self._members, parent, count, rng)

    def idle(self, member: Candidate) -> int:
        return self._elites[self._lineages[member.number]].idle(member)

    def least(self, parents: Sequence[int]) -> float:
        root = self._lineages.get(parents[0]) if parents else None
        return -math.inf if root is None else self._elites[root].least(parents)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def _elite(self, candidate: Candidate) -> Elite:
        """Returns the elite of a candidate's lineage; a new lineage takes room from the others."""
        parents = candidate.proposal.parents
        root = self._lineages.get(parents[0], parents[0]) if parents else candidate.number
        self._remember(candidate.number, root)
        if root not in self._elites:
            share = max(LEAST, self._capacity // (len(self._elites) + 1))
            for elite in self._elites.values():
                elite.shrink(share)
            self._elites[root] = Elite(share)
        return self._elites[root]

    def _remember(self, number: int, root: int) -> None:
        self._lineages[number] = root
        if len(self._lineages) > 2 * REMEMBERED + len(self._members):
            known = {*list(self._lineages)[-REMEMBERED:], *(member.number for member in self._members)}
            self._lineages = {number: root for number, root in self._lineages.items() if number in known}

    def _uses(self, member: Candidate) -> int:
        return self._elites[self._lineages[member.number]].uses(member)
