"""One sitting of a run: opens or resumes its folder, joins the parts and searches."""

import datetime
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from evolve import catalog, loop
from evolve.archives.elite import Elite
from evolve.budget import Budget, Limit
from evolve.executors.local import LocalExecutor
from evolve.folder import RunFolder
from evolve.journal import Header, Journal, JournalError
from evolve.problem import Problem
from evolve.proposers.mutate import Mutate
from evolve.proposers.tune import Tune
from evolve.search import Arm, Exhausted, Search
from evolve.types import Candidate, EvolveError
from evolve.verify import choose

MUTATE_WEIGHT, TUNE_WEIGHT = 3.0, 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a search stands after another candidate."""

    candidate: Candidate
    best: Candidate | None
    seconds: float
    seconds_left: float | None


def default_workers() -> int:
    """Returns one worker for each core this process may use."""
    return len(os.sched_getaffinity(0))


def search(
    problem: Problem,
    out: Path,
    limit: Limit,
    *,
    seed: int | None = None,
    workers: int | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Begins or resumes the run in ``out``, searches within ``limit``, and returns the number of the best.

    The best is chosen on the validation split among the finalists; its source is left in ``best.py``.

    Raises:
        EvolveError: the folder is another run's, the problem is at fault, or the sandbox failed.
    """
    folder = RunFolder(out)
    with folder.locked():
        journal = _resumed(folder, problem, seed) if folder.exists else _begun(folder, problem, seed or 0)
        with LocalExecutor(problem, workers or default_workers()) as executor:
            _search(problem, journal, executor, Budget(limit, clock, journal.seconds()), report)
            best = choose(journal, executor)
        proposal = journal.proposal(best)
        assert proposal is not None
        folder.best.write_text(proposal.source, encoding="utf-8")
        journal.close()
    return best


def _search(
    problem: Problem,
    journal: Journal,
    executor: LocalExecutor,
    budget: Budget,
    report: Callable[[Progress], None],
) -> None:
    baselines = problem.baselines()
    arms = (Arm(Mutate(), MUTATE_WEIGHT), Arm(Tune(), TUNE_WEIGHT))
    searching = Search(baselines, arms, Elite(), journal.header.seed)

    def told(candidate: Candidate) -> None:
        if candidate.number < len(baselines) and candidate.evaluation.score is None:
            name, verdict = baselines[candidate.number].name, candidate.evaluation
            raise EvolveError(f"the baseline {name!r} is {verdict.verdict}: {verdict.feedback}; mend or remove it")
        left = budget.seconds_left(candidate.number + 1)
        report(Progress(candidate, searching.archive.best, budget.seconds, left))

    try:
        loop.run(searching, executor, journal, budget, warm_up=len(baselines), lag=journal.header.lag, report=told)
    except Exhausted:
        if searching.archive.best is None:
            raise


def _begun(folder: RunFolder, problem: Problem, seed: int) -> Journal:
    secret_hash = folder.prepare()
    return folder.create(replace(_header(problem, seed), secret_hash=secret_hash))


def _resumed(folder: RunFolder, problem: Problem, seed: int | None) -> Journal:
    """Opens a run to go on with it.

    Raises:
        JournalError: it is a run of something else; the message says what differs.
    """
    journal = folder.open()
    journal.check()
    header = journal.header
    now = _header(problem, header.seed if seed is None else seed)
    for what, was, is_now in (
        ("problem", header.problem, now.problem),
        ("version of evolve", header.engine, now.engine),
        ("seed", header.seed, now.seed),
        ("proposers", header.proposers, now.proposers),
        ("code of the problem or its baselines", header.digest, now.digest),
    ):
        if was != is_now:
            raise JournalError(
                f"{folder.path} is a run with another {what} ({was}, now {is_now}); give another --out for a new run"
            )
    return journal


def _header(problem: Problem, seed: int) -> Header:
    return Header(
        problem=problem.name,
        spec=catalog.spec(problem),
        digest=catalog.digest(problem),
        engine=version("evolve"),
        seed=seed,
        lag=loop.LAG,
        proposers=f"mutate {MUTATE_WEIGHT:g}, tune {TUNE_WEIGHT:g}",
        secret_hash="",
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
