"""One sitting of a run: opens or resumes its folder, joins the parts and searches."""

import datetime
import logging
import shlex
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from evolve import catalog, finalists, loop
from evolve.archives.grid import Describe
from evolve.budget import Budget, Limit
from evolve.cases import CaseSet, basis_of, blaming, cases_of, file_hash, insist_on_searchable
from evolve.executors import Executor
from evolve.executors.cached import CachedExecutor
from evolve.executors.local import LocalExecutor, default_workers
from evolve.executors.shelf import Shelf
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.journal.database import JournalError
from evolve.journal.header import Header
from evolve.journal.ledger import Ledger
from evolve.listener import Listener
from evolve.models import RecordingEnded, Writers
from evolve.problem import Problem, ProblemError, steady
from evolve.racing import Racing
from evolve.search import Exhausted, Search
from evolve.strategies import DEFAULT, Strategy
from evolve.types import Candidate, EvolveError, Miss, Outcome, Usage, Verdict
from evolve.writers import Writing

_log = logging.getLogger(__name__)

EMBEDDED = Writing()
"""No model: the embedded proposers write all policies."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a search stands after another turn."""

    told: Candidate | Miss
    evaluations: int
    misses: int
    best: Candidate | None
    seconds: float
    seconds_left: float | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class Sitting:
    """How a sitting ended: the number of the best, and why no more was tried.

    ``spent`` says which budget was, ``exhausted`` what stopped the search before that.  ``trouble`` says why
    no model could be asked any more.
    """

    best: int
    spent: str = ""
    exhausted: str = ""
    trouble: str = ""


