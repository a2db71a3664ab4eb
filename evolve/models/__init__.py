"""Models that write policies: what they are asked, what they answer, and who carries it there and back.

Nothing here knows of problems, policies or runs.
"""

import hashlib
import json
import re
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from evolve.types import EvolveError, Outcome, Usage

_PARTS = re.compile(r"[A-Za-z]+|\n\s*|[^A-Za-z\s]+")


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


class Unsent(EvolveError):  # noqa: N818 - an end, not an error of anyone's
    """A run ended before a question was sent, which has therefore cost nothing."""


class RecordingEnded(EvolveError):  # noqa: N818 - an end, not an error of anyone's
    """A recording holds no answer to a turn, for the run that it is of was stopped before."""


class Writers(Protocol):
    """The models of a run, asked many questions at a time."""

    @property
    def unsent(self) -> Collection[int]:
        """The turns whose questions have not been sent; where the run is stopped, they never were."""

    def send(self, number: int, request: Request) -> Future[Reply]:
        """Returns at once; the future raises only what must stop the run."""


class Client(Protocol):
    """Asks one model.  Never raises for what a model or its provider does: that is the reply's outcome."""

    async def ask(self, number: int, request: Request) -> Reply:
        """Returns the answer to the question of turn ``number`` of the run."""

    async def close(self) -> None:
        """Lets go of connections."""


def estimated_tokens(text: str) -> int:
    """Estimates the tokens of code and prose from above, by about a fifth; tokenizers differ.

    A word has one for each six letters, a digit, a mark and a line's end with its indentation have one
    each, and other scripts one for each byte.
    """
    return sum(_tokens(part) for part in _PARTS.findall(text))


def _tokens(part: str) -> int:
    if part.isspace():
        return 1
    return -(-len(part) // 6) if part.isascii() and part.isalpha() else len(part.encode("utf-8", "replace"))
