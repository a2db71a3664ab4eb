"""One cell of a comparison, searched in a process of its own."""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from evolve import catalog, session
from evolve.budget import Limit
from evolve.cases import place
from evolve.executors import Task
from evolve.executors.local import LocalExecutor
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.problem import Problem
from evolve.strategies import loading
from evolve.text import brief
from evolve.types import Evaluation, EvolveError

_LONGEST = 2000  # characters of a message


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is told: one run, and where it lies."""

    folder: str
    problem: str
    objective: str
    strategy: str
    seed: int
    evaluations: int
    cases: str
    unsafe: bool

    def text(self) -> str:
        """Returns it as an argument of a process."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Returns what ``text`` wrote."""
        return cls(**json.loads(text))


def main(order: str, descriptor: int) -> None:
    """Searches a cell; where that fails, says why through the descriptor."""
    os.set_inheritable(descriptor, False)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as said:
        try:
            search(Order.read(order))
        except EvolveError as error:
            said.write(str(error)[:_LONGEST])
        except Exception as error:  # noqa: BLE001 - the other cells go on, and theirs is the last word
            said.write(f"a bug, of evolve or of the problem's file: {type(error).__name__}: {error} ({place(error)})")
    sys.stderr.flush()


def search(order: Order) -> None:
    """Begins or resumes a run, and judges its best on validation cases, which no search on other cases has seen.

    Raises:
        EvolveError: the run cannot be made, or the strategy is at fault.
    """
    problem, strategy = catalog.load(order.problem, order.objective), loading.load(order.strategy)
    folder = Path(order.folder)
    with loading.blaming(strategy):
        session.search(
            problem,
            folder,
            Limit(order.evaluations),
            strategy=strategy,
            cases=order.cases,
            seed=order.seed,
            workers=1,  # for all the same
            unsafe=order.unsafe,
        )
    _hold_out(problem, RunFolder(folder), unsafe=order.unsafe)


def validated(journal: Journal) -> Evaluation | None:
    """Returns what the best on the searched cases is worth on validation; None while the search goes on."""
    best = journal.top(1)
    return journal.evaluation(best[0], "validation") if best else None


def _hold_out(problem: Problem, folder: RunFolder, *, unsafe: bool) -> None:
    with folder.locked(), folder.open() as journal:
        best = journal.candidate(journal.top(1)[0])
        if best is None or validated(journal) is not None:
            return
        with LocalExecutor(problem, 1, unsafe=unsafe) as executor:
            evaluation = executor.submit(Task(best.proposal.source, cases="validation")).result()
        journal.record(best.number, evaluation, journal.seconds(), "validation")


def failure(said: str, status: int) -> str:
    """Returns why a cell's process has failed, from what it said and its exit status; empty: it has not."""
    if said:
        return brief(said, _LONGEST)
    return "" if status == 0 else f"its process ended with status {status}; was it killed, or is memory short?"
