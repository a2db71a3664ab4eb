"""Models that write policies: what they are asked, what they answer, and who carries it there and back.

Nothing here knows of problems, policies or runs.
"""

import hashlib
import json
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from evolve.types import Outcome, Usage


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    ``system`` is the same for every question of a run, so that providers can cache it; ``user`` is
    not.  ``model`` is a name of the pool's.  ``max_tokens`` bounds the answer, reasoning included.
    """

    model: str
    system: str
    user: str
    max_tokens: int
    temperature: float | None = None

    @property
    def id(self) -> str:
        """Names the question by its content."""
        whole = [self.model, self.system, self.user, self.max_tokens, self.temperature]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.  ``outcome`` is None for a whole answer; else ``message`` says what went wrong.

    ``usage`` is counted also for failures: what was sent and never accounted for by the provider
    counts with the most that it can have cost.
    """

    text: str
    usage: Usage
    outcome: Outcome | None = None
    message: str = ""


class Writers(Protocol):
    """The models of a run, asked many questions at a time."""

    def send(self, number: int, request: Request) -> Future[Reply]:
        """Returns at once; the future raises only what must stop the run."""


class Client(Protocol):
    """Asks one model.  Never raises for what a model or its provider does: that is the reply's outcome."""

    async def ask(self, number: int, request: Request) -> Reply:
        """Returns the answer to the question of turn ``number`` of the run."""

    async def close(self) -> None:
        """Lets go of connections."""


def estimated_tokens(text: str) -> int:
    """Estimates the tokens of a text from above: three bytes each, where code and English have about four."""
    return -(-len(text.encode("utf-8", "replace")) // 3)
