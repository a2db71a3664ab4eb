"""The gate before one model: while the model is down, all calls wait together, and one goes first."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from evolve.models import Reply
from evolve.models.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before asking again, and for how long in all.

    The waits grow from ``first_seconds`` by ``factor`` to ``most_seconds``; a provider that names a
    time itself gets it up to ``asked_seconds``.  A question is given up ``total_seconds`` after it came, or
    after the provider was there for the last time: who asks at the end of an outage does not wait it out again.
    """

    first_seconds: float = 1.0
    factor: float = 2.0
    most_seconds: float = 60.0
    asked_seconds: float = 300.0
    total_seconds: float = 900.0

    def seconds(self, failures: int, asked: float | None, rng: random.Random) -> float:
        """Returns how long to wait after so many failures in a row, at least 1."""
        if asked is not None:
            return min(asked, self.asked_seconds) + self.first_seconds * rng.random()
        steps = min(failures - 1, 64)
        return min(self.most_seconds, self.first_seconds * self.factor**steps) * rng.uniform(0.5, 1.0)


class Gate:
    """Lets calls in, all of them while the model answers, one at a time while it is to be seen whether it does.

    Who is let in holds the number of the failure that came before, so that sixteen calls which fail
    together count as one failure, and one that began before it does not open the gate again.
    """

    def __init__(self, patience: Patience, rng: random.Random, clock: Callable[[], float]) -> None:
        self._patience, self._rng, self._clock = patience, rng, clock
        self._opens, self._failures, self._shuttings, self._trying = -math.inf, 0, 0, False
        self._down_since = math.inf
        self.last: Reply | None = None
        """What came of the call that shut the gate last."""

    def wait_seconds(self) -> float:
        """Returns how long the gate is still shut: 0 is open, infinite is until the call that goes first is back."""
        if self._failures and self._trying:
            return math.inf
        return max(0.0, self._opens - self._clock())

    def patience_ends(self, came: float) -> float:
        """Returns when to give up a question that came at a time."""
        return min(came, self._down_since) + self._patience.total_seconds

    def enter(self) -> int | None:
        """Lets one call in; returns None where the gate is shut."""
        if self.wait_seconds() > 0:
            return None
        self._trying = self._failures > 0
        return self._shuttings

    def began(self, ticket: int) -> None:
        """The provider took the question of who holds the ticket."""
        if ticket == self._shuttings:
            self._failures, self._trying, self._opens, self._down_since = 0, False, -math.inf, math.inf

    def left(self, ticket: int) -> None:
        """Who holds the ticket is back, and brings no news of the provider."""
        if ticket == self._shuttings:
            self._trying = False

    def shut(self, ticket: int, attempt: Attempt) -> float | None:
        """Shuts the gate after a failure; returns for how many seconds, None where that is no news."""
        self.last = attempt.reply
        if ticket != self._shuttings:
            return None
        self._failures, self._shuttings, self._trying = self._failures + 1, self._shuttings + 1, False
        seconds = self._patience.seconds(self._failures, attempt.after_seconds, self._rng)
        now = self._clock()
        self._down_since, self._opens = min(self._down_since, now), now + seconds
        return seconds
