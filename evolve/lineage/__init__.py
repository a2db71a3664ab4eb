"""A run as a git repository: a commit for each candidate, whose parents are the candidate's parents."""

import datetime
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evolve.finalists import leader
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.journal.database import ADVICE, JournalError
from evolve.lineage import names
from evolve.lineage.message import message
from evolve.lineage.stream import Stream
from evolve.repository import Repository
from evolve.text import brief, visible
from evolve.types import Candidate, EvolveError

FILE, BEST = "policy.py", "best"
_LAST_SECOND = 253402300799  # of the year 9999


@dataclass(frozen=True, slots=True)
class Lineage:
    """A run's repository.

    The branch ``best``, which is checked out, points to the candidate of that number; the others are the baselines,
    of which ``reference`` is one, and for each the best on train of those that descend from it by first parents.  A
    tag such as c17 stands for every candidate.  ``unjudged`` counts those that were proposed and not judged yet: they
    are not in it.
    """

    path: str
    best: int
    reference: str
    candidates: int
    merges: int
    branches: tuple[str, ...]
    unjudged: int


def write(run: RunFolder, journal: Journal, to: Path | None = None) -> Lineage:
    """Makes the repository in a folder that is not there or empty; without one in the run's own.

    The same run makes the same commits, to the bit.  A process killed meanwhile leaves nothing under that name.

    Raises:
        JournalError: a candidate has parents that cannot be, or the journal is damaged in another way.
        EvolveError: no candidate has a score, the folder holds something, or it cannot be written.
    """
    path = run.path / "lineage" if to is None else to
    _insist_on_free(path)
    if not journal.count():
        raise EvolveError(f"no candidate of {run.path} was judged yet; run it longer")
    with _beside(path) as beside:
        family = _Family(run, journal)
        with (beside / "stream").open("w+b") as file:
            family.write(Stream(file))
            file.flush()
            file.seek(0)
            repository = Repository.made(beside / "new")
            repository.git("fast-import", "--quiet", "--done", "--date-format=raw", given=file)
        repository.git("pack-refs", "--all")
        repository.git("symbolic-ref", "HEAD", f"refs/heads/{BEST}")
        repository.git("read-tree", "-m", "-u", "HEAD")
        (beside / "new").rename(path)
    return Lineage(
        path=str(path),
        best=family.best,
        reference=next(name for name in family.branches if name != BEST),
        candidates=len(family.marks),
        merges=family.merges,
        branches=tuple(family.branches),
        unjudged=max(0, journal.turns() - sum(journal.outcomes().values()) - len(family.marks)),
    )


class _Family:
    """The candidates of a run on their way into a stream, and what is to be remembered of them."""

    def __init__(self, run: RunFolder, journal: Journal) -> None:
        self._run, self._journal = run, journal
        self._began, self._cases = _seconds(journal), brief(journal.header.cases, 80)
        self._roots: dict[int, int] = {}
        self._baselines: dict[int, str] = {}
        self._leaders: dict[int, tuple[float, int]] = {}  # of each root: the best score and who has it
        self.marks: dict[int, int] = {}
        self.merges, self.best = 0, -1
        self.branches: dict[str, int] = {}

    def write(self, stream: Stream) -> None:
        """Puts every candidate into the stream, then the branches."""
        for found, seconds, validation in self._journal.told():
            self._add(stream, found, seconds, validation)
        self.branches = self._named()
        for name, number in self.branches.items():
            stream.branch(name, self.marks[number])
        stream.end()

    def _add(self, stream: Stream, found: Candidate, seconds: float, validation: float | None) -> None:
        proposal, number = found.proposal, found.number
        parents = tuple(dict.fromkeys(proposal.parents))
        self._insist_on_parents(number, parents)
        self.marks[number] = len(self.marks) + 1
        self.merges += len(parents) > 1
        self._remember(found, parents)
        shown = visible(proposal.source)
        whole = shown == proposal.source.replace("\r\n", "\n")
        stream.commit(
            f"c{number}",
            self.marks[number],
            [self.marks[parent] for parent in parents],
            by=names.author(proposal),
            at=f"{self._at(seconds)} +0000",
            message=message(found, self._cases, validation, shown=whole),
            name=FILE,
            text=proposal.source if whole else shown,
        )

    def _insist_on_parents(self, number: int, parents: tuple[int, ...]) -> None:
        wrong = [parent for parent in parents if parent not in self.marks]
        if wrong or number < 0:
            said = f"candidate {number} has the parent {wrong[0]}" if wrong else f"a candidate has the number {number}"
            reason = ", which is no candidate before it" if wrong else ""
            raise JournalError(f"the journal of {self._run.path} is damaged: {said}{reason}; {ADVICE}")

    def _remember(self, found: Candidate, parents: tuple[int, ...]) -> None:
        number, score = found.number, found.evaluation.score
        root = self._roots[number] = self._roots[parents[0]] if parents else number
        if found.proposal.proposer == "baseline" and not parents:
            self._baselines[number] = names.unused(found.proposal.operator, number, self._baselines.values())
        if score is not None and (root not in self._leaders or score > self._leaders[root][0]):
            self._leaders[root] = score, number

    def _named(self) -> dict[str, int]:
        """Returns the number that each branch stands for."""
        leads = leader(self._journal)
        ahead = max(self._leaders.values(), key=lambda lead: (lead[0], -lead[1]))
        self.best = leads if leads in self.marks else ahead[1]  # a run that goes on may have told a better one since
        named = {f"baselines/{name}": number for number, name in self._baselines.items()}
        led = {f"lineages/{name}": self._leaders[n][1] for n, name in self._baselines.items() if n in self._leaders}
        return {BEST: self.best, **named, **led}

    def _at(self, seconds: float) -> int:
        at = self._began + seconds
        if not 0 <= at <= _LAST_SECOND:
            raise JournalError(f"the journal of {self._run.path} is damaged: no search lasts {seconds:g} s; {ADVICE}")
        return int(at)


def _seconds(journal: Journal) -> float:
    """Returns when a run began, in seconds since 1970."""
    try:
        began = datetime.datetime.fromisoformat(journal.header.started)
        return (began if began.tzinfo else began.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, OverflowError):
        said = brief(journal.header.started, 60)
        raise JournalError(f"the journal says that the run began at {said!r}, which is no time; {ADVICE}") from None


def _insist_on_free(path: Path) -> None:
    """Refuses a folder that holds something, and what is none."""
    if path.is_symlink():
        raise EvolveError(f"{path} is a link, which is not followed; give another folder with --to")
    try:
        there = path.exists() and next(path.iterdir(), None)
    except NotADirectoryError:
        raise EvolveError(f"{path} is a file, where a folder is to be; give another with --to") from None
    except OSError as error:
        raise EvolveError(f"cannot look into {path}: {error.strerror}; give another folder with --to") from error
    if there:
        raise EvolveError(
            f"{path} is not empty (it holds {brief(there.name, 60)!r}); remove it, or give another folder with --to"
        )


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yields a folder on the same disk, which is gone afterwards."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".lineage-", dir=path.parent) as beside:
            yield Path(os.path.abspath(beside))  # noqa: PTH100 - links on the way to it are the user's
    except OSError as error:
        reason = error.strerror or str(error)
        raise EvolveError(f"cannot write {path}: {reason}; give another folder with --to") from error
