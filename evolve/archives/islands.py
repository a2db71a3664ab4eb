"""Islands (Tanese 1989) that begin with the baselines, trade members, and give way to others when they stand still."""

import enum
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from random import Random

from evolve.archives.elite import behaviour, standing, tournament
from evolve.archives.grid import Describe, niche
from evolve.archives.island import Island
from evolve.types import Candidate

LEAST = 6
"""Candidates that each of several islands holds for their scores, however many there are."""

MOST = 8
"""Islands at a time."""

FEWEST = 3
"""Islands below which one that retires is followed by a new one."""

PATIENCE = 12
"""Candidates without progress after which an island that does not lead retires."""

LEAD, LEAST_LEAD, YIELDING = 0.95, 0.3, 0.015
"""How often the parent is the best of all, just after it became better, at least, and how much that falls each turn.

While the best becomes better nothing pays more than to go on from it; the longer it does not, the likelier it is at the
end of its way.
"""

WITHIN = 0.8
"""How often another parent is chosen within an island, each as often as any other, and not among the best of all."""

REMEMBERED = 1024
"""Candidates of which it is known where they belong, besides the members: the latest."""


def undescribed(_: Mapping[str, float]) -> Mapping[str, float]:
    """Describes no behaviour, so that niches differ in length alone."""
    return {}


class Part(enum.StrEnum):
    """What the archive can do without."""

    LEAD = "lead"  # building on the best while it becomes better
    ISLANDS = "islands"  # more than one
    NICHES = "niches"  # the difference between them
    PARETO = "pareto"  # the winners of cases
    MIGRATION = "migration"  # the trade between islands
    SPARING = "sparing"  # the preference for what was seldom built on


