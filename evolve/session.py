"""One sitting of a run: opens or resumes its folder, joins the parts and searches."""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from evolve import catalog, finalists, loop
from evolve.archives.lineages import Lineages
from evolve.budget import Budget, Limit
from evolve.executors import Executor
from evolve.executors.local import LocalExecutor, default_workers
from evolve.folder import RunFolder
from evolve.journal import Header, Journal, JournalError
from evolve.problem import Problem, ProblemError
from evolve.proposers.mutate import Mutate
from evolve.proposers.tune import Tune
from evolve.search import Arm, Search
from evolve.types import Candidate

MUTATE_WEIGHT, TUNE_WEIGHT = 3.0, 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a search stands after another candidate."""

    candidate: Candidate
    best: Candidate | None
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sitting ended: the number of the best, and whether the proposers had nothing new to offer."""

    best: int
    exhausted: bool


def search(
    problem: Problem,
    out: Path,
    limit: Limit,
    *,
    seed: int | None = None,
    workers: int | None = None,
    begun: Callable[[], None] = lambda: None,
    report: Callable[[Progress], None] = lambda _: None,
    choosing: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Begins or resumes the run in ``out`` and searches within ``limit``.

    ``begun`` hears that the folder is ours.  The best is chosen on the validation split among the
    finalists, which ``choosing`` announces; its source is left in ``best.py``.

    Raises:
        EvolveError: the folder is another run's, the problem is at fault, or the sandbox failed.
    """
    folder = RunFolder(out)
    with folder.locked(), (_resumed if folder.exists else _begun)(folder, problem, seed) as journal:
        begun()
        with LocalExecutor(problem, default_workers() if workers is None else workers) as executor:
            budget = Budget(limit, clock, journal.seconds())
            new = _search(problem, journal, executor, budget, report)
            choosing()
            best = finalists.choose(journal, executor)
        folder.keep(folder.best, finalists.proposal(journal, best).source)
    return Outcome(best, exhausted=not new)


def _search(
    problem: Problem, journal: Journal, executor: Executor, budget: Budget, report: Callable[[Progress], None]
) -> bool:
    """Returns whether the proposers still have something to offer."""
    baselines = problem.baselines()
    arms = (Arm(Mutate(), MUTATE_WEIGHT), Arm(Tune(), TUNE_WEIGHT))
    searching = Search(baselines, arms, Lineages(), journal.header.seed)

    def told(candidate: Candidate) -> None:
        if candidate.number < len(baselines):
            _insist_on_score(candidate)
        left = budget.seconds_left(candidate.number + 1)
        report(Progress(candidate, searching.archive.best, budget.seconds, left))

    return loop.run(searching, executor, journal, budget, warm_up=len(baselines), lag=journal.header.lag, report=told)


def _insist_on_score(baseline: Candidate) -> None:
    if baseline.evaluation.score is None:
        raise ProblemError(
            f"the baseline {baseline.proposal.operator!r} is {baseline.evaluation.verdict}: "
            f"{baseline.evaluation.feedback}; mend or remove it, and give another --out"
        )


def _begun(folder: RunFolder, problem: Problem, seed: int | None) -> Journal:
    secret_hash = folder.prepare()
    return folder.create(_header(problem, 0 if seed is None else seed, secret_hash))


def _resumed(folder: RunFolder, problem: Problem, seed: int | None) -> Journal:
    """Opens a run to go on with it.

    Raises:
        JournalError: it is a run of something else; the message says what differs.
    """
    journal = folder.open()
    try:
        journal.check()
        _insist_on_same(folder, journal.header, problem, seed)
    except JournalError:
        journal.close()
        raise
    return journal


def _insist_on_same(folder: RunFolder, was: Header, problem: Problem, seed: int | None) -> None:
    now = _header(problem, was.seed if seed is None else seed, was.secret_hash)
    for what, old, new in (
        ("problem", was.problem, now.problem),
        ("version of evolve", was.engine, now.engine),
        ("seed", was.seed, now.seed),
        ("set of proposers", was.proposers, now.proposers),
    ):
        if old != new:
            raise JournalError(f"{folder.path} is a run with another {what} ({old}; now {new}); give another --out")
    if was.digest != now.digest:
        raise JournalError(
            f"the code of {problem.name} or its baselines has changed since {folder.path} began, so its scores no "
            "longer hold; give another --out"
        )


def _header(problem: Problem, seed: int, secret_hash: str) -> Header:
    return Header(
        problem=problem.name,
        spec=catalog.spec(problem),
        digest=catalog.digest(problem),
        engine=version("evolve"),
        seed=seed,
        lag=loop.LAG,
        proposers=f"mutate {MUTATE_WEIGHT:g}, tune {TUNE_WEIGHT:g}",
        secret_hash=secret_hash,
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
