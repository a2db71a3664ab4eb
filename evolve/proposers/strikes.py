"""Which models have failed how often in a row, and which are given up, and why."""

import logging
from collections import Counter

from evolve.types import Candidate, Miss, Outcome

_log = logging.getLogger(__name__)

_FATAL = frozenset({Outcome.KEY_REFUSED, Outcome.NO_SUCH_MODEL})
OF_THE_CALL = _FATAL | {
    Outcome.REJECTED,
    Outcome.RATE_LIMITED,
    Outcome.UNAVAILABLE,
    Outcome.NO_ANSWER,
    Outcome.NOT_ASKED,
}

MOST_FAILED_CALLS, MOST_USELESS_ANSWERS = 3, 20
"""In a row; then a model is given up for the rest of the sitting."""


class Strikes:
    """Which models have failed how often in a row, and which are given up, and why."""

    def __init__(self) -> None:
        self.given_up: dict[str, str] = {}
        self._failed: Counter[str] = Counter()
        self._useless: Counter[str] = Counter()
        self._forgiven: set[int] = set()

    def forgive(self, number: int) -> None:
        """Does not count a miss of an earlier sitting: its cause may have been mended since."""
        self._forgiven.add(number)

    def count(self, told: Candidate | Miss, model: str) -> None:
        """Counts what a model did in a turn."""
        if isinstance(told, Candidate):
            self._failed[model] = self._useless[model] = 0
            return
        if told.number in self._forgiven or told.outcome is Outcome.NOT_ASKED:
            return
        if told.outcome in OF_THE_CALL:
            self._failed[model] += 1
        else:
            self._failed[model] = 0
            self._useless[model] += told.outcome is not Outcome.NOTED
        self._judge(told, model)

    def _judge(self, miss: Miss, model: str) -> None:
        if model in self.given_up:
            return
        if miss.outcome in _FATAL:
            why = miss.message
        elif self._failed[model] >= MOST_FAILED_CALLS:
            why = f"{MOST_FAILED_CALLS} calls in a row failed, the last with {miss.outcome}: {miss.message}"
        elif self._useless[model] >= MOST_USELESS_ANSWERS:
            why = (
                f"{MOST_USELESS_ANSWERS} answers in a row held nothing new, the last {miss.outcome}: {miss.message}; "
                "another model, or --embedded, may find more"
            )
        else:
            return
        self.given_up[model] = f"the model {model} was given up: {why}"
        _log.warning("%s", self.given_up[model])
