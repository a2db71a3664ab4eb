"""Constants of a good policy, chosen by Optuna's TPE sampler (Akiba et al. 2019) from all scores known."""

import logging
import math
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from evolve import normal
from evolve.archives import Archive
from evolve.proposers import ONLY, Way
from evolve.proposers.syntax.constants import is_power_of_two
from evolve.proposers.syntax.dials import Values, dials
from evolve.types import Candidate, Miss, Proposal, Verdict

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

_MOST_CONSTANTS = 8
_FEW = 6  # trials below which the sampler knows too little to be asked
_WAYS = ("sampled", "extended", "near", "near")  # near the best there is as much to be found as where the sampler looks
_STEPS = (0.5, 1.0, 1.0, 2.0)
_TURNED = (1, 1, 2, 2, 4, _MOST_CONSTANTS)  # constants turned at once
_TO_A_POWER = 0.7  # how often a power of two becomes another one
_DULL = 4  # times as rarely as others is turned what has led to failures or to nothing
_SPREADS = (0.05, 0.15, 0.3, 0.6)
_MOST_TRIALS = 60
_FEW_CHANGES = 2
_MOST_SKELETONS = 4096
_ATTEMPTS = 8
_FAILURES = frozenset({Verdict.CRASHED, Verdict.INVALID, Verdict.TIMED_OUT, Verdict.OUT_OF_MEMORY})


