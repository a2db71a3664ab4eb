"""A run from Python, to look at in a script or a notebook."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar, overload

from evolve import lineage as lineages
from evolve.finalists import leader
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.report import diffs, lineage, sides, turns
from evolve.report.lineage import Step
from evolve.text import brief, counted
from evolve.types import Candidate, Evaluation, EvolveError

if TYPE_CHECKING:
    from git import Repo

__all__ = ["Judged", "Run", "Step", "View"]

Key = TypeVar("Key")
Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True, slots=True)
class Judged:
    """One evaluation: of which candidate, on which cases, and after how many seconds of search.

    ``cases`` is train for what the search saw, also where that is a named case set; else validation or test.
    """

    number: int
    cases: str
    evaluation: Evaluation
    run_seconds: float


class View(Sequence[Item], Generic[Item]):
    """What a run held when it was asked; each item is read from its journal when it is looked at."""

    def __init__(self, keys: Sequence[Key], item: Callable[[Key], Item]) -> None:
        self._keys: Sequence[object] = keys
        self._item: Callable[..., Item] = item

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> "View[Item]": ...
    def __getitem__(self, index: int | slice) -> "Item | View[Item]":
        if isinstance(index, slice):
            return View(self._keys[index], self._item)
        return self._item(self._keys[index])

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'item')} of a run, read when they are looked at>"


class Run:
    """A run, to be read; it may still go on, and what is asked later sees more.

    How its best score grew, and on which cases its best policy is the worst::

        import evolve
        from itertools import accumulate

        with evolve.load("runs/demo") as run:
            scored = [step for step in run.log if step.score is not None]
            numbers = [step.number for step in scored]
            best_so_far = list(accumulate((step.score for step in scored), max))
            if run.best is not None:
                worst = sorted(run.best.evaluation.cases, key=lambda case: case.ratio)[:5]
            print(run.diff("parent", "best"))

    Everything in it is data, whoever made it: nothing is imported or run, and nothing written into its folder.
    Texts are as they were written: show those of others with ``evolve.text.inert``.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens the run in a folder.

        Raises:
            EvolveError: there is none, or it cannot be read.
        """
        self.path = Path(path)
        self._opened: Journal | None = RunFolder(self.path).open(read_only=True)

    @property
    def header(self) -> Header:
        """What the run is of: problem, seed, proposers, when it began."""
        return self._journal.header

    @property
    def best(self) -> Candidate | None:
        """The candidate that leads, on validation where finalists were judged there; None while none has a score."""
        journal = self._journal
        return journal.candidate(leader(journal)) if journal.top(1) else None

    @property
    def candidates(self) -> View[Candidate]:
        """All candidates in order; ``run.candidate(number)`` finds one by its number, which counts all turns."""
        numbers = sorted({number for number, cases, _ in self._journal.judged() if cases == "train"})
        return View(numbers, self.candidate)

    def candidate(self, number: int) -> Candidate:
        """Returns the candidate of a number.

        Raises:
            EvolveError: the run has none of that number.
        """
        return turns.candidate(self._journal, number)

    @property
    def evaluations(self) -> View[Judged]:
        """All evaluations, oldest first, on every split that was judged."""
        return View(self._journal.judged(), self._judged)

    @property
    def log(self) -> list[Step]:
        """Every turn in order, with its score and what it gained; without sources and cases, so it is quick.

        A rationale of more than 2,000 characters is cut, and says so; ``run.candidate(number)`` has all of it.
        """
        return lineage.log(self._journal, every=True)

    @property
    def line(self) -> list[Step]:
        """The ancestors of the best along first parents, oldest first, and itself."""
        return lineage.log(self._journal)

    @property
    def baselines(self) -> dict[str, Candidate]:
        """The baselines by name."""
        return {name: self.candidate(number) for name, number in self._journal.baselines().items()}

    def diff(self, old: str | int = sides.REFERENCE, new: str | int = sides.BEST, *, code: bool = False) -> str:
        """Returns how one policy differs from another, as a unified diff; empty where it does not.

        Each is a candidate's number, ``best``, a baseline's name, ``parent`` (of the other) or a file.  ``code``
        leaves out comments, docstrings and format, unless a side does not parse.

        Raises:
            EvolveError: there is no such candidate, baseline or file.
        """
        return diffs.difference(*sides.pair(self._journal, (str(old), str(new))), code=code).diff

    def lineage(self, to: str | Path) -> "Repo":
        """Writes the run as a git repository to a folder that is not there or empty (see ``evolve.lineage``).

        Returns it, opened by GitPython: ``run.lineage("history").git.log("--graph", "--oneline", "best")``.

        Raises:
            EvolveError: no candidate has a score, or the folder holds something or cannot be written.
        """
        made = lineages.write(RunFolder(self.path), self._journal, Path(to))
        from git import Repo  # heavy, and few need it

        return Repo(made.path)

    def close(self) -> None:
        """Closes its journal."""
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = brief(str(self.path), 200)
        if self._opened is None:
            return f"<Run in {where}, closed>"
        problem, count = brief(self.header.problem, 80), counted(self._opened.count(), "candidate")
        best = self._opened.entry(leader(self._opened)) if self._opened.top(1) else None
        found = "none has a score" if best is None else f"best #{best.number} with score {best.score:.4f}"
        return f"<Run of {problem} in {where}: {count}, {found}>"

    @property
    def _journal(self) -> Journal:
        if self._opened is None:
            raise EvolveError(f"the run in {self.path} was closed; load it again with evolve.load()")
        return self._opened

    def _judged(self, key: tuple[int, str, float]) -> Judged:
        number, cases, seconds = key
        evaluation = self._journal.evaluation(number, cases)
        if evaluation is None:
            raise EvolveError(f"the run in {self.path} has lost the evaluation of #{number} on {cases}")
        return Judged(number, cases, evaluation, seconds)
