"""Constants of a good policy, chosen by Optuna's TPE sampler (Akiba et al. 2019) from all scores known."""

import ast
import logging
import math
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from evolve import normal
from evolve.archives import Archive
from evolve.proposers import ONLY, Way
from evolve.proposers.syntax.constants import number, tunable, written
from evolve.proposers.syntax.splice import ATOM, SIGN, Text, floor
from evolve.source import insist_on_shallow
from evolve.types import Candidate, Miss, Proposal

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

Values = tuple[float, ...]
_MOST_CONSTANTS = 8
_FEW = 6  # trials below which the sampler knows too little to be asked
_SAMPLED = 0.5  # share of questions to the sampler; near the best there is as much to be found
_SPREADS = (0.05, 0.15, 0.3, 0.6)
_MOST_TRIALS = 60
_MOST_SKELETONS = 4096
_MOST_VALUES = 500  # of a policy; one with more is a table, of which eight at a time tell nothing
_ATTEMPTS = 8


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


@dataclass(frozen=True, slots=True)
class Dials:
    """A policy's source with the numeric literals that can be turned, in the order of the source."""

    text: Text
    nodes: list[ast.expr]
    floors: dict[int, int]
    values: Values
    skeleton: str

    def turned(self, values: Values) -> tuple[str, str]:
        """Returns the source with other constants, and what changed."""
        turned = [
            self.text.replaced(node, written(new), SIGN if new < 0 else ATOM, self.floors[id(node)])
            for node, old, new in zip(self.nodes, self.values, values, strict=True)
            if new != old
        ]
        edits = [edit for edit in turned if edit is not None]
        return self.text.apply(edits), "; ".join(edit.why for edit in edits)

    def like(self, source: str) -> bool:
        """Returns whether a source differs at most in these constants."""
        try:
            return dials(source).skeleton == self.skeleton
        except normal.SourceError:
            return False


def dials(source: str) -> Dials:
    """Returns the dials of a policy.

    Raises:
        SourceError: the source does not parse, is too deep, or has too many constants.
    """
    tree = normal.parse(source)
    insist_on_shallow(tree)
    nodes = tunable(tree)
    if len(nodes) > _MOST_VALUES:
        raise normal.SourceError(f"more than {_MOST_VALUES} constants")
    chosen = {id(node) for node in nodes}
    floors = {
        id(child): floor(parent, child)
        for parent in ast.walk(tree)
        for child in ast.iter_child_nodes(parent)
        if isinstance(child, ast.expr) and id(child) in chosen
    }
    values = tuple(value for value in map(number, nodes) if value is not None)
    return Dials(Text(source), nodes, floors, values, normal.digest(tree, nodes))


class Tune:
    """Proposes a good candidate with other constants.

    What it knows are the constants and scores of all candidates that it was told of, by skeleton: the
    policy without its constants.  Each question starts a study afresh from them, so nothing is lost
    when a run is resumed.
    """

    name = "tune"
    trouble = ""

    def __init__(self) -> None:
        self._trials: OrderedDict[str, list[tuple[Values, float]]] = OrderedDict()

    def recall(self, _: Proposal | Miss, /) -> None:
        """Forgets at once: no question depends on those before it."""

    def tell(self, told: Candidate | Miss, /) -> None:
        """Notes the constants of a candidate that has a score."""
        if isinstance(told, Miss) or told.evaluation.score is None:
            return
        try:
            policy = dials(told.proposal.source)
        except normal.SourceError:
            return
        trials = self._trials.setdefault(policy.skeleton, [])
        self._trials.move_to_end(policy.skeleton)
        trials.append((policy.values, told.evaluation.score))
        if len(trials) > _MOST_TRIALS:
            trials.remove(min(trials[: _MOST_TRIALS // 2], key=lambda trial: trial[1]))
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
        trials = self._trials.get(present.skeleton, [])
        values = self._new_values(present.values, trials, rng)
        if values is None:
            return None
        source, why = present.turned(values)
        return Proposal(source, self.name, "tune", (parent.number,), why) if present.like(source) else None

    def _new_values(self, present: Values, trials: list[tuple[Values, float]], rng: Random) -> Values | None:
        """Returns values that no trial has; the sampler's where there are enough trials, else near the present."""
        known = {present, *(values for values, _ in trials)}
        best = max(trials, key=lambda trial: trial[1])[0] if trials else present
        turned = sorted(rng.sample(range(len(best)), min(_MOST_CONSTANTS, len(best))))
        ranges = {index: around(best[index]) for index in turned}
        if len(trials) >= _FEW and rng.random() < _SAMPLED:
            asked = suggested(best, ranges, trials, rng)
            if asked not in known:
                return asked
        near = (nearby(best, ranges, rng) for _ in range(_ATTEMPTS))
        return next((values for values in near if values not in known), None)


def nearby(present: Values, ranges: dict[int, Range], rng: Random) -> Values:
    """Returns values of which about half differ from the present ones, all by a like share."""
    values, spread = list(present), rng.choice(_SPREADS)
    turned = [index for index in ranges if rng.random() < 0.5] or [rng.choice(list(ranges))]
    for index in turned:
        limits, value = ranges[index], present[index]
        if limits.whole:
            step = 1 + int(abs(rng.gauss(0, spread * abs(value))))
            moved: float = value + rng.choice((-step, step))
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
    level = logger.level
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
