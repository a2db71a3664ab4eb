"""A duel: one policy against another, case by case."""

from collections.abc import Sequence
from dataclasses import dataclass

from evolve.cases import CaseSet
from evolve.statistics import Interval, paired_bootstrap
from evolve.types import Evaluation


@dataclass(frozen=True, slots=True)
class Duel:
    """The best found against one baseline, case by case; above one the best found is better."""

    baseline: str
    interval: Interval
    better: int
    equal: int
    worse: int


def duels(names: Sequence[str], evaluations: Sequence[Evaluation], cases: CaseSet) -> list[Duel]:
    """Returns the last evaluation against each of the others; who has no score has no duel."""
    *baselines, found = evaluations
    return [
        _duel(name, baseline, found, cases)
        for name, baseline in zip(names, baselines, strict=True)
        if baseline.score is not None and found.score is not None
    ]


def _duel(name: str, baseline: Evaluation, found: Evaluation, cases: CaseSet) -> Duel:
    ratios = [ours.ratio / theirs.ratio for ours, theirs in zip(found.cases, baseline.cases, strict=True)]
    equal = sum(abs(ratio - 1) < 1e-9 for ratio in ratios)
    better = sum(ratio > 1 + 1e-9 for ratio in ratios)
    return Duel(name, paired_bootstrap(ratios, cases.stretches), better, equal, len(ratios) - better - equal)
