"""Verifies a run where it lies: its best is judged on the sealed cases, and what came of it is kept in its folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evolve import begun
from evolve.executors import Executor
from evolve.executors.local import LocalExecutor, default_workers
from evolve.export.verified import explained
from evolve.finalists import proposal
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.problem import Problem
from evolve.report import proof, runs, tables
from evolve.sandbox import Sandbox
from evolve.types import EvolveError
from evolve.verify import Verification, verify


@dataclass(frozen=True, slots=True)
class Proved:
    """A run that has just been verified, while its folder is ours and its executor runs."""

    folder: RunFolder
    journal: Journal
    problem: Problem
    executor: Executor
    found: Verification


@contextmanager
def proved(
    path: Path,
    *,
    named: str | None = None,
    workers: int | None = None,
    unsafe: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    before: Callable[[Problem, Journal], object] = lambda *_: None,
    conditions: bool = True,
) -> Iterator[Proved]:
    """Verifies the run in a folder; ``named`` is the user's name for its problem.

    ``before`` may refuse, before a use of the sealed cases is counted; ``tell`` hears what is going on.
    ``conditions``: also under those that the problem names.

    Raises:
        EvolveError: it is no run, its problem is not what it was, or the sandbox does not stand.
    """
    folder = RunFolder(path)
    with folder.open() as journal, folder.locked():
        problem = runs.problem_of(folder, journal, named)
        before(problem, journal)
        secret = folder.secret(journal.header)
        Sandbox(unsafe=unsafe).close()  # what this machine lacks is said before a sealed case is used up
        with LocalExecutor(problem, workers or default_workers(), unsafe=unsafe) as executor:
            lesser = partial(_minimised, folder, journal)
            found = verify(problem, journal, executor, secret, tell, minimised=lesser, conditions=conditions)
            record = proof.record(folder, journal, problem, found)
            folder.keep(folder.best, record["policy"])
            begun.note_written(journal.header, written := tables.as_json(record) + "\n")
            folder.keep(folder.proof, written)
            yield Proved(folder, journal, problem, executor, found)


def _minimised(folder: RunFolder, journal: Journal, number: int) -> str | None:
    """Returns the policy of a candidate's smallest diff; None where `evolve explain` was not asked for that."""
    try:
        return explained(folder, journal, number, proposal(journal, number).source)[1]
    except EvolveError:
        return None