class Islands:
    """Holds about ``capacity`` candidates for their scores, shared out among islands, and the winners of cases.

    A candidate belongs to the island of its first parent; one without parents begins an island.  An island that
    has not become better for ``PATIENCE`` candidates retires unless it leads.  ``describe`` says how a policy
    behaved, for the niches.  ``parts`` are those that it has.

    The best to build on is the latest of those that are equally good, though it is no member: to go on from what
    changed nothing crosses plateaus (Jansen & Wegener 2001).
    """

    def __init__(
        self,
        describe: Describe = undescribed,
        capacity: int = 32,
        parts: Collection[Part] = tuple(Part),
    ) -> None:
        self._capacity, self.parts = capacity, frozenset(parts)
        place = partial(niche, describe=describe) if Part.NICHES in parts else _nowhere
        self._new = partial(Island, niche=place, pareto=Part.PARETO in parts)
        self._islands: dict[int, Island] = {}  # by the order in which they began
        self._begun = 0
        self._members: list[Candidate] = []  # of all islands, best first
        self._seats: dict[int, list[int]] = {}  # the islands of each member
        self._homes: dict[int, int] = {}  # the island of each of the latest candidates
        self._twins: dict[tuple[float, ...], Candidate] = {}  # members by behaviour
        self._uses: dict[int, int] = {}  # how often a member was built on
        self._latest: Candidate | None = None  # of the best
        self._leading = 0  # the island that the best came from
        self._stuck = 0  # candidates since the best became better

    @property
    def best(self) -> Candidate | None:
        return self._members[0] if self._members else None

    def add(self, candidate: Candidate) -> bool:
        if Part.SPARING in self.parts:
            for parent in self._seats.keys() & candidate.proposal.parents:
                self._uses[parent] += 1
        name = self._home(candidate)
        if name is None:
            return False
        self._remember(candidate, name)
        self._follow(candidate, name)
        changed = self._take(candidate, self._islands[name])
        changed |= self._moved_on(name)
        if changed:
            self._settle()
        return candidate.number in self._seats

    def parent(self, rng: Random) -> Candidate:
        islands = [*self._islands.values()]
        if Part.LEAD in self.parts and self._latest is not None and rng.random() < self._share_of_the_best():
            return self._latest
        if len(islands) > 1 and rng.random() >= WITHIN:
            leaders = self._members[: 2 * LEAST]
            return tournament(leaders, [self._uses.get(member.number, 0) for member in leaders], rng)
        if not islands:
            raise LookupError("an empty archive has no parent to offer")
        return rng.choice(islands).parent(self._uses, rng)

    def inspirations(self, parent: Candidate, count: int, rng: Random) -> list[Candidate]:
        """Returns a winner of a case on which the parent is weak, another island's best, any other, and so on.

        Where there is none of a kind, the next kind takes its place.
        """
        others = [member for member in self._members if member.number != parent.number]
        pools = self._ahead(parent), self._elsewhere(parent), others
        found: dict[int, Candidate] = {}
        for turn in range(min(count, len(others))):
            left = ([member for member in pool if member.number not in found] for pool in pools[turn % len(pools) :])
            drawn = rng.choice(next(pool for pool in left if pool))
            found[drawn.number] = drawn
        return [*found.values()]

    def idle(self, member: Candidate) -> int:
        return max((self._islands[name].idle for name in self._known(member.number)), default=0)

    def least(self, parents: Sequence[int]) -> float:
        """Returns the score at or below which a child of these parents is taken only for winning a case."""
        homes = self._known(parents[0]) if parents else []
        return min((self._islands[name].least for name in homes), default=-math.inf)

    def find(self, number: int) -> Candidate | None:
        if self._latest is not None and self._latest.number == number:
            return self._latest
        return next((member for member in self._members if member.number == number), None)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def _share_of_the_best(self) -> float:
        return max(LEAST_LEAD, LEAD - YIELDING * self._stuck)

    def _follow(self, candidate: Candidate, name: int) -> None:
        """Takes note of a new best, or of one as good."""
        best, score = self._latest, candidate.evaluation.score
        better = score is not None and (best is None or score > best.score)
        self._stuck = 0 if better else self._stuck + 1
        self._leading = name if better else self._leading
        if better or (best is not None and score == best.score):
            self._latest = candidate

    def _ahead(self, parent: Candidate) -> list[Candidate]:
        """Returns the winners of cases on which a parent does worse, once for each such case."""
        return [winner for island in self._islands.values() for winner in island.front.ahead(parent)]

    def _elsewhere(self, parent: Candidate) -> list[Candidate]:
        """Returns the best of each island but that of a parent."""
        homes = self._known(parent.number)
        return [island.best for name, island in self._islands.items() if name not in homes]

    def _known(self, number: int) -> list[int]:
        """Returns the islands that a candidate sits on or belongs to; where that is not known, the one that leads."""
        homes = self._seats.get(number) or [self._homes.get(number, 0)]
        known = [name for name in homes if name in self._islands]
        return known or [name for name in self._islands if name == self._leading]

    def _home(self, candidate: Candidate) -> int | None:
        """Returns the island of a candidate; None for a failed one that descends from no island.

        A beginner that behaves like a member joins that one's: two islands of the same would be one too many.
        """
        parents = candidate.proposal.parents
        homes = self._known(parents[0]) if parents else []
        if homes:
            return homes[candidate.number % len(homes)]
        if self._islands and (Part.ISLANDS not in self.parts or len(self._islands) == MOST):
            return self._leading
        if candidate.evaluation.score is None:
            return None
        twin = self._twins.get(behaviour(candidate))
        return self._begin() if twin is None else self._seats[twin.number][0]

    def _begin(self) -> int:
        """Begins an island, for which the others make room."""
        self._begun += 1
        self._islands[self._begun] = self._new(self._capacity)
        self._share_out()
        return self._begun

    def _share_out(self) -> None:
        count = len(self._islands)
        share = self._capacity if count == 1 else max(LEAST, self._capacity // count)
        for island in self._islands.values():
            island.resize(share)

    def _remember(self, candidate: Candidate, name: int) -> None:
        self._homes[candidate.number] = name
        if len(self._homes) > REMEMBERED:
            del self._homes[next(iter(self._homes))]

    def _take(self, candidate: Candidate, island: Island) -> bool:
        """Has a candidate join its island, and returns whether a member came or went."""
        twin = None if candidate.evaluation.score is None else self._twins.get(behaviour(candidate))
        if candidate.evaluation.score is not None and twin is None:
            return island.add(candidate)
        island.idle += 1
        if twin is None or len(twin.proposal.source) <= len(candidate.proposal.source):
            return False
        for name in self._seats[twin.number]:
            self._islands[name].replace(twin, candidate)
        return True

    def _moved_on(self, name: int) -> bool:
        """Has an island that stands still take in another's best, or retire; returns whether either came about."""
        island = self._islands[name]
        if len(self._islands) == 1 and Part.ISLANDS not in self.parts:
            return False
        if Part.MIGRATION in self.parts and island.idle == PATIENCE // 2 and len(self._islands) > 1:
            later = [other for other in self._islands if other > name] or [*self._islands]
            island.receive(self._islands[later[0]].best)
            return True
        if island.idle < PATIENCE or name == self._leading:
            return False
        self._retire(name)
        return True

    def _retire(self, name: int) -> None:
        """Ends an island, whose winners of cases join the one that leads.

        Where few are left, one begins with the member that behaves least like the best.
        """
        retired = self._islands.pop(name)
        self._islands[self._leading].inherit(retired)
        self._share_out()
        if len(self._islands) >= FEWEST:
            return
        left = [member for island in self._islands.values() for member in island.members[1:]]
        best = self._islands[self._leading].best
        if left:
            founder = max(left, key=lambda member: _distance(member, best) / (1 + self._uses.get(member.number, 0)))
            self._islands[self._begin()].receive(founder)

    def _settle(self) -> None:
        """Works out anew what follows from the members of the islands."""
        members: dict[int, Candidate] = {}
        known = {member.number: ratios for ratios, member in self._twins.items()}
        self._seats = {}
        for name, island in self._islands.items():
            for member in island.members:
                members[member.number] = member
                self._seats.setdefault(member.number, []).append(name)
        self._members = sorted(members.values(), key=standing)
        self._twins = {known.get(member.number) or behaviour(member): member for member in self._members}
        self._uses = {number: self._uses.get(number, 0) for number in members}


def _nowhere(_: Candidate) -> tuple[int, ...]:
    """Has all candidates share one niche."""
    return ()


def _distance(one: Candidate, other: Candidate) -> float:
    """Returns how differently two candidates do on the cases: the mean difference of the logarithms of their ratios."""
    pairs = list(zip(behaviour(one), behaviour(other), strict=False))
    return sum(abs(math.log(ours / theirs)) for ours, theirs in pairs if ours > 0 and theirs > 0) / max(len(pairs), 1)
