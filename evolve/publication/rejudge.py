"""Judges a published result again, on the very cases that its record speaks of and on fresh ones."""

import math
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from evolve.cases import basis_of, split_cases
from evolve.duel import duels
from evolve.executors import Executor, Task
from evolve.executors.local import LocalExecutor, default_workers
from evolve.problem import Problem
from evolve.publication import figures, provenance, result
from evolve.publication.figures import ROUNDING, Pair
from evolve.publication.result import Figure, Published, Result
from evolve.sandbox import Sandbox
from evolve.standings import Standing, standings
from evolve.statistics import Interval
from evolve.text import brief, kept
from evolve.types import Evaluation, Verdict
from evolve.verify import Verification, barred

TIMED = 1.1
"""By which factor a score may lie outside of its interval where it rests on measured times: machines differ."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """How the policy does on sealed cases that were drawn only now; ``ratio`` is to the best baseline on them.

    Either is None where somebody has no score, of which ``failure`` says why.
    """

    score: Interval | None
    baseline: str
    ratio: Interval | None
    failure: str


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """What came of judging a result again.

    ``agrees`` is the answer and ``said`` its reason; where this machine is too ``slow`` there is no answer.
    ``changes`` name what is not as it was when the result was published, ``failures`` the policies that now have no
    score, ``unjudged`` what of the record nobody can judge again.  ``fresh`` is None for held-out cases.
    """

    result: str
    problem: str
    agrees: bool
    slow: bool
    said: str
    pairs: tuple[Pair, ...]
    fresh: Fresh | None
    changes: tuple[str, ...]
    failures: tuple[str, ...]
    unjudged: tuple[str, ...]
    unsafe: bool


class _TooSlow(Exception):  # noqa: N818 - it says nothing about the result
    """A policy that once was fast enough ran into a limit of time."""


def again(
    path: Path,
    *,
    named: str | None = None,
    workers: int | None = None,
    unsafe: bool = False,
    draw: Callable[[int], str] = secrets.token_hex,
) -> Rejudgement:
    """Judges the result in a folder again; ``named`` is the user's name for its problem.

    ``draw`` makes the secret of the fresh cases, of so many bytes.

    Raises:
        EvolveError: it is no sound result, its problem is not here or failed, or the sandbox does not stand.
    """
    published = result.read(path)
    problem = provenance.problem_of(published, named)
    Sandbox(unsafe=unsafe).close()  # what this machine lacks is said at once
    with LocalExecutor(problem, workers or default_workers(), unsafe=unsafe) as executor:
        return rejudge(published, problem, executor, draw(16))


def rejudge(published: Published, problem: Problem, executor: Executor, fresh: str) -> Rejudgement:
    """Judges a result's policy and every baseline again; ``fresh`` is the secret of cases that nobody has seen.

    Raises:
        EvolveError: the problem or the sandbox failed, or the cases need what is not here.
        ResultError: the record leaves out a hash that can be compared.
    """
    changes = tuple(provenance.changes(published, problem))
    try:
        return _Rejudging(published, problem, executor, changes).finish(fresh)
    except _TooSlow as slow:
        left = tuple(_unjudged(published.result))
        return Rejudgement(
            str(published.path), problem.name, False, True, str(slow), (), None, changes, (), left, False
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


class _Rejudging:
    """A result that is being judged again."""

    def __init__(self, published: Published, problem: Problem, executor: Executor, changes: tuple[str, ...]) -> None:
        self._published, self._problem, self._executor, self._changes = published, problem, executor, changes
        self._record = published.result
        self._own = f"#{self._record.candidate}"  # a name that no file of a baseline has
        self._baselines = {baseline.name: baseline.source for baseline in problem.baselines()}

    def finish(self, secret: str) -> Rejudgement:
        """Returns what came of it; ``secret`` is that of the fresh cases."""
        quick = provenance.quick(self._problem, self._executor, self._published.policy) if self._record.quick else None
        found = self._verified(provenance.secret(self._record), self._baselines, searched=True)
        unbeaten = found.unbeaten or [duel.baseline for duel in found.close]
        pairs: list[Pair] = []
        fresh = None
        if found.found.evaluation.score is not None:
            (again,) = self._results({self._own: quick}) if quick else (None,)
            pairs = figures.pairs(self._record, found, _proved(self._record, unbeaten), again)
            fresh = None if self._problem.held_out else self._fresh(secret, found)
        wrong = self._wrong(found, pairs, unbeaten, fresh)
        return Rejudgement(
            result=str(self._published.path),
            problem=self._problem.name,
            agrees=not wrong,
            slow=False,
            said=wrong or self._agreed(found, pairs),
            pairs=tuple(pairs),
            fresh=fresh,
            changes=self._changes,
            failures=tuple(_failure(row) for row in found.standings if row.evaluation.score is None),
            unjudged=tuple(_unjudged(self._record)),
            unsafe=found.unsafe,
        )

    def _verified(self, secret: str, baselines: Mapping[str, str], *, searched: bool) -> Verification:
        """Returns how policy and baselines do on the cases of a secret, and if ``searched`` on the others."""
        record, problem = self._record, self._problem
        cases = split_cases(problem, "test", secret)
        sources = {**baselines, self._own: self._published.policy}
        names = list(sources)
        futures = [self._submitted(sources, "test", secret)]
        if searched:
            futures += [
                self._submitted(sources, "train"),
                self._submitted({self._own: sources[self._own]}, "validation"),
            ]
        sealed, *others = [self._results(submitted) for submitted in futures]
        trains, (validation,) = others or (sealed, (None,))
        return Verification(
            number=record.candidate,
            baseline=record.baseline,
            train=trains[-1],
            validation=validation,
            standings=tuple(standings(problem, cases, names, sealed)),
            trains=tuple(evaluation.score for evaluation in trains),
            duels=tuple(duels(list(baselines), sealed, cases)),
            mean_bound=None if cases.bounds is None else sum(cases.bounds) / len(cases),
            cases=len(cases),
            uses=record.seal.uses,
            uses_after_reveal=record.seal.uses_after_reveal,
            covered=record.seal.covered,
            secret=secret,
            secret_hash=result.sha256(secret),
            held_out=problem.held_out,
            basis=basis_of(problem, "test"),
            barred=tuple(barred(problem, list(baselines), sealed)),
        )

    def _fresh(self, secret: str, found: Verification) -> Fresh:
        best = found.standings[found.best_baseline].name
        names = dict.fromkeys(("reference", best))
        again = self._verified(secret, {name: self._baselines[name] for name in names}, searched=False)
        failed = [_failure(row) for row in again.standings if row.evaluation.score is None]
        ratio = next((duel.interval for duel in again.duels if duel.baseline == best), None)
        return Fresh(again.found.interval, best, ratio, "; ".join(failed))

    def _submitted(self, sources: Mapping[str, str], cases: str, secret: str = "") -> dict[str, Future[Evaluation]]:
        """Has policies judged; a child for every case confirms what was confirmed when it was published."""
        above = math.inf if cases == "train" else 0.0
        failed = self._record.sealed.failed
        return {
            name: self._executor.submit(Task(source, above, cases, secret, unhurried=name not in failed))
            for name, source in sources.items()
        }

    def _results(self, futures: Mapping[str, Future[Evaluation]]) -> list[Evaluation]:
        """Waits for evaluations.

        Raises:
            _TooSlow: one ran out of time that had not when the result was published.
        """
        for name, future in futures.items():
            if future.result().verdict is Verdict.TIMED_OUT and name not in self._record.sealed.failed:
                who = "the policy" if name == self._own else f"the baseline {name}"
                raise _TooSlow(f"too slow: {who} ran out of time ({brief(future.result().feedback, 200)})")
        return [future.result() for future in futures.values()]

    def _wrong(self, found: Verification, pairs: list[Pair], unbeaten: list[str], fresh: Fresh | None) -> str:
        """Says why the result does not agree; empty: it does."""
        evaluation, times = found.found.evaluation, _has_times(self._problem)
        if evaluation.score is None:
            return f"the policy is {evaluation.verdict}: {brief(evaluation.feedback, 300)}"
        if not all(pair.same for pair in pairs):
            if not (times or self._changes):
                return (
                    "figures differ though nothing that they were made with has changed: the record was altered, or "
                    "this machine computes otherwise"
                )
            if not self._inside(found):
                return self._where(found)
            if not times and (far := self._far(found, pairs)):
                return f"{far} differs by more than {figures.NEAR:.0%}, on the same cases"
        if self._record.proved and not _proved(self._record, unbeaten):
            names = f"it is not shown to beat {brief(', '.join(unbeaten), 200)}" if unbeaten else "its record denies it"
            return f"it is said to be proved, and {names}"
        return "" if fresh is None else self._luck(fresh)

    def _far(self, found: Verification, pairs: list[Pair]) -> str:
        """Returns the name of a total on the same cases that is not near what it was; not of another best baseline."""
        known = {duel.baseline for duel in self._record.sealed.duels}
        is_new = found.standings[found.best_baseline].name not in known
        if provenance.CASES.format("test") in self._changes:
            return ""
        far = (pair.name for pair in pairs if not pair.near)
        return next((name for name in far if not (is_new and name.startswith("sealed.best_baseline."))), "")

    def _agreed(self, found: Verification, pairs: list[Pair]) -> str:
        if all(pair.same for pair in pairs):
            return "every figure compared is what was published"
        return self._where(found)

    def _inside(self, found: Verification) -> bool:
        """Says whether the score of now lies in the published interval, and the published one in that of now."""
        figure, now, slack = self._record.sealed.found, found.found, self._slack
        assert now.interval is not None
        assert now.evaluation.score is not None
        return _lies(now.evaluation.score, figure, slack) and _lies(figure.sealed, now.interval, slack)

    def _where(self, found: Verification) -> str:
        """Says by which rule the score of now and the published one agree, or do not."""
        where = "in" if self._inside(found) else "outside of"
        score = f"the scores lie {where} each other's intervals"
        if _has_times(self._problem):
            return f"{score} (or within {TIMED - 1:.0%} of them, for times are never the same)"
        return f"{score}; figures differ, and so does what they were made with"

    def _luck(self, fresh: Fresh) -> str:
        """Says where fresh cases show another score than the published ones."""
        figure, score = self._record.sealed.found, fresh.score
        if score is None:
            return f"on fresh sealed cases it has no score: {fresh.failure}"
        if score.low > figure.high * self._slack or figure.low > score.high * self._slack:
            return (
                "on fresh sealed cases its interval does not overlap the published one: those were its luck or choice"
            )
        return ""

    @property
    def _slack(self) -> float:
        return TIMED if _has_times(self._problem) else 1 + ROUNDING


def _proved(record: Result, unbeaten: Collection[str]) -> bool:
    """Says whether a proof stands on the baselines that are not beaten now, and on what else the record says."""
    return record.baseline is None and record.seal.covered and not (record.unsafe or unbeaten)


def _lies(score: float, within: Figure | Interval, slack: float) -> bool:
    return within.low / slack <= score <= within.high * slack


def _unjudged(record: Result) -> Iterable[str]:
    yield "how the search went (its lineage, effort and command), and the words of the record"
    yield f"how often the {kept(record.seal.held_out)} cases were used, and that the policy was there before"
    if not record.seal.held_out:
        yield "that the secret was drawn before the search"
    if record.search.cases != "train":
        yield f"scores on {brief(record.search.cases, 40)}, the cases that it was searched on"
    if record.validation is None:
        yield "a score on validation, for the record has none"


def _failure(row: Standing) -> str:
    return f"{brief(row.name, 60)} is {row.evaluation.verdict}: {brief(row.evaluation.feedback, 300)}"
