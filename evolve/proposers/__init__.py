"""Whatever thinks of a new policy.  Every proposer keeps this interface."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from evolve.archives import Archive
from evolve.models import Reply, Request
from evolve.proposers.answers import Answer, Unusable
from evolve.types import Candidate, Miss, Outcome, Proposal


class Way(NamedTuple):
    """How a proposer is asked: which model, for which operator; neither where it knows but one way."""

    model: str = ""
    operator: str = ""


ONLY = Way()
"""The way of a proposer that knows but one."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal that a model has still to write: what to ask it, and how to read its answer.

    ``read`` returns the policy in an answer, or raises Unusable; it depends on nothing but the answer.
    """

    request: Request
    read: Callable[[str], Answer]
    proposer: str
    operator: str
    parents: tuple[int, ...]

    def finish(self, number: int, reply: Reply) -> Proposal | Miss:
        """Returns what a reply makes of turn ``number``."""
        if reply.outcome is not None:
            return self._miss(number, reply, reply.outcome, reply.message)
        try:
            answer = self.read(reply.text)
        except Unusable as reason:
            return self._miss(number, reply, reason.outcome, str(reason))
        return Proposal(
            answer.source,
            self.proposer,
            self.operator,
            self.parents,
            answer.rationale,
            self.request.model,
            self.request.id,
            reply.usage,
        )

    def _miss(self, number: int, reply: Reply, outcome: Outcome, message: str) -> Miss:
        return Miss(
            number,
            outcome,
            message,
            self.proposer,
            self.operator,
            self.parents,
            reply.text,
            self.request.model,
            self.request.id,
            reply.usage,
        )


class Proposer(Protocol):
    """Asked for a proposal; told what became of every turn of the run, whoever proposed it.

    What a proposer answers depends on the archive, on ``rng`` and on what it was told, and on
    nothing else: a resumed run tells it the journal and goes on where it was.
    """

    name: str

    @property
    def trouble(self) -> str:
        """What keeps it from offering anything for the rest of the sitting; empty if nothing does."""

    def ways(self, idle: int) -> Mapping[Way, float]:
        """Returns how it can be asked, and how often in each way while nothing is known of them; nothing: not at all.

        ``idle`` counts the candidates since those around the parent last became better (see ``Archive.idle``).
        """

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Proposal | Draft | None:
        """Returns a new policy made from a parent in one of its ways, or None when it has nothing to offer."""

    def hear(self, hint: str, /) -> None:
        """Hears what the person who runs the search has to say; words mean nothing to a proposer without a model."""

    def recall(self, made: Proposal | Miss, /) -> None:
        """Hears, in place of a question, what came of that question in an earlier sitting."""

    def tell(self, told: Candidate | Miss, /) -> None:
        """Learns a judged candidate, or that a turn led to none."""
