"""A duel: one policy against another, case by case."""

from collections.abc import Sequence
from dataclasses import dataclass

from evolve.cases import CaseSet
from evolve.statistics import EQUAL, Interval, paired_bootstrap
from evolve.types import Evaluation

ENOUGH = 30
"""Cases on which two policies must differ before an interval is believed: on fewer the bootstrap's is too narrow."""


@dataclass(frozen=True, slots=True)
class Duel:
    """The best found against one baseline, case by case; above one the best found is better."""

    baseline: str
    interval: Interval
    better: int
    equal: int
    worse: int

    def is_close(self, cases: int) -> bool:
        """Says whether the two differ on too few of so many cases: fewer than ``ENOUGH``, or than half of not many."""
        return self.better + self.worse < min(ENOUGH, cases // 2)


def duels(names: Sequence[str], evaluations: Sequence[Evaluation], cases: CaseSet) -> list[Duel]:
    """Returns the last evaluation against each of the others; who has no score has no duel."""
    *baselines, found = evaluations
    return [
        _duel(name, baseline, found, cases)
        for name, baseline in zip(names, baselines, strict=True)
        if baseline.score is not None and found.score is not None
    ]


def paired(found: Evaluation, other: Evaluation) -> list[float]:
    """Returns on each case how many times better one policy is than the other; both have finished all."""
    return [ours.ratio / theirs.ratio for ours, theirs in zip(found.cases, other.cases, strict=True)]


def _duel(name: str, baseline: Evaluation, found: Evaluation, cases: CaseSet) -> Duel:
    ratios = paired(found, baseline)
    equal = sum(abs(ratio - 1) < EQUAL for ratio in ratios)
    better = sum(ratio > 1 + EQUAL for ratio in ratios)
    return Duel(name, paired_bootstrap(ratios, cases.stretches), better, equal, len(ratios) - better - equal)
