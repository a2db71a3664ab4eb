"""Where a policy wins and loses, case by case: against every baseline, and against the bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evolve.cases import CaseSet
from evolve.duel import Duel, duels
from evolve.problem import Problem
from evolve.publication.losses import WORST, Loss, Losses, losses
from evolve.standings import gap
from evolve.statistics import ratio
from evolve.types import Evaluation


@dataclass(frozen=True, slots=True)
class Against:
    """A policy against another: the cases where it gains most, from the best on, and where it loses."""

    best: tuple[Loss, ...]
    losses: Losses


@dataclass(frozen=True, slots=True)
class ByCase:
    """A policy on some cases, and how its smallest difference, ``minimised``, fares against the same baselines.

    ``gap`` is the share of the gap between reference and bound that it closes; ``farthest`` are the cases where it is
    farthest from the bound, with the share of the bound that it reaches.  ``failed`` are baselines without a score.
    """

    duels: tuple[Duel, ...]
    minimised: tuple[Duel, ...]
    against: tuple[Against, ...]
    gap: float | None
    farthest: tuple[Loss, ...]
    failed: Mapping[str, str]


def by_case(
    problem: Problem,
    cases: CaseSet,
    policy: Evaluation,
    minimised: Evaluation,
    baselines: Mapping[str, Evaluation],
    looked_at: Sequence[str],
) -> ByCase:
    """Returns how a policy with a score fares against baselines; in detail against those that are to be looked at."""
    names, evaluations = [*baselines], [*baselines.values()]
    scored = [name for name in looked_at if baselines[name].score is not None]
    return ByCase(
        duels=tuple(duels(names, [*evaluations, policy], cases)),
        minimised=tuple(duels(names, [*evaluations, minimised], cases)),
        against=tuple(_against(name, policy, baselines[name]) for name in scored),
        gap=gap(problem, policy, cases.bounds),
        farthest=tuple(_farthest(problem, cases, policy)),
        failed={name: f"{found.verdict}: {found.feedback}" for name, found in baselines.items() if found.score is None},
    )


def _against(name: str, policy: Evaluation, other: Evaluation) -> Against:
    pairs = zip(policy.cases, other.cases, strict=True)
    gains = [Loss(ours.case, ours.ratio / theirs.ratio) for ours, theirs in pairs]
    best = sorted((gain for gain in gains if gain.ratio > 1 + 1e-9), key=lambda gain: -gain.ratio)
    return Against(tuple(best[:WORST]), losses(name, policy, other))


def _farthest(problem: Problem, cases: CaseSet, policy: Evaluation) -> list[Loss]:
    if cases.bounds is None:
        return []
    values = [max(result.metrics[problem.objective], problem.floor) for result in policy.cases]
    reached = [
        Loss(result.case, ratio(value, bound, problem.direction))
        for result, value, bound in zip(policy.cases, values, cases.bounds, strict=True)
        if bound > 0
    ]
    return sorted(reached, key=lambda case: case.ratio)[:WORST]
