"""Chooses the best of a run on validation cases, and proves it on the sealed ones."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evolve.cases import CaseSet, split_cases
from evolve.executors import Executor, Task
from evolve.journal import Journal
from evolve.problem import Problem
from evolve.statistics import Interval, gap_closed, paired_bootstrap
from evolve.types import Evaluation, EvolveError, Proposal

FINALISTS = 8


@dataclass(frozen=True, slots=True)
class Standing:
    """How one policy did on a set of cases, relative to the reference and to the bound."""

    name: str
    evaluation: Evaluation
    interval: Interval | None = None
    mean: float | None = None
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Duel:
    """The best candidate against one baseline, case by case."""

    baseline: str
    interval: Interval
    better: int
    equal: int
    worse: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What the sealed split says of the best candidate of a run."""

    number: int
    train: Evaluation
    validation: Evaluation | None
    standings: tuple[Standing, ...]  # the baselines, the reference first, then the best found
    duels: tuple[Duel, ...]
    uses: int
    cases: int

    @property
    def found(self) -> Standing:
        """How the best candidate did."""
        return self.standings[-1]

    @property
    def best_baseline(self) -> Standing:
        """The baseline with the highest sealed score."""
        return max(self.standings[:-1], key=lambda standing: standing.evaluation.rank)


def choose(journal: Journal, executor: Executor) -> int:
    """Returns the finalist with the highest validation score; the finalists lead on train.

    Each case has a child of its own.  What the journal holds is not judged again.

    Raises:
        EvolveError: no candidate has a score.
    """
    finalists = journal.top(FINALISTS)
    if not finalists:
        raise EvolveError("no candidate of this run has a score yet")
    waiting = {
        number: executor.submit(Task(_proposal(journal, number).source, cases="validation", isolated=True))
        for number in finalists
        if journal.evaluation(number, "validation") is None
    }
    for number, future in waiting.items():
        journal.record(number, future.result(), journal.seconds(), "validation")
    judged = {number: journal.evaluation(number, "validation") for number in finalists}
    return max(finalists, key=lambda number: (_rank(judged[number]), -number))


def verify(problem: Problem, journal: Journal, executor: Executor, secret: str) -> Verification:
    """Judges the best candidate and every baseline on the sealed cases, one child for each case."""
    number = choose(journal, executor)
    baselines = [baseline.name for baseline in problem.baselines()]
    numbers = [*range(len(baselines)), number]
    journal.record_sealed_use(_now(), number, len(numbers))
    futures = [
        executor.submit(Task(_proposal(journal, n).source, cases="test", secret=secret, isolated=True)) for n in numbers
    ]
    evaluations = [future.result() for future in futures]
    for n, evaluation in zip(numbers, evaluations, strict=True):
        journal.record(n, evaluation, journal.seconds(), "test")
    cases = split_cases(problem, "test", secret)
    train = journal.evaluation(number)
    assert train is not None
    found = evaluations[-1]
    return Verification(
        number,
        train,
        journal.evaluation(number, "validation"),
        tuple(standings(problem, cases, [*baselines, f"best found, #{number}"], evaluations)),
        tuple(
            _duel(name, evaluation, found, cases)
            for name, evaluation in zip(baselines, evaluations, strict=False)
            if evaluation.score is not None and found.score is not None
        ),
        journal.sealed_uses(),
        len(cases),
    )


def standings(
    problem: Problem, cases: CaseSet, names: Sequence[str], evaluations: Sequence[Evaluation]
) -> list[Standing]:
    """Returns score, interval, natural metric and share of the gap closed of each policy."""
    return [_standing(problem, cases, name, evaluation) for name, evaluation in zip(names, evaluations, strict=True)]


def objective_of_reference(problem: Problem, evaluation: Evaluation) -> list[float]:
    """Recovers what the reference reached on each case from a policy's metrics and ratios."""
    sign = 1 if problem.direction == "minimize" else -1
    return [_value(problem, result.metrics) * result.ratio**sign for result in evaluation.cases]


def gap(problem: Problem, evaluation: Evaluation, bounds: Sequence[float] | None) -> float | None:
    """Returns the share of the gap between reference and bound that a policy closes, on totals."""
    if bounds is None or evaluation.score is None:
        return None
    own = [_value(problem, result.metrics) for result in evaluation.cases]
    return gap_closed(objective_of_reference(problem, evaluation), own, bounds)


def _standing(problem: Problem, cases: CaseSet, name: str, evaluation: Evaluation) -> Standing:
    if evaluation.score is None:
        return Standing(name, evaluation)
    own = [_value(problem, result.metrics) for result in evaluation.cases]
    interval = paired_bootstrap([result.ratio for result in evaluation.cases], cases.stretches)
    return Standing(name, evaluation, interval, sum(own) / len(own), gap(problem, evaluation, cases.bounds))


def _duel(name: str, baseline: Evaluation, found: Evaluation, cases: CaseSet) -> Duel:
    """Compares two evaluations on the same cases; above one the found policy is better."""
    ratios = [ours.ratio / theirs.ratio for ours, theirs in zip(found.cases, baseline.cases, strict=True)]
    equal = sum(abs(ratio - 1) < 1e-9 for ratio in ratios)
    better = sum(ratio > 1 + 1e-9 for ratio in ratios)
    return Duel(name, paired_bootstrap(ratios, cases.stretches), better, equal, len(ratios) - better - equal)


def _value(problem: Problem, metrics: Mapping[str, float]) -> float:
    return max(metrics[problem.objective], problem.floor)


def _rank(evaluation: Evaluation | None) -> tuple[bool, float]:
    return (False, 0.0) if evaluation is None else evaluation.rank


def _proposal(journal: Journal, number: int) -> Proposal:
    found = journal.proposal(number)
    if found is None:
        raise EvolveError(f"the run has no candidate {number}")
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