def search(
    problem: Problem,
    out: Path,
    limit: Limit,
    *,
    writing: Writing = EMBEDDED,
    strategy: Strategy = DEFAULT,
    cases: str = "train",
    seed: int | None = None,
    workers: int | None = None,
    unsafe: bool = False,
    reuse: bool = True,
    begun: Callable[[], None] = lambda: None,
    report: Callable[[Progress], None] = lambda _: None,
    waiting: Callable[[str], None] = lambda _: None,
    choosing: Callable[[int, int], None] = lambda _, __: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Sitting:
    """Begins or resumes the run in ``out`` and searches within ``limit``.

    ``strategy`` says how it goes about it.  ``cases`` names what the search sees: the train split, a case set or a
    file.  ``unsafe`` does without a sandbox that stands.  ``reuse`` takes from the user's cache what was judged
    before, which changes nothing but the time that it takes.  ``begun`` hears that the folder is ours, ``waiting``
    what keeps us waiting: a model or a pause, in which ``sleep`` is called between two looks.  ``report`` hears of
    every turn that an earlier sitting has not begun.  The best is chosen on the validation split among the finalists,
    of which ``choosing`` hears how many of how many are judged (of a search on other cases than train it is the one
    that leads there); its source is left in ``best.py``.

    Raises:
        EvolveError: the folder is another run's, the problem is at fault, or the sandbox failed.
    """
    insist_on_searchable(problem, cases)
    folder = RunFolder(out)
    now = partial(_header, problem, writing, strategy.identity, cases, basis_of(problem, cases))
    with folder.locked(), (_resumed if folder.exists else _begun)(folder, now, seed) as journal:
        _insist_on_known_dollars(limit, journal)
        begun()
        budget = Budget(limit, clock, most=writing.most, used_seconds=journal.seconds(), lost=journal.ledger.lost())
        with _noting_faults(journal):
            judged = cases_of(problem, cases)
            searching = _searching(problem, judged, writing, strategy, journal.header)
            with (
                _executor(problem, workers, unsafe=unsafe, reuse=reuse) as executor,
                _accounted(
                    writing.open(out, journal.header.seed, lambda: budget.seconds_to_go, waiting), journal.ledger
                ) as writers,
            ):
                listener = Listener(journal, budget, partial(waiting, _paused(out)), sleep)
                end = _search(searching, problem, journal, executor, writers, budget, report, listener)
                best = finalists.choose(journal, executor, choosing)
        folder.keep(folder.best, finalists.proposal(journal, best).source)
    return Sitting(best, budget.spent, "" if end is None else str(end), searching.trouble)


def _searching(problem: Problem, cases: CaseSet, writing: Writing, strategy: Strategy, header: Header) -> Search:
    """Joins the parts of a search, all of them new."""
    return Search(
        problem.baselines(),
        writing.arms(problem, cases, strategy),
        strategy.archive(_describing(problem)),
        header.seed,
        strategy.chooser(),
        _racing(strategy, cases, header),
    )


def _search(
    searching: Search,
    problem: Problem,
    journal: Journal,
    executor: Executor,
    writers: Writers,
    budget: Budget,
    report: Callable[[Progress], None],
    listener: Listener,
) -> Exhausted | RecordingEnded | None:
    """Returns why the search ended before its budget was spent, if it did."""
    baselines, header, known = len(problem.baselines()), journal.header, journal.reached()
    counts = Counter[type]()

    def told(turn: Candidate | Miss) -> None:
        counts[type(turn)] += not (isinstance(turn, Miss) and turn.outcome is Outcome.NOTED)  # an answer of use
        if isinstance(turn, Candidate) and turn.number < baselines:
            _insist_on_score(problem, turn)
        if turn.number < known:  # replayed
            return
        best, left = searching.archive.best, budget.seconds_left()
        report(Progress(turn, counts[Candidate], counts[Miss], best, budget.seconds, left, budget.usage))

    return loop.run(
        searching,
        executor,
        writers,
        journal,
        budget,
        warm_up=baselines,
        cases=header.cases,
        lag=header.lag,
        report=told,
        listener=listener,
    )


def _describing(problem: Problem) -> Describe:
    """Returns what tells the niches of policies apart.

    A problem that fails over the reference, which comes first, is at fault; a policy that it fails over later is
    described by nothing, lest it end the search.
    """
    fine = False

    def describe(metrics: Mapping[str, float]) -> Mapping[str, float]:
        nonlocal fine
        try:
            with blaming(problem, "descriptors"):
                found = {name: float(value) for name, value in problem.descriptors(steady(problem, metrics)).items()}
        except ProblemError as error:
            if not fine:
                raise
            _log.error("a policy is described by nothing: %s", error)
            return {}
        fine = True
        return found

    return describe


def _paused(out: Path) -> str:
    return f"paused; `evolve resume {shlex.quote(str(out))}` goes on"


def _executor(problem: Problem, workers: int | None, *, unsafe: bool, reuse: bool) -> LocalExecutor | CachedExecutor:
    """Returns who judges; what is judged without a sandbox that stands is neither looked up nor remembered."""
    judging = LocalExecutor(problem, default_workers() if workers is None else workers, unsafe=unsafe)
    return CachedExecutor(judging, problem, Shelf.open()) if reuse and not unsafe else judging


def _racing(strategy: Strategy, cases: CaseSet, header: Header) -> Racing | None:
    """Returns what stops policies early, but where results are measured: those of two policies are not alike."""
    racing = None if cases.problem.timed or header.basis else strategy.racing()
    if racing is not None:
        racing.begin(cases, header.seed)
    return racing


def _insist_on_known_dollars(limit: Limit, journal: Journal) -> None:
    if limit.dollars is not None and journal.ledger.used().dollars is None:
        raise EvolveError(
            "this run has asked models whose price was not known, so its dollars cannot be counted; leave out "
            "--dollars and give --tokens or --evaluations"
        )


@contextmanager
def _accounted(models: AbstractContextManager[Writers], ledger: Ledger) -> Iterator[Writers]:
    """Takes off the books what a run that was stopped has never sent."""
    unsent: Collection[int] = ()
    try:
        with models as writers:
            unsent = writers.unsent
            yield writers
    finally:
        for number in unsent:
            ledger.forget(number)


@contextmanager
def _noting_faults(journal: Journal) -> Iterator[None]:
    """Writes down what stops a run; it is no verdict on the policies under way, which have none."""
    try:
        yield
    except Exception as fault:
        journal.record_fault(_now(), f"{type(fault).__name__}: {fault}")
        raise


def _insist_on_score(problem: Problem, baseline: Candidate) -> None:
    """Refuses to search beside a baseline that fails; one that breaks a constraint only is no rival there."""
    barred = bool(problem.constraints) and baseline.evaluation.verdict is Verdict.INVALID
    if baseline.evaluation.score is None and not barred:
        raise ProblemError(
            f"the baseline {baseline.proposal.operator!r} is {baseline.evaluation.verdict}: "
            f"{baseline.evaluation.feedback}; mend or remove it, and give another --out"
        )


def _begun(folder: RunFolder, now: "_Now", seed: int | None) -> Journal:
    secret_hash = folder.prepare()
    return folder.create(now(0 if seed is None else seed, secret_hash))


def _resumed(folder: RunFolder, now: "_Now", seed: int | None) -> Journal:
    """Opens a run to go on with it.

    Raises:
        JournalError: it is a run of something else; the message says what differs.
    """
    journal = folder.open()
    try:
        journal.check()
        was = journal.header
        _insist_on_same(folder, was, now(was.seed if seed is None else seed, was.secret_hash))
    except EvolveError:
        journal.close()
        raise
    return journal


def _insist_on_same(folder: RunFolder, was: Header, now: Header) -> None:
    for what, old, new in (
        ("problem", was.problem, now.problem),
        ("objective", was.objective, now.objective),
        ("version of evolve", was.engine, now.engine),
        ("seed", was.seed, now.seed),
        ("set of cases", was.cases, now.cases),
        ("set of proposers", was.proposers, now.proposers),
        ("strategy", was.strategy, now.strategy),
    ):
        if old != new:
            raise JournalError(
                f"{folder.path} is a run with another {what} ({old}; now {new}); give the same, or another --out"
            )
    if was.digest != now.digest:
        raise JournalError(
            f"the code of {was.problem} or its baselines has changed since {folder.path} began, so its scores no "
            "longer hold; give another --out"
        )
    was.insist_on_basis(now.basis)
    if was.cases_hash != now.cases_hash:
        raise JournalError(f"the file {was.cases} has changed since {folder.path} began; give another --out")


_Now = Callable[[int, str], Header]
"""Makes the header of the present command from a seed and the hash of a secret."""


def _header(
    problem: Problem, writing: Writing, strategy: str, cases: str, basis: str, seed: int, secret_hash: str
) -> Header:
    return Header(
        problem=problem.name,
        spec=catalog.spec(problem),
        digest=catalog.digest(problem),
        engine=version("evolve"),
        seed=seed,
        lag=writing.lag,
        cases=cases,
        cases_hash=file_hash(cases),
        proposers=writing.describe(),
        secret_hash=secret_hash,
        started=_now(),
        held_out=problem.held_out,
        basis=basis,
        objective=problem.chosen,
        strategy=strategy,
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
