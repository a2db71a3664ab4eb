"""The ear of a search: hints reach it before a turn begins, and a pause keeps that turn waiting."""

import time
from collections.abc import Callable, Sequence

from evolve.budget import Budget
from evolve.journal import Journal

BEAT_SECONDS = 0.5
"""Between two looks whether a pause is over."""


class Listener:
    """Hears what people say to the run of a journal.  ``paused`` is told once when the search begins to wait.

    Turns that an earlier sitting began hear what they heard then; whatever is new waits for the first one after
    them, for what they ask is settled.  Seconds of a pause count against no budget.
    """

    def __init__(
        self,
        journal: Journal,
        budget: Budget,
        paused: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._steering, self._reached = journal.steering, journal.reached()
        self._budget, self._paused, self._sleep = budget, paused, sleep

    def hear(self, number: int, meanwhile: Callable[[], None]) -> Sequence[str]:
        """Returns the hints that turn ``number`` is the first to heed, when it may begin.

        While it may not, ``meanwhile`` is called again and again.
        """
        if number >= self._reached and self._steering.changed():
            if self._steering.paused:
                self._wait(meanwhile)
            self._steering.heed(number)
        return self._steering.heard(number)

    def _wait(self, meanwhile: Callable[[], None]) -> None:
        self._paused()
        with self._budget.stopped():
            while self._steering.paused:
                meanwhile()
                self._sleep(BEAT_SECONDS)
