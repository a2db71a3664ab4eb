"""Judges a published result again, on the very cases that its record speaks of, and compares every figure."""

from dataclasses import dataclass
from pathlib import Path

from evolve import catalog
from evolve.cases import CaseSet, basis_of, split_cases
from evolve.executors import Executor, Task
from evolve.executors.local import LocalExecutor, default_workers
from evolve.problem import Problem
from evolve.publication import provenance, result
from evolve.publication.result import Objective, Published, Result, ResultError
from evolve.sandbox import Sandbox
from evolve.standings import Standing, standings
from evolve.statistics import paired_bootstrap
from evolve.text import brief, kept
from evolve.types import Evaluation

ROUNDING = 1e-9
"""How far figures may differ, relatively, that should be the same: other machines add up in another order."""

TIMED = 1.1
"""By which factor a score may lie outside of its interval where it rests on measured times: machines differ."""

_HELD_OUT = "held out"
"""Stands for the secret of cases that are drawn from none."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A figure as it was published and as it is now; either may be none."""

    name: str
    published: float | None
    now: float | None

    @property
    def same(self) -> bool:
        """Whether the two agree but for rounding."""
        if self.published is None or self.now is None:
            return self.published is self.now
        return abs(self.published - self.now) <= ROUNDING * max(abs(self.published), abs(self.now), 1e-12)


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """What came of judging a result again.

    ``agrees`` is the answer and ``said`` its reason.  ``changes`` name what is not as it was when the result was
    published, ``failures`` the policies that now have no score.
    """

    result: str
    problem: str
    agrees: bool
    said: str
    pairs: tuple[Pair, ...]
    changes: tuple[str, ...]
    failures: tuple[str, ...]
    unsafe: bool


def again(path: Path, *, named: str | None = None, workers: int | None = None, unsafe: bool = False) -> Rejudgement:
    """Judges the result in a folder again; ``named`` is the user's name for its problem.

    Raises:
        EvolveError: it is no sound result, its problem is not here or failed, or the sandbox does not stand.
    """
    published = result.read(path)
    problem = problem_of(published, named)
    Sandbox(unsafe=unsafe).close()  # what this machine lacks is said at once
    with LocalExecutor(problem, workers or default_workers(), unsafe=unsafe) as executor:
        return rejudge(published, problem, executor)


def problem_of(published: Published, named: str | None = None) -> Problem:
    """Loads the problem that a result is of: one that comes with evolve, or a file that the user names.

    Raises:
        ResultError: the user has not named it, or it lies in the result's own folder.
    """
    record, path = published.result, published.path
    if named is None and record.problem not in catalog.names():
        raise ResultError(
            f"{path} is a result of the problem {brief(record.problem, 80)!r}, which does not come with evolve; what "
            "others name is not imported: give your own copy of its file with --problem FILE"
        )
    spec = record.problem if named is None else named
    if catalog.located(spec).is_relative_to(path.resolve()):
        raise ResultError(f"{catalog.located(spec)} lies inside {path}; results are data and none of it is imported")
    problem = catalog.load(spec, record.objective.name)
    if problem.name != record.problem:
        raise ResultError(f"{path} is a result of {brief(record.problem, 80)!r}, and {spec} is {problem.name!r}")
    now = provenance.objective(problem)
    if now != record.objective:
        raise ResultError(
            f"{path} was published when {problem.name} was to {_aim(record.objective)}; now it is to {_aim(now)}: they "
            "cannot be compared"
        )
    return problem


def _aim(objective: Objective) -> str:
    timed = ", timed" if objective.timed else ""
    return f"{brief(objective.direction, 20)} {brief(objective.metric, 80)}{timed}"


def rejudge(published: Published, problem: Problem, executor: Executor) -> Rejudgement:
    """Judges a result's policy, the reference and the best baseline, each with a child for every case.

    Raises:
        EvolveError: the problem or the sandbox failed, or the cases need what is not here.
    """
    record = published.result
    secret = record.seal.secret or _HELD_OUT
    cases = split_cases(problem, "test", secret)
    judged = _judged(published, problem, executor, secret)
    quick = provenance.quick(problem, executor, published.policy) if record.quick else None
    rows = standings(problem, cases, list(judged), list(judged.values()))
    pairs = _pairs(record, rows, cases, None if quick is None else quick.result())
    changes = tuple(_changes(record, problem, secret))
    agrees, said = _verdict(record, problem, rows[-1], pairs, changes)
    return Rejudgement(
        result=str(published.path),
        problem=problem.name,
        agrees=agrees,
        said=said,
        pairs=tuple(pairs),
        changes=changes,
        failures=tuple(_failure(row) for row in rows if row.evaluation.score is None),
        unsafe=any(row.evaluation.unsafe for row in rows),
    )


def on_quick(published: Published, problem: Problem, executor: Executor) -> str:
    """Judges a result's policy on the quick cases alone, and returns what is wrong; empty: nothing, or it has none.

    Where times are measured only a failure is wrong, an objective's constraint that it breaks among them.
    """
    recorded, future = published.result.quick, provenance.quick(problem, executor, published.policy)
    if recorded is None or future is None:
        return "" if recorded is None else f"{problem.name} has no cases {provenance.QUICK} any more"
    evaluation = future.result()
    if evaluation.score is None:
        return f"it is {evaluation.verdict} on the quick cases: {brief(evaluation.feedback, 300)}"
    fine = _has_times(problem) or Pair("", recorded.score, evaluation.score).same
    return "" if fine else f"its score on the quick cases is {evaluation.score!r}, and was {recorded.score!r}"


