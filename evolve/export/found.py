"""A policy of a run with what is known of it."""

from dataclasses import dataclass

from evolve.export.figures import Stood
from evolve.export.plainword import word
from evolve.export.verified import Explained, Verified
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.publication.result import sha256
from evolve.text import kept
from evolve.types import Candidate

LATE = "made after the secret was revealed"


@dataclass(frozen=True, slots=True)
class Found:
    """A policy of a run with what is known of it.

    ``verified`` is what the sealed cases say of the candidate, where they were asked; ``doubt`` is what keeps what was
    said of them from being evidence.  ``explained`` is there where ``text``, the policy, is not the candidate's but the
    smallest diff that keeps its gain.
    """

    run: RunFolder
    journal: Journal
    candidate: Candidate
    text: str
    verified: Verified | None
    doubt: str = ""
    explained: Explained | None = None

    @property
    def problem(self) -> str:
        """The name of the problem."""
        return word(self.journal.header.problem, 30)

    @property
    def cases(self) -> str:
        """How the cases are called that no search has seen."""
        return f"{kept(self.journal.header.held_out)} cases"

    @property
    def name(self) -> str:
        """What the candidate is called."""
        return f"candidate {self.candidate.number}"

    @property
    def lesser(self) -> Stood | None:
        """How the smallest diff itself did on the sealed cases, where it is the policy and that is known."""
        lesser = self.verified.minimised if self.verified and self.explained else None
        return lesser.standing if lesser and lesser.sha256 == sha256(self.text) else None

    @property
    def searched(self) -> str:
        """The cases that the search saw."""
        return word(self.journal.header.cases)

    @property
    def late(self) -> bool:
        """Whether the smallest diff was made, as far as is known, after the secret of its cases was revealed."""
        return not (self.verified and self.verified.minimised and self.verified.minimised.covered)

    @property
    def foreign(self) -> bool:
        """Whether figures came with the run, so that nobody here has seen them come about."""
        return any(known is not None and not known.here for known in (self.verified, self.explained))
