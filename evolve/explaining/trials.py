"""Trials: variants of a policy that are judged, equal ones once, and at most so many."""

import enum
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import islice

from evolve import normal
from evolve.executors import Executor, Task
from evolve.source import SourceError, insist_on_compiling
from evolve.types import Evaluation

AHEAD = 4
"""Variants that are submitted at a time where the first that will do is taken; of it depends what is tried next."""


class Fate(enum.StrEnum):
    """Why a variant has no evaluation."""

    NO_PYTHON = "does not stand alone"
    LEFT_OUT = "not judged"


Outcome = Evaluation | Fate
Also = Callable[[str], bool]


class Trials:
    """Judges variants on some cases; ``told`` hears how many were judged so far.

    ``exhausted`` says that more would have been judged.
    """

    def __init__(self, executor: Executor, cases: str, most: int, told: Callable[[int], None] = lambda _: None) -> None:
        self._executor, self._cases, self._most, self._told = executor, cases, most, told
        self._known: dict[str, Future[Evaluation]] = {}
        self._keys: dict[str, str] = {}
        self.spent, self.exhausted = 0, False

    def know(self, source: str, evaluation: Evaluation) -> None:
        """Takes note of what is known already."""
        future: Future[Evaluation] = Future()
        future.set_result(evaluation)
        self._known[normal.key(source)] = future

    def spent_all(self, most: int) -> bool:
        """Says whether so many were judged, and takes note that more might have been."""
        self.exhausted = self.exhausted or self.spent >= most
        return self.spent >= most

    def until(self, share: float) -> int:
        """Returns how many will have been judged when a share of those that still may be is."""
        return self.spent + int(share * (self._most - self.spent))

    def judge(self, sources: Sequence[str], most: int | None = None) -> list[Outcome]:
        """Returns what comes of each, submitted together."""
        asked = [self._submitted(source, self._most if most is None else most) for source in sources]
        return [self._outcome(future) for future in asked]

    def first(
        self, sources: Iterable[str], enough: Callable[[Evaluation], bool], most: int, also: Also = lambda _: True
    ) -> int | None:
        """Returns which is the first that is enough, whatever the number of workers; None: none that was judged.

        ``also`` is asked of a source that is enough, and has the last word.
        """
        coming, asked = iter(sources), 0
        while batch := list(islice(coming, AHEAD)):
            if asked and self.spent_all(most):
                return None
            for index, outcome in enumerate(self.judge(batch, most), asked):
                if not isinstance(outcome, Fate) and enough(outcome) and also(batch[index - asked]):
                    return index
            asked += len(batch)
        return None

    def key(self, source: str) -> str:
        """Returns a key that equal policies share; empty: it is no policy."""
        if source not in self._keys:
            try:
                tree = normal.parse(source)
                self._keys[source] = normal.digest(tree)
                insist_on_compiling(tree, source)
            except SourceError:
                self._keys[source] = ""
        return self._keys[source]

    def _submitted(self, source: str, most: int) -> Future[Evaluation] | Fate:
        key = self.key(source)
        if not key:
            return Fate.NO_PYTHON
        if key not in self._known:
            if self.spent_all(min(most, self._most)):
                return Fate.LEFT_OUT
            self.spent += 1
            self._known[key] = self._executor.submit(Task(source, cases=self._cases))
        return self._known[key]

    def _outcome(self, asked: Future[Evaluation] | Fate) -> Outcome:
        if isinstance(asked, Fate):
            return asked
        evaluation = asked.result()
        self._told(self.spent)
        return evaluation
