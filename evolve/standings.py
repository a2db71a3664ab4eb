"""How policies stand on a set of cases: score, interval, natural metric, share of the gap to the bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from evolve.cases import CaseSet, blaming
from evolve.problem import Problem, ProblemError
from evolve.statistics import Interval, gap_closed, paired_bootstrap
from evolve.types import Evaluation

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Bound:
    """What no policy can beat: the mean bound over cases, and the problem's summary of their bounds."""

    mean: float
    summary: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one policy did on a set of cases, relative to the reference and to the bound.

    ``mean`` is the mean over cases of the objective itself, ``gap`` the share of the distance from
    reference to bound that the policy closes, ``summary`` what the problem says of all cases together.
    ``bound`` is the same for all policies on the cases; None where the problem knows none.  So is ``basis``, what
    the score rests on where that is no simulation.
    """

    name: str
    evaluation: Evaluation
    interval: Interval | None = None
    mean: float | None = None
    gap: float | None = None
    summary: Mapping[str, float] = field(default_factory=dict)
    bound: Bound | None = None
    basis: str = ""


def standings(
    problem: Problem, cases: CaseSet, names: Sequence[str], evaluations: Sequence[Evaluation], basis: str = ""
) -> list[Standing]:
    """Returns score, interval, natural metric, share of the gap closed and summary of each policy."""
    scored = any(evaluation.score is not None for evaluation in evaluations)
    bound = _bound(problem, cases.bounds) if scored else None
    return [
        replace(_standing(problem, cases, name, evaluation, bound), basis=basis)
        for name, evaluation in zip(names, evaluations, strict=True)
    ]


def gap(problem: Problem, evaluation: Evaluation, bounds: Sequence[float] | None) -> float | None:
    """Returns the share of the gap between reference and bound that a policy closes, on totals.

    Raises:
        ProblemError: a bound is none.
    """
    if bounds is None or evaluation.score is None:
        return None
    own, reference = _own(problem, evaluation), _reference(problem, evaluation)
    sign = 1 if problem.direction == "minimize" else -1
    for result, reached, base, bound in zip(evaluation.cases, own, reference, bounds, strict=True):
        best = min(sign * reached, sign * base)
        if best < sign * bound - _ROUNDING * abs(bound):
            raise ProblemError(
                f"{problem.name}: `bound` says that no policy reaches better than {bound:g} on {result.case}, but "
                f"{sign * best:g} was reached; a bound must hold for every policy"
            )
    return gap_closed(reference, own, bounds)


def _bound(problem: Problem, bounds: Sequence[float] | None) -> Bound | None:
    if bounds is None:
        return None
    return Bound(sum(bounds) / len(bounds), _summary(problem, [{problem.objective: bound} for bound in bounds]))


def _standing(problem: Problem, cases: CaseSet, name: str, evaluation: Evaluation, bound: Bound | None) -> Standing:
    if evaluation.score is None:
        return Standing(name, evaluation, bound=bound)
    own = _own(problem, evaluation)
    return Standing(
        name,
        evaluation,
        paired_bootstrap([result.ratio for result in evaluation.cases], cases.stretches),
        sum(own) / len(own),
        gap(problem, evaluation, cases.bounds),
        _summary(problem, [result.metrics for result in evaluation.cases]),
        bound,
    )


def _summary(problem: Problem, metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    with blaming(problem, "summary"):
        return {name: float(value) for name, value in problem.summary(metrics).items()}


def _own(problem: Problem, evaluation: Evaluation) -> list[float]:
    """Returns the objective on each case."""
    return [_value(problem, result.metrics) for result in evaluation.cases]


def _reference(problem: Problem, evaluation: Evaluation) -> list[float]:
    """Recovers what the reference reached on each case from a policy's metrics and ratios."""
    sign = 1 if problem.direction == "minimize" else -1
    return [_value(problem, result.metrics) * result.ratio**sign for result in evaluation.cases]


def _value(problem: Problem, metrics: Mapping[str, float]) -> float:
    return max(metrics[problem.objective], problem.floor)
