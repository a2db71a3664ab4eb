"""Whether the run that lies in a cell's place is the cell's own: the same search, and made here.

A comparison's folder may come from anybody, and a run of one cell may have been copied over that of another.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from evolve import begun
from evolve.comparing.folder import ADVICE, ComparisonFolder, ForeignRunError
from evolve.comparing.plan import Cell, Plan
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.session import EMBEDDED
from evolve.text import brief


@contextmanager
def opened(folder: ComparisonFolder, plan: Plan, cell: Cell, *, just_searched: bool = False) -> Iterator[Journal]:
    """Opens the journal of a cell's run to read it.

    One that was just searched is ours, though no note of it could be written.

    Raises:
        ForeignRunError: what lies in the cell's place is not its run.
        EvolveError: nothing lies there, or it cannot be read.
    """
    with folder.run(cell).open(read_only=True) as journal:
        insist_on_own(journal.header, plan, cell, just_searched=just_searched)
        yield journal


def insist_on_own(header: Header, plan: Plan, cell: Cell, *, just_searched: bool = False) -> None:
    """Refuses a run that is not a cell's.

    Raises:
        ForeignRunError: it is of something else, which the message names, or this user did not begin it.
    """
    for what, found, expected in _compared(header, plan, cell):
        if found != expected:
            raise ForeignRunError(
                f"a run with another {what} lies there ({_shown(found)}; expected {_shown(expected)}); {ADVICE}"
            )
    if not just_searched and not begun.is_noted(header):
        raise ForeignRunError(f"it was not searched here: no note says that this user began it; {ADVICE}")


def _compared(header: Header, plan: Plan, cell: Cell) -> Iterator[tuple[str, object, object]]:
    """Yields what a run and a cell must have in common: its name, the run's and the cell's."""
    subject = cell.subject
    yield "problem", header.problem, subject.problem
    yield "file of the problem", header.spec, subject.spec
    yield "objective", header.objective, subject.objective
    yield "strategy", header.strategy, cell.entrant.identity
    yield "seed", header.seed, cell.seed
    yield "set of cases", header.cases, plan.cases
    yield "file of cases", header.cases_hash, plan.cases_hash
    yield "code of the problem", header.digest, subject.digest
    yield "basis of its scores", header.basis, subject.basis
    yield "set of proposers", header.proposers, EMBEDDED.describe()


def _shown(value: object) -> str:
    return brief(str(value), 80) or "none"
