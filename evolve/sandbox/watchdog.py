"""A thread that kills a child when one answer, or all that was waited for, takes too long."""

import threading
import time
from math import inf
from typing import Protocol

_TICK_SECONDS = 0.02


class Killable(Protocol):
    """What the watchdog guards."""

    def kill(self, why: str) -> None:
        """Ends it at once; ``why`` is what its verdict will say."""


class Watchdog:
    """Guards one child at a time; deadlines are kept to within some 20 ms.

    Only waiting counts: what the simulator does between two questions is not the policy's time.
    """

    def __init__(self) -> None:
        self._guarded: Killable | None = None
        self._total_seconds = self._left_seconds = inf
        self._waited_seconds = 0.0
        self._asked_at, self._deadline, self._late = 0.0, inf, ""
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sandbox watchdog", daemon=True)
        self._thread.start()

    def guard(self, child: Killable, total_seconds: float = inf) -> None:
        """Takes charge of a child, of which ``total_seconds`` may be spent waiting."""
        self._total_seconds = self._left_seconds = total_seconds
        self._waited_seconds, self._deadline = 0.0, inf
        self._guarded = child
        self._awake.set()

    def expect_answer_within(self, seconds: float, late: str) -> None:
        """Kills the child, ``late`` being why, unless ``answered`` is called in time."""
        self._late = (
            late
            if seconds <= self._left_seconds
            else f"was not done within the {self._total_seconds:.3g} s it had left"
        )
        self._asked_at = time.monotonic()
        self._deadline = self._asked_at + min(seconds, self._left_seconds)

    def answered(self) -> None:
        """Takes note that the child has answered."""
        self._deadline = inf
        waited = time.monotonic() - self._asked_at
        self._left_seconds -= waited
        self._waited_seconds += waited

    def release(self) -> float:
        """Guards the child no more; once this returns, it will not be killed from here.

        Returns the seconds that were spent waiting for it.
        """
        with self._lock:
            self._guarded = None
            self._awake.clear()
        if self._deadline < inf:
            self.answered()
        return self._waited_seconds

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        self._awake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            self._awake.wait()
            with self._lock:
                if self._guarded is not None and time.monotonic() > self._deadline:
                    self._guarded.kill(self._late)
            time.sleep(_TICK_SECONDS)
