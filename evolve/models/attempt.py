"""What one call to a provider came to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from evolve.models import Reply, Request
from evolve.types import Outcome, Usage


@dataclass(frozen=True, slots=True)
class Attempt:
    """A reply, and whether to ask again: only where the call cost nothing and another may go better.

    ``after_seconds`` is how long the provider asked us to wait.
    """

    reply: Reply
    again: bool = False
    after_seconds: float | None = None


class Caller(Protocol):
    """Calls one model, once.  Raises nothing but ``CancelledError``, whatever the provider does."""

    async def once(self, request: Request, began: Callable[[], None]) -> Attempt:
        """Returns what a call came to; says ``began`` as soon as the provider has taken the question."""

    async def close(self) -> None:
        """Lets go of connections."""


def nothing(outcome: Outcome, message: str, again: bool = False, after_seconds: float | None = None) -> Attempt:
    """Returns a failure that cost nothing."""
    return Attempt(Reply("", Usage(), outcome, message), again, after_seconds)
