"""A thread that kills a child when its wall time or the time of one answer is over."""

import threading
import time
from typing import Protocol

_TICK_SECONDS = 0.02


class Killable(Protocol):
    """What the watchdog guards."""

    def kill(self, why: str) -> None:
        """Ends it at once; ``why`` is what its verdict will say."""


class Watchdog:
    """Guards one child at a time; deadlines are kept to within some 20 ms."""

    def __init__(self) -> None:
        self._guarded: Killable | None = None
        self._wall_seconds, self._wall_deadline, self._answer_deadline = 0.0, float("inf"), float("inf")
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sandbox watchdog", daemon=True)
        self._thread.start()

    def guard(self, child: Killable, wall_seconds: float) -> None:
        """Kills ``child`` after ``wall_seconds`` unless it is released before."""
        self._wall_seconds, self._wall_deadline = wall_seconds, time.monotonic() + wall_seconds
        self._answer_deadline = float("inf")
        self._guarded = child
        self._awake.set()

    def expect_answer_within(self, seconds: float) -> None:
        """Kills the child unless ``answered`` is called in time."""
        self._answer_deadline = time.monotonic() + seconds

    def answered(self) -> None:
        """Takes note that the child has answered."""
        self._answer_deadline = float("inf")

    def release(self) -> None:
        """Guards the child no more; once this returns, it will not be killed from here."""
        with self._lock:
            self._guarded = None
            self._awake.clear()

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        self._awake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            self._awake.wait()
            with self._lock:
                self._check()
            time.sleep(_TICK_SECONDS)

    def _check(self) -> None:
        if self._guarded is None:
            return
        now = time.monotonic()
        if now > self._answer_deadline:
            self._guarded.kill("did not answer a call in time")
        elif now > self._wall_deadline:
            self._guarded.kill(f"was not done after {self._wall_seconds:g} s")
