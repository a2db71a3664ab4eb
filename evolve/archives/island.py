"""An island: a grid of niches and a front over cases that compete with no other island's."""

from collections.abc import Callable, Mapping
from random import Random

from evolve.archives.elite import standing, tournament
from evolve.archives.grid import Grid, Niche
from evolve.archives.pareto import Front
from evolve.types import Candidate

SPECIAL = 0.25
"""How often a parent is drawn among the winners of cases, each case as often as any other."""


class Island:
    """Holds up to ``capacity`` candidates for their scores and, with ``pareto``, the winners of cases besides."""

    def __init__(self, capacity: int, niche: Callable[[Candidate], Niche], *, pareto: bool) -> None:
        self._grid = Grid(capacity, niche)
        self._front, self._pareto = Front(), pareto
        self._members: list[Candidate] = []  # best first
        self.idle = 0

    @property
    def members(self) -> list[Candidate]:
        """All of them, the best first."""
        return self._members

    @property
    def front(self) -> Front:
        """The winners of cases; none without ``pareto``."""
        return self._front

    @property
    def best(self) -> Candidate:
        """The member with the highest score; an island has at least one."""
        return self._members[0]

    @property
    def least(self) -> float:
        """The score that a candidate must exceed to be taken for it; -inf while there is room."""
        return self._grid.least

    def add(self, candidate: Candidate) -> bool:
        """Takes a candidate with a score, and returns whether it stays."""
        better = not self._members or candidate.score > self.best.score
        special = self._pareto and self._front.add(candidate)
        stays = self._grid.add(candidate) or special
        if stays:
            self._settle()
        self.idle = 0 if better else self.idle + 1
        return stays

    def receive(self, migrant: Candidate) -> None:
        """Takes a member of another island: no progress of this one, which has to become better than it from now on."""
        idle = self.idle
        self.add(migrant)
        self.idle = idle

    def inherit(self, retired: "Island") -> None:
        """Takes the winners of cases of an island that ends, as far as they win here as well."""
        for winner in retired.front:
            self._front.add(winner)
        self._settle()

    def replace(self, old: Candidate, new: Candidate) -> None:
        """Puts a candidate in the place of one that behaves alike."""
        self._grid.replace(old, new)
        self._front.replace(old, new)
        self._settle()

    def resize(self, capacity: int) -> None:
        """Holds at most ``capacity`` candidates for their scores from now on."""
        self._grid.resize(capacity)
        self._settle()

    def parent(self, uses: Mapping[int, int], rng: Random) -> Candidate:
        """Returns a good but little used member, or the winner of a case.

        Raises:
            LookupError: there is no member.
        """
        if len(self._front) > 1 and rng.random() < SPECIAL:
            return self._front.drawn(rng)
        ranked = [*self._grid]
        return tournament(ranked, [uses.get(member.number, 0) for member in ranked], rng)

    def _settle(self) -> None:
        kept = {member.number: member for member in (*self._grid, *self._front)}
        self._members = sorted(kept.values(), key=standing)
