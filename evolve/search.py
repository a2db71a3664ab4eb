"""Decides what to judge next: baselines first, then what the proposers make of the archive."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from evolve import normal
from evolve.archives import Archive
from evolve.proposers import Proposer
from evolve.types import Baseline, Candidate, EvolveError, Proposal

ATTEMPTS = 200
"""Proposals in a row that may be nothing or old before the search calls itself exhausted."""


class Exhausted(EvolveError):  # noqa: N818 - an end, not an error of anyone's
    """The proposers have nothing new to offer."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A proposer and how often it is asked, relative to the others."""

    proposer: Proposer
    weight: float


class Search:
    """Ask/tell over proposers and an archive.

    Proposal ``n`` depends on the seed, on ``n`` and on the candidates told before it was asked, so
    the same candidates told in the same order give the same search, on any number of workers and
    after any interruption.
    """

    def __init__(self, baselines: Sequence[Baseline], arms: Sequence[Arm], archive: Archive, seed: int) -> None:
        self._baselines, self._arms, self._archive, self._seed = baselines, arms, archive, seed
        self._seen: set[str] = set()

    @property
    def archive(self) -> Archive:
        """The candidates worth building on."""
        return self._archive

    @property
    def bar(self) -> float:
        """The score that a new best has to exceed."""
        best = self._archive.best
        return 0.0 if best is None else best.score

    def ask(self, number: int) -> Proposal:
        """Returns the policy to judge as candidate ``number``; none is returned twice.

        Raises:
            Exhausted: nothing new was proposed in ``ATTEMPTS`` attempts.
        """
        proposal = (
            self._baseline(number) if number < len(self._baselines) else self._new(Random(f"{self._seed}/{number}"))
        )
        self.recall(proposal)
        return proposal

    def recall(self, proposal: Proposal) -> None:
        """Takes note of a proposal that was asked for before an interruption."""
        self._seen.add(_key(proposal.source))

    def tell(self, candidate: Candidate) -> None:
        """Learns a judged candidate."""
        self._archive.add(candidate)
        for arm in self._arms:
            arm.proposer.tell(candidate)

    def _baseline(self, number: int) -> Proposal:
        baseline = self._baselines[number]
        return Proposal(baseline.source, "baseline", baseline.name, rationale=baseline.about)

    def _new(self, rng: Random) -> Proposal:
        proposers = [arm.proposer for arm in self._arms]
        weights = [arm.weight for arm in self._arms]
        for _ in range(ATTEMPTS):
            proposal = rng.choices(proposers, weights)[0].propose(self._archive, rng)
            if proposal is not None and self._is_new(proposal.source):
                return proposal
        raise Exhausted(f"no proposer had anything new to offer in {ATTEMPTS} attempts")

    def _is_new(self, source: str) -> bool:
        """Says no to what was proposed before, and to text that no file can hold."""
        return _is_unicode(source) and _key(source) not in self._seen


def _is_unicode(source: str) -> bool:
    try:
        source.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=64)  # asked for when a proposal is new and again when it is noted
def _key(source: str) -> str:
    """Equal for policies that differ only in layout, comments and names of locals."""
    try:
        return normal.key(source)
    except normal.SourceError:
        return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