@dataclass(frozen=True, slots=True)
class Range:
    """Where one constant may lie: around its present value, logarithmic where that spans decades."""

    low: float
    high: float
    whole: bool
    log: bool

    def holds(self, value: float) -> bool:
        """Returns whether a trial's value can be shown to the sampler."""
        return self.low <= value <= self.high and (not self.whole or value == int(value))

    def distribution(self) -> "BaseDistribution":
        """Returns the range as Optuna knows it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)


def around(value: float) -> Range:
    """Returns the range of a constant; zero gets one that is symmetric."""
    whole, size = isinstance(value, int), abs(value)
    if whole:
        high = max(4 * size, 6)
        low = size // 10 if size >= 50 else (-high if value == 0 else 0)
        return Range(low if value >= 0 else -high, high if value >= 0 else -low, whole, log=size >= 50 and value > 0)
    if value == 0:
        return Range(-1.0, 1.0, whole, log=False)
    if value > 0:
        return Range(value / 5, value * 5, whole, log=True)
    return Range(value * 5, 0.0, whole, log=False)


@dataclass(slots=True)
class Trials:
    """What is known of the constants of one skeleton: those with scores, and those that failed."""

    scored: list[tuple[Values, float]] = field(default_factory=list)
    failed: list[Values] = field(default_factory=list)

    def add(self, values: Values, score: float | None) -> None:
        """Notes another trial; of many, the worse and older ones are forgotten."""
        if score is None:
            self.failed = [*self.failed, values][-_MOST_TRIALS:]
            return
        self.scored.append((values, score))
        if len(self.scored) > _MOST_TRIALS:
            self.scored.remove(min(self.scored[: _MOST_TRIALS // 2], key=lambda trial: trial[1]))

    def best(self, otherwise: Values) -> Values:
        """Returns the values with the highest score."""
        return max(self.scored, key=lambda trial: trial[1])[0] if self.scored else otherwise

    def known(self) -> Iterator[Values]:
        """Yields all values that were tried."""
        yield from (values for values, _ in self.scored)
        yield from self.failed

    def dull(self, best: Values) -> set[int]:
        """Returns the constants that were changed, few at a time, and the score stayed, or there was none."""
        top = max((score for _, score in self.scored), default=None)
        idle = [values for values, score in self.scored if score == top]
        changed = [
            [index for index, value in enumerate(values) if value != best[index]] for values in idle + self.failed
        ]
        return {index for indices in changed if len(indices) <= _FEW_CHANGES for index in indices}


class Tune:
    """Proposes a good candidate with other constants.

    What it knows are the constants and scores of all candidates that it was told of, by skeleton: the
    policy without its constants.  Each question starts a study afresh from them, so nothing is lost
    when a run is resumed.  One that was outraced says nothing, for its score on all cases is not known.
    """

    name = "tune"
    trouble = ""

    def __init__(self) -> None:
        self._trials: OrderedDict[str, Trials] = OrderedDict()

    def hear(self, _: str, /) -> None:
        """Words mean nothing to it."""

    def recall(self, _: Proposal | Miss, /) -> None:
        """Forgets at once: no question depends on those before it."""

    def tell(self, told: Candidate | Miss, /) -> None:
        """Notes the constants of a candidate that has a score, or has failed."""
        if isinstance(told, Miss) or (told.evaluation.score is None and told.evaluation.verdict not in _FAILURES):
            return
        try:
            policy = dials(told.proposal.source)
        except normal.SourceError:
            return
        self._trials.setdefault(policy.skeleton, Trials()).add(policy.values, told.evaluation.score)
        self._trials.move_to_end(policy.skeleton)
        if len(self._trials) > _MOST_SKELETONS:
            self._trials.popitem(last=False)

    def ways(self, idle: int) -> Mapping[Way, float]:  # noqa: ARG002
        return {ONLY: 1.0}

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Proposal | None:  # noqa: ARG002
        """Returns a policy with up to eight other constants, or None when the parent has none."""
        try:
            present = dials(parent.proposal.source)
        except normal.SourceError:
            return None
        if not present.values:
            return None
        trials = self._trials.get(present.skeleton, Trials())
        operator, values = self._new_values(present.values, trials, rng)
        if values is None:
            return None
        source, why = present.turned(values)
        return Proposal(source, self.name, operator, (parent.number,), why) if present.like(source) else None

    def _new_values(self, present: Values, trials: Trials, rng: Random) -> tuple[str, Values | None]:
        """Returns how, and values that no trial has."""
        known, best, way = {present, *trials.known()}, trials.best(present), rng.choice(_WAYS)
        if way == "extended":
            asked = extended(best, trials.scored, rng)
            if asked is not None and asked not in known:
                return way, asked
        turned = sorted(_turned(best, trials.dull(best), rng))
        ranges = {index: around(best[index]) for index in turned}
        if way == "sampled" and len(trials.scored) >= _FEW:
            asked = suggested(best, ranges, trials.scored, rng)
            if asked not in known:
                return way, asked
        near = (nearby(best, ranges, rng) for _ in range(_ATTEMPTS))
        return "near", next((values for values in near if values not in known), None)


def _turned(best: Values, dull: set[int], rng: Random) -> list[int]:
    """Returns which constants to turn, few more often than many, the dull ones rarely."""
    bright = [index for index in range(len(best)) if index not in dull or rng.randrange(_DULL) == 0]
    indices = bright or list(range(len(best)))
    return rng.sample(indices, min(rng.choice(_TURNED), len(indices)))


def extended(best: Values, trials: Sequence[tuple[Values, float]], rng: Random) -> Values | None:
    """Returns values farther on the way from another trial to the best (Hooke & Jeeves 1961); None without another."""
    others = [values for values, _ in trials if values != best]
    if not others:
        return None
    other, step = rng.choice(others), rng.choice(_STEPS)
    return tuple(
        new if new == old else _farther(old, new, step, around(new)) for old, new in zip(other, best, strict=True)
    )


def _farther(old: float, new: float, step: float, limits: Range) -> float:
    if limits.whole:
        away: float = round(step * (new - old)) or (1 if new > old else -1)
        moved: float = int(new + away)
    elif old * new > 0:
        moved = rounded(new * (new / old) ** step)
    else:
        moved = rounded(new + step * (new - old))
    return min(max(moved, limits.low), limits.high)


def nearby(present: Values, ranges: dict[int, Range], rng: Random) -> Values:
    """Returns values that differ from the present ones in the ranges, all by a like share."""
    values, spread = list(present), rng.choice(_SPREADS)
    for index in ranges:
        limits, value = ranges[index], present[index]
        if is_power_of_two(value) and rng.random() < _TO_A_POWER:
            moved: float = int(value * rng.choice((0.5, 2, 2, 4)))
        elif limits.whole:
            step = 1 + int(abs(rng.gauss(0, spread * abs(value))))
            moved = value + rng.choice((-step, step))
        else:
            moved = rounded(rng.gauss(0, spread) if value == 0 else value * math.exp(rng.gauss(0, spread)))
        values[index] = min(max(moved, limits.low), limits.high)
    return tuple(values)


def suggested(present: Values, ranges: dict[int, Range], trials: Sequence[tuple[Values, float]], rng: Random) -> Values:
    """Returns the values that a study of the trials asks for; those outside ``ranges`` stay."""
    with quiet():
        study = _study(ranges, trials, rng.randrange(2**32))
        asked = study.ask({str(index): limits.distribution() for index, limits in ranges.items()}).params
    values = list(present)
    for index, limits in ranges.items():
        values[index] = int(asked[str(index)]) if limits.whole else rounded(asked[str(index)])
    return tuple(values)


def _study(ranges: dict[int, Range], trials: Sequence[tuple[Values, float]], seed: int) -> "Study":
    import optuna

    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=0, multivariate=True)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    distributions = {str(index): limits.distribution() for index, limits in ranges.items()}
    for values, score in trials:
        if all(limits.holds(values[index]) for index, limits in ranges.items()):
            params = {str(i): int(values[i]) if limits.whole else float(values[i]) for i, limits in ranges.items()}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=score))
    return study


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps Optuna's log and warnings away, and leaves the levels as they were."""
    logger = logging.getLogger("optuna")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna  # noqa: F401 - its import sets the level

        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def rounded(value: float) -> float:
    """Returns a number with three significant digits."""
    return float(f"{value:.3g}")
