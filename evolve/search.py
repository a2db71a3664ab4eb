"""Decides what to try next: baselines first, then what the proposers make of the archive."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from evolve import normal
from evolve.archives import Archive
from evolve.bandit import Chooser, Fixed, Lever, Yield
from evolve.proposers import ONLY, Draft, Proposer, Way
from evolve.types import Baseline, Candidate, EvolveError, Miss, Outcome, Proposal

ATTEMPTS = 200
"""Proposals in a row that may be nothing or old before the search calls itself exhausted."""


class Exhausted(EvolveError):  # noqa: N818 - an end, not an error of anyone's
    """The proposers have nothing new to offer."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A proposer and how often it is asked, relative to the others, while nothing is known of them."""

    proposer: Proposer
    weight: float


class Search:
    """Ask/tell over proposers and an archive.

    What turn ``n`` asks for depends on the seed, on ``n`` and on what was told before it was asked, so
    the same told in the same order gives the same search, on any number of workers and after any
    interruption.
    """

    def __init__(
        self,
        baselines: Sequence[Baseline],
        arms: Sequence[Arm],
        archive: Archive,
        seed: int,
        chooser: Chooser | None = None,
    ) -> None:
        self._baselines, self._arms, self._archive, self._seed = baselines, arms, archive, seed
        self._chooser: Chooser = Fixed() if chooser is None else chooser
        self._proposers = {arm.proposer.name: arm.proposer for arm in arms}
        self._asked: set[str] = set()  # keys of policies asked for or told
        self._admitted: dict[str, int] = {}  # the turn that first led to a policy

    @property
    def archive(self) -> Archive:
        """The candidates worth building on."""
        return self._archive

    @property
    def bar(self) -> float:
        """The score that a new best has to exceed."""
        best = self._archive.best
        return 0.0 if best is None else best.score

    @property
    def trouble(self) -> str:
        """What keeps a proposer from offering anything for the rest of the sitting; empty if nothing does."""
        return "; ".join(arm.proposer.trouble for arm in self._arms if arm.proposer.trouble)

    def ask(self, number: int) -> Proposal | Draft:
        """Returns the policy of turn ``number``, or what to ask a model for it; no policy is returned twice.

        Raises:
            Exhausted: nothing new was proposed in ``ATTEMPTS`` attempts.
        """
        if number < len(self._baselines):
            made: Proposal | Draft = self._baseline(number)
        else:
            made = self._new(Random(f"{self._seed}/{number}"))
        if isinstance(made, Proposal):
            self._asked.add(_key(made.source))
        return made

    def recall(self, made: Proposal | Miss) -> None:
        """Takes note of what a turn led to in an earlier sitting, in place of asking."""
        if isinstance(made, Proposal) and not made.model:
            self._asked.add(_key(made.source))
        for arm in self._arms:
            arm.proposer.recall(made)

    def admit(self, number: int, made: Proposal | Miss) -> Proposal | Miss:
        """Returns what a turn led to, which is nothing if an earlier turn led to the same; called in order."""
        if isinstance(made, Miss):
            return made
        first = self._admitted.setdefault(_key(made.source), number)
        return made if first == number or number < len(self._baselines) else _repeated(number, first, made)

    def tell(self, told: Candidate | Miss) -> None:
        """Learns what became of a turn."""
        reward = 0.0
        if isinstance(told, Candidate):
            self._asked.add(_key(told.proposal.source))
            bar = self.bar
            if self._archive.add(told):
                reward = 1.0 if told.score > bar else _TAKEN
        self._credit(told, reward)
        for arm in self._arms:
            arm.proposer.tell(told)

    def _credit(self, told: Candidate | Miss, reward: float) -> None:
        """Tells the chooser what its lever has led to, as far as it is known whose turn it was."""
        made = told.proposal if isinstance(told, Candidate) else told
        if made.proposer in self._proposers:
            way = Way(made.model, made.operator) if made.model else ONLY
            cases = told.evaluation.simulations if isinstance(told, Candidate) else 0
            self._chooser.tell(Lever(made.proposer, way), Yield(reward, cases, made.usage.tokens))

    def _baseline(self, number: int) -> Proposal:
        baseline = self._baselines[number]
        return Proposal(baseline.source, "baseline", baseline.name, rationale=baseline.about)

    def _new(self, rng: Random) -> Proposal | Draft:
        for _ in range(ATTEMPTS):
            made = self._attempt(rng)
            if isinstance(made, Draft) or (made is not None and self._is_new(made.source)):
                return made
        raise Exhausted(self.trouble or f"no proposer had anything new to offer in {ATTEMPTS} attempts")

    def _attempt(self, rng: Random) -> Proposal | Draft | None:
        try:
            parent = self._archive.parent(rng)
        except LookupError:
            return None
        levers = self._levers(self._archive.idle(parent))
        if not levers:
            return None
        proposer, way = self._chooser.choose(levers, rng)
        return self._proposers[proposer].propose(parent, self._archive, rng, way)

    def _levers(self, idle: int) -> Mapping[Lever, float]:
        """Returns what can be asked for now, with weights."""
        levers = {}
        for arm in self._arms:
            ways = arm.proposer.ways(idle)
            whole = sum(ways.values())
            levers.update({Lever(arm.proposer.name, way): arm.weight * share / whole for way, share in ways.items()})
        return levers

    def _is_new(self, source: str) -> bool:
        """Says no to what was proposed before, and to text that no file can hold."""
        return _is_unicode(source) and _key(source) not in self._asked


_TAKEN = 0.2
"""The reward of a candidate that is worth building on, beside 1 for a new best."""


def _repeated(number: int, first: int, made: Proposal) -> Miss:
    return Miss(
        number,
        Outcome.NOT_NEW,
        f"the same policy as #{first}, apart from layout, comments and names",
        made.proposer,
        made.operator,
        made.parents,
        model=made.model,
        prompt=made.prompt,
        usage=made.usage,
    )


def _is_unicode(source: str) -> bool:
    try:
        source.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=64)  # asked for when a policy is proposed, admitted and told
def _key(source: str) -> str:
    """Equal for policies that differ only in layout, comments and names of locals."""
    try:
        return normal.key(source)
    except normal.SourceError:
        return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
