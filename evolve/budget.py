"""What a run may use, and when that is spent."""

from collections.abc import Callable
from dataclasses import dataclass

from evolve.types import EvolveError

DEFAULT_EVALUATIONS = 1000


@dataclass(frozen=True, slots=True)
class Limit:
    """How many evaluations and how many seconds of search a run may take; None: any number."""

    evaluations: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("evaluations", "seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise EvolveError(f"a budget must be positive; got {name}={value}")


class Budget:
    """Keeps a limit against a clock; seconds used before an interruption count."""

    def __init__(self, limit: Limit, clock: Callable[[], float], used_seconds: float = 0.0) -> None:
        self._limit, self._clock = limit, clock
        self._start = clock() - used_seconds

    @property
    def seconds(self) -> float:
        """Seconds of search so far, over all sittings."""
        return self._clock() - self._start

    def allows(self, number: int) -> bool:
        """Says whether candidate ``number`` (from 0) may still be judged: 200 means 200."""
        if self._limit.evaluations is not None and number >= self._limit.evaluations:
            return False
        return self._limit.seconds is None or self.seconds < self._limit.seconds

    def seconds_left(self, done: int) -> float | None:
        """Estimates the time to the end after ``done`` evaluations; None while nothing is known."""
        left = []
        if self._limit.seconds is not None:
            left.append(max(self._limit.seconds - self.seconds, 0.0))
        if self._limit.evaluations is not None and done:
            left.append(max(self._limit.evaluations - done, 0) * self.seconds / done)
        return min(left, default=None)
