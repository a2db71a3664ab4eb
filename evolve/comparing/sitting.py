"""One sitting of a comparison: the cells that are left are searched, and all of them are counted up."""

from collections.abc import Callable
from pathlib import Path

from evolve.comparing.belonging import opened
from evolve.comparing.course import Course, course
from evolve.comparing.crew import Crew, is_done
from evolve.comparing.figures import Comparison, compare
from evolve.comparing.folder import ComparisonFolder, ForeignRunError
from evolve.comparing.plan import Cell, Plan
from evolve.types import EvolveError


def sit(plan: Plan, out: Path, workers: int, report: Callable[[int, int, int], None]) -> Comparison:
    """Begins or resumes a comparison in a folder and returns what it shows.

    A cell that fails is searched again the next time; the others go on.  One whose place something else has taken is
    neither searched nor counted.  ``report`` hears how many cells are done, of how many, and how many have failed.

    Raises:
        EvolveError: the folder is another comparison's, or another process works in it.
    """
    folder = ComparisonFolder(out)
    with folder.settled(plan):
        failures = _search(plan, folder, workers, report)
    return _counted(plan, folder, failures)  # of which each was found to be ours, or searched


def _search(
    plan: Plan, folder: ComparisonFolder, workers: int, report: Callable[[int, int, int], None]
) -> dict[Cell, str]:
    """Searches the cells that are left, and returns why those failed that did."""
    cells, (left, taken) = plan.cells(), _left(plan, folder)
    done, failed = len(cells) - len(left) - len(taken), len(taken)
    report(done, len(cells), failed)

    def ended(_: Cell, why: str) -> None:
        nonlocal done, failed
        done, failed = (done, failed + 1) if why else (done + 1, failed)
        report(done, len(cells), failed)

    return taken | Crew(plan, folder, workers).search(left, ended)


def _left(plan: Plan, folder: ComparisonFolder) -> tuple[list[Cell], dict[Cell, str]]:
    """Returns the cells that are to be searched, and why those are not whose place something else has taken."""
    left, taken = [], {}
    for cell in plan.cells():
        try:
            if not is_done(folder, plan, cell):
                left.append(cell)
        except ForeignRunError as error:
            taken[cell] = str(error)
    return left, taken


def _counted(plan: Plan, folder: ComparisonFolder, failures: dict[Cell, str]) -> Comparison:
    courses: dict[Cell, Course] = {}
    for cell in plan.cells():
        if cell not in failures:
            try:
                with opened(folder, plan, cell, just_searched=True) as journal:
                    courses[cell] = course(journal, plan.evaluations)
            except EvolveError as error:
                failures[cell] = str(error)
    return compare(plan, courses, failures)