def _has_times(problem: Problem) -> bool:
    """Says whether scores rest on what is measured, and is never twice the same."""
    return problem.timed or bool(problem.measured)


def _judged(published: Published, problem: Problem, executor: Executor, secret: str) -> dict[str, Evaluation]:
    """Returns evaluations by name: the reference, the best baseline of then if it is still there, the policy."""
    baselines = {baseline.name: baseline.source for baseline in problem.baselines()}
    best = published.result.sealed.best_baseline.policy
    sources = {name: baselines[name] for name in dict.fromkeys(("reference", best)) if name in baselines}
    sources[_own(published.result)] = published.policy
    futures = {
        name: executor.submit(Task(source, 0.0, "test", secret, unhurried=True)) for name, source in sources.items()
    }
    return {name: future.result() for name, future in futures.items()}


def _own(record: Result) -> str:
    return f"policy #{record.candidate}"  # a name that no file of a baseline has


def _pairs(record: Result, rows: list[Standing], cases: CaseSet, quick: Evaluation | None) -> list[Pair]:
    sealed, kept_ = record.sealed, kept(record.seal.held_out)
    reference, found = rows[0], rows[-1]
    best = next((row for row in rows if row.name == sealed.best_baseline.policy), None)
    interval, metric = found.interval, record.objective.metric
    pairs = [
        Pair(f"{kept_} score", sealed.found.sealed, found.evaluation.score),
        Pair("its interval from", sealed.found.low, None if interval is None else interval.low),
        Pair("its interval to", sealed.found.high, None if interval is None else interval.high),
        Pair("gap closed", sealed.found.gap_closed, found.gap),
        Pair(f"mean {metric}", sealed.found.mean, found.mean),
        Pair(f"mean {metric}, reference", sealed.reference.mean, reference.mean),
        Pair(f"mean {metric}, best baseline", sealed.best_baseline.mean, None if best is None else best.mean),
        Pair(f"mean {metric}, bound", sealed.bound, None if cases.bounds is None else sum(cases.bounds) / len(cases)),
    ]
    duel = next((duel for duel in sealed.duels if duel.baseline == sealed.best_baseline.policy), None)
    if duel is not None:
        pairs.append(Pair("ratio to the best baseline", duel.ratio, _ratio(found, best, cases)))
    if record.quick is not None:
        pairs.append(Pair(f"score on {provenance.QUICK}", record.quick.score, None if quick is None else quick.score))
    return pairs


def _ratio(found: Standing, best: Standing | None, cases: CaseSet) -> float | None:
    if best is None or found.evaluation.score is None or best.evaluation.score is None:
        return None
    pairs = zip(found.evaluation.cases, best.evaluation.cases, strict=True)
    return paired_bootstrap([ours.ratio / theirs.ratio for ours, theirs in pairs], cases.stretches).mean


def _changes(record: Result, problem: Problem, secret: str) -> list[str]:
    """Returns what is not as it was when the result was published, and bears on its scores."""
    was, now = record.versions, provenance.versions(problem)
    changes = []
    if was.problem != now.problem:
        changes.append(f"the code of {problem.name}, its baselines or workloads ({was.problem}; now {now.problem})")
    hashes = provenance.fingerprints(problem, secret, list(record.hashes))
    changes += [f"the cases {brief(name, 40)}" for name, hash_ in hashes.items() if hash_ != record.hashes[name]]
    basis = basis_of(problem, "test")
    if record.basis != basis:
        changes.append(f"what scores rest on ({record.basis or 'simulation'}; now {basis or 'simulation'})")
    names = ("evolve", "python", "numpy", "machine")
    pairs = [(name, getattr(was, name), getattr(now, name)) for name in names]
    return [*changes, *(f"{name} ({brief(old, 40)}; now {new})" for name, old, new in pairs if old != new)]


def _verdict(
    record: Result, problem: Problem, found: Standing, pairs: list[Pair], changes: tuple[str, ...]
) -> tuple[bool, str]:
    """Says whether the figures agree, and by which rule."""
    score, figure = found.evaluation.score, record.sealed.found
    if score is None:
        return False, f"the policy is {found.evaluation.verdict}: {brief(found.evaluation.feedback, 300)}"
    if all(pair.same for pair in pairs):
        return True, "every figure is what was published"
    times = _has_times(problem)
    slack = TIMED if times else 1 + ROUNDING
    inside = figure.low / slack <= score <= figure.high * slack
    where = f"the score {score:.4f} lies {'in' if inside else 'outside of'} the published interval"
    if times:
        return inside, f"{where} (or within {TIMED - 1:.0%} of it, for times are never the same)"
    if changes:
        return inside, f"{where}; figures differ, and so does what they were made with"
    return False, (
        "figures differ though nothing that they were made with has changed: the record was altered, or this machine "
        "computes otherwise"
    )


def _failure(row: Standing) -> str:
    return f"{brief(row.name, 60)} is {row.evaluation.verdict}: {brief(row.evaluation.feedback, 300)}"
