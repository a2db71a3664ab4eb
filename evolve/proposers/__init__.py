"""Whatever thinks of a new policy.  Every proposer keeps this interface."""

from random import Random
from typing import Protocol

from evolve.archives import Archive
from evolve.types import Candidate, Proposal


class Proposer(Protocol):
    """Asked for a proposal; told of every judged candidate of the run, whoever proposed it.

    What a proposer answers depends on the archive, on ``rng`` and on what it was told, and on
    nothing else: a resumed run tells it the journal and goes on where it was.
    """

    name: str

    def propose(self, archive: Archive, rng: Random) -> Proposal | None:
        """Returns a new policy, or None when it has nothing to offer from this archive."""

    def tell(self, candidate: Candidate) -> None:
        """Learns a judged candidate."""
