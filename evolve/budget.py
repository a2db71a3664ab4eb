"""What a run may use, and when that is spent."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from evolve.types import NO_USAGE, Candidate, EvolveError, Miss, Usage

DEFAULT_EVALUATIONS = 1000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a run may use over all sittings, and the score on train at which it is done; None: no limit."""

    evaluations: int | None = None
    seconds: float | None = None
    dollars: float | None = None
    tokens: int | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise EvolveError(f"a budget must be positive; got {name}={value}")


LONGEST_STEP_SECONDS = 600.0
"""Between two looks at the clock: whatever is more, the machine was asleep or the clock was set."""


class Stopwatch:
    """Seconds of search, by a clock that may jump: back counts as nothing, ahead as ten minutes at most.

    Threads may look at it.
    """

    def __init__(self, clock: Callable[[], float], seconds: float = 0.0) -> None:
        self._clock, self._seconds = clock, seconds
        self._last, self._stopped = clock(), False
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        with self._lock:
            now = self._clock()
            if not self._stopped:
                self._seconds += min(max(now - self._last, 0.0), LONGEST_STEP_SECONDS)
            self._last = now
            return self._seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Does not count the seconds within."""
        _, self._stopped = self.seconds, True
        try:
            yield
        finally:
            _, self._stopped = self.seconds, False


class Budget:
    """Keeps a limit: 200 means 200, never 201, for what is under way counts with the most it can come to.

    ``most`` is the most that one question to a model can use.  Seconds and ``lost`` usage of earlier
    sittings count: a process that was killed has paid for answers that it never saw.
    """

    def __init__(
        self,
        limit: Limit,
        clock: Callable[[], float],
        *,
        most: Usage = NO_USAGE,
        used_seconds: float = 0.0,
        lost: Usage = NO_USAGE,
    ) -> None:
        self._limit, self.most = limit, most
        self._watch = Stopwatch(clock, used_seconds)
        self._under_way: dict[int, Usage] = {}
        self._evaluations, self.usage = 0, lost
        self._best: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds of search so far, over all sittings, without those of pauses."""
        return self._watch.seconds

    def stopped(self) -> AbstractContextManager[None]:
        """Returns a pause, the seconds of which do not count."""
        return self._watch.stopped()

    @property
    def seconds_to_go(self) -> float:
        """Seconds until the limit of time; infinite without one."""
        return float("inf") if self._limit.seconds is None else max(self._limit.seconds - self.seconds, 0.0)

    def begin(self, number: int, most: Usage) -> None:
        """Sets aside what a turn can come to: an evaluation, and ``most``."""
        self._under_way[number] = most

    def end(self, told: Candidate | Miss) -> None:
        """Counts what a turn came to."""
        del self._under_way[told.number]
        if isinstance(told, Miss):
            self.usage += told.usage
            return
        self.usage += told.proposal.usage
        self._evaluations += 1
        score = told.evaluation.score
        if score is not None:
            self._best = score if self._best is None else max(score, self._best)

    def lose(self, usage: Usage) -> None:
        """Counts what was used for nothing."""
        self.usage += usage

    def affords(self) -> bool:
        """Says whether another turn may begin, whatever becomes of it and of those under way."""
        return not self.spent

    @property
    def spent(self) -> str:
        """Why no other turn may begin; empty while one may."""
        limit = self._limit
        if self._best is not None and limit.score is not None and self._best >= limit.score:
            return f"a policy has the score {limit.score:g} on train"
        if limit.evaluations is not None and self._evaluations + len(self._under_way) >= limit.evaluations:
            return f"{limit.evaluations} evaluations"
        if limit.seconds is not None and self.seconds >= limit.seconds:
            return f"{limit.seconds / 60:g} minutes"
        worst = sum(self._under_way.values(), self.usage) + self.most
        if limit.tokens is not None and worst.tokens > limit.tokens:
            left = max(limit.tokens - self.usage.tokens, 0)
            return f"{left} of {limit.tokens} tokens are left, and a question can use {self.most.tokens}"
        if limit.dollars is None:
            return ""
        if worst.dollars is None or self.usage.dollars is None or self.most.dollars is None:
            return "the price of a model is not known"
        if worst.dollars <= limit.dollars + _ROUNDING:
            return ""
        left_dollars = max(limit.dollars - self.usage.dollars, 0.0)
        return (
            f"${left_dollars:.4f} of ${limit.dollars:g} are left, and a question can cost ${self.most.dollars:.4f} "
            "(--answer-tokens sets that)"
        )

    def seconds_left(self) -> float | None:
        """Estimates the time to the end from the pace so far; None while nothing is known."""
        left = [] if self._limit.seconds is None else [self.seconds_to_go]
        for limit, used in (
            (self._limit.evaluations, self._evaluations),
            (self._limit.dollars, self.usage.dollars),
            (self._limit.tokens, self.usage.tokens),
        ):
            if limit is not None and used:
                left.append(max(limit - used, 0) * self.seconds / used)
        return min(left, default=None)
