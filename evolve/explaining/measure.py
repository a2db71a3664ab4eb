"""How evaluations on the same cases compare: by what factor, whether any case differs, what is left of a gain."""

import math
from dataclasses import dataclass

from evolve.cases import CaseSet
from evolve.problem import Problem, steady
from evolve.statistics import Interval, paired_bootstrap
from evolve.types import Evaluation

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Measure:
    """What variants of a policy are measured by: the policy and the base that it is compared with, both on ``cases``.

    ``rival`` is the best of the baselines that the policy is better than; where it is not better than the base, that.
    The lead over it is what a variant has to keep, for a base may be weak; ``tolerance`` is the share of it that may be
    lost.  The policy has a score.
    """

    problem: Problem
    cases: CaseSet
    base: Evaluation
    rival: Evaluation
    policy: Evaluation
    tolerance: float

    @property
    def noisy(self) -> bool:
        """Whether the objective itself is measured, so that it is never twice the same."""
        return self.problem.objective not in steady(self.problem, self.policy.cases[0].metrics)

    @property
    def gain(self) -> float | None:
        """How many times better the policy is than the base; None where that has no score."""
        return _times(self.policy, self.base)

    @property
    def lead(self) -> float | None:
        """How many times better the policy is than the rival; None where that has no score."""
        return _times(self.policy, self.rival)

    def kept(self, variant: Evaluation) -> float | None:
        """Returns the share of the lead that a variant keeps, of logarithms; None where there is no lead."""
        lead, own = self.lead, _times(variant, self.rival)
        return None if lead is None or own is None or lead <= 1 + _ROUNDING else math.log(own) / math.log(lead)

    def enough(self, variant: Evaluation) -> bool:
        """Says whether a variant keeps the lead within the tolerance; where there is none, whether it is as good."""
        if variant.score is None or self.policy.score is None:
            return False
        kept = self.kept(variant)
        return variant.score >= self.policy.score * (1 - _ROUNDING) if kept is None else kept >= 1 - self.tolerance

    def factor(self, one: Evaluation, other: Evaluation) -> Interval | None:
        """Returns how many times better one is than the other; None where either has no score."""
        if one.score is None or other.score is None:
            return None
        ratios = [ours.ratio / theirs.ratio for ours, theirs in zip(one.cases, other.cases, strict=True)]
        return paired_bootstrap(ratios, self.cases.stretches)

    def same(self, one: Evaluation, other: Evaluation) -> bool:
        """Says whether no case differs.

        Of an objective that is measured: whether all else is the same, and the objective is not told apart.
        """
        if one.score is None or other.score is None:
            return False
        pairs = list(zip(one.cases, other.cases, strict=True))
        if not self.noisy:
            return all(math.isclose(ours.ratio, theirs.ratio, rel_tol=_ROUNDING) for ours, theirs in pairs)
        metrics = [(steady(self.problem, ours.metrics), steady(self.problem, theirs.metrics)) for ours, theirs in pairs]
        factor = self.factor(one, other)
        told_apart = factor is None or not factor.low <= 1 <= factor.high
        return not told_apart and all(ours and ours == theirs for ours, theirs in metrics)


def _times(one: Evaluation, other: Evaluation) -> float | None:
    """Returns how many times better one is than the other, by their scores; None where either has none."""
    return None if one.score is None or other.score is None else one.score / other.score
