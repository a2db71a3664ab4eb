"""How long the judge waits for a simulator that a decision may have driven into an endless loop.

Policies choose what they decide, so a search finds the one decision that a simulator never comes back
from.  Two lines stand against it, both only in the main thread, where Python runs signal handlers:

1. A timer ticks; a simulator that is still at the same step after so many ticks has ``Overdue``
   raised in it, and again after every few more.
2. Inside C code no handler runs.  Every tick also winds up a timer on the CPU time of the process, whose
   signal is left to the kernel: without ticks it ends the process at about twice the limit.  Who
   started the process then finds ``SIGPROF`` as its end.

In any other thread nothing holds: judge in a process of its own, as the executors do.
"""

import math
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Generic, Self, TypeVar

_TICK_SECONDS = 0.25
_AGAIN = 4
"""Ticks until ``Overdue`` is raised again: enough to be caught, also where the machine lets two come at once."""

_LAST_RESORT = 2.0
"""Limits of CPU time after which the kernel ends a process that takes no more ticks."""

Step = TypeVar("Step")
_SEEN: Any = object()


def late(seconds: float) -> str:
    """Returns what is said of a simulator that is overdue."""
    return f"did not come back within {seconds:g} s"


class Overdue(BaseException):  # no `except Exception` of a simulator is to swallow it
    """Raised inside a simulator that has not come back."""


class Patience(Generic[Step]):
    """Watches what the judge is at, from ``with`` to its end; signal handlers and timers are put back then.

    The judge says in ``at`` which step a simulator is at, anew for each, and None when it is nobody's
    turn.  That is all it costs.  Only ticks count, so a machine that was asleep is not blamed on anyone.
    ``overdue`` is the step that was at fault last, also where a simulator has swallowed the exception.
    """

    def __init__(self, seconds: float) -> None:
        self.at: Step | None = None
        self.overdue: Step | None = None
        self.seconds = seconds
        self._tick_seconds = min(_TICK_SECONDS, seconds / 4)
        self._ticks = 0
        self._told = False
        self._last: Step | None = None
        self._before: tuple[Any, Any, tuple[float, float], tuple[float, float]] | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread() and math.isfinite(self.seconds):
            last_resort = signal.signal(signal.SIGPROF, signal.SIG_DFL)
            ticking = signal.signal(signal.SIGALRM, self._tick)
            profile = signal.setitimer(signal.ITIMER_PROF, _LAST_RESORT * self.seconds)
            alarm = signal.setitimer(signal.ITIMER_REAL, self._tick_seconds, self._tick_seconds)
            self._before = last_resort, ticking, profile, alarm
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.at = None
        if self._before is None:
            return
        last_resort, ticking, profile, alarm = self._before
        # The ticks end first: one that comes late would wind up the other timer again.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if ticking is None else ticking)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_DFL if last_resort is None else last_resort)
        signal.setitimer(signal.ITIMER_PROF, *profile)
        signal.setitimer(signal.ITIMER_REAL, *alarm)

    def _tick(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what a handler is called with
        if self.at is not _SEEN:
            self._last, self.at, self._ticks, self._told = self.at, _SEEN, 0, False
        elif self._last is not None:
            self._ticks += 1
            self._insist()
        if not self._told:  # for whoever swallows what it is told, the other timer runs on
            signal.setitimer(signal.ITIMER_PROF, _LAST_RESORT * self.seconds)

    def _insist(self) -> None:
        if self._ticks * self._tick_seconds >= self.seconds:
            self._ticks -= _AGAIN
            self.overdue, self._told = self._last, True
            raise Overdue
