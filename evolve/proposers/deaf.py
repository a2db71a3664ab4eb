"""A proposer that does not learn from the run."""

from collections.abc import Mapping
from random import Random

from evolve.archives import Archive
from evolve.proposers import Draft, Proposer, Way
from evolve.types import Candidate, Miss, Proposal


class Deaf:
    """Another proposer that hears of the baselines alone, so that each proposal is independent of those before it."""

    def __init__(self, proposer: Proposer) -> None:
        self._proposer, self.name = proposer, proposer.name

    @property
    def trouble(self) -> str:
        return self._proposer.trouble

    def ways(self, idle: int) -> Mapping[Way, float]:  # noqa: ARG002 - how long nothing was found is not heard either
        return self._proposer.ways(0)

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Proposal | Draft | None:
        return self._proposer.propose(parent, archive, rng, way)

    def hear(self, hint: str, /) -> None:
        self._proposer.hear(hint)

    def recall(self, made: Proposal | Miss, /) -> None:
        self._proposer.recall(made)

    def tell(self, told: Candidate | Miss, /) -> None:
        if isinstance(told, Candidate) and not told.proposal.parents:
            self._proposer.tell(told)
