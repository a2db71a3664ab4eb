"""One sitting of a comparison: the cells that are left are searched, and all of them are counted up."""

from collections.abc import Callable
from pathlib import Path

from evolve.comparing.course import Course, course
from evolve.comparing.crew import Crew, is_done
from evolve.comparing.figures import Comparison, compare
from evolve.comparing.folder import ComparisonFolder
from evolve.comparing.plan import Cell, Plan
from evolve.folder import alone
from evolve.types import EvolveError


def sit(plan: Plan, out: Path, workers: int, report: Callable[[int, int, int], None]) -> Comparison:
    """Begins or resumes a comparison in a folder and returns what it shows.

    A cell that fails is searched again the next time; the others go on.  ``report`` hears how many cells are done, of
    how many, and how many have failed.

    Raises:
        EvolveError: the folder is another comparison's, or another process works in it.
    """
    folder = ComparisonFolder(out)
    folder.settle(plan)
    with alone(out):
        failures = _search(plan, folder, workers, report)
    return _counted(plan, folder, failures)


def _search(
    plan: Plan, folder: ComparisonFolder, workers: int, report: Callable[[int, int, int], None]
) -> dict[Cell, str]:
    """Searches the cells that are left, and returns why those failed that did."""
    cells = plan.cells()
    left = [cell for cell in cells if not is_done(folder, cell)]
    done, failed = len(cells) - len(left), 0
    report(done, len(cells), failed)

    def ended(_: Cell, why: str) -> None:
        nonlocal done, failed
        done, failed = (done, failed + 1) if why else (done + 1, failed)
        report(done, len(cells), failed)

    return Crew(plan, folder, workers).search(left, ended)


def _counted(plan: Plan, folder: ComparisonFolder, failures: dict[Cell, str]) -> Comparison:
    courses: dict[Cell, Course] = {}
    for cell in plan.cells():
        if cell not in failures:
            try:
                with folder.run(cell).open(read_only=True) as journal:
                    courses[cell] = course(journal, plan.evaluations)
            except EvolveError as error:
                failures[cell] = str(error)
    return compare(plan, courses, failures)
