"""The figures of a result: made of a verification, and compared one by one with those of a record."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evolve.publication.result import Duel, Figure, Quick, Result, Sealed, Spread
from evolve.standings import Standing
from evolve.types import Evaluation
from evolve.verify import Verification

ROUNDING = 1e-9
"""How far figures may differ, relatively, that should be the same: other machines add up in another order."""

NEAR = 0.05
"""How far totals on the same cases may differ, relatively, where the code or a library has changed since."""

_FOUND = ("sealed", "low", "high", "mean", "gap_closed")
_MAIN = {
    "proved",
    *(f"sealed.found.{name}" for name in _FOUND),
    "sealed.reference.mean",
    "sealed.best_baseline.mean",
    "sealed.bound",
    "quick.score",
}
_ROLES = ("found", "reference", "best_baseline")
_TOTALS = {"sealed.bound", *(f"sealed.{role}.{name}" for role in _ROLES for name in ("mean", "gap_closed"))}

Value = float | str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A figure as it was published and as it is now; either may be none.

    ``name`` is its place in the record; ``main`` ones are shown though they are the same.
    """

    name: str
    published: Value
    now: Value
    main: bool = False

    @property
    def same(self) -> bool:
        """Whether the two agree but for rounding."""
        return self._within(ROUNDING, 1e-12)

    @property
    def near(self) -> bool:
        """Whether the two agree as far as totals must though versions differ; a share of a gap is of one."""
        return self.name not in _TOTALS or self._within(NEAR, 1.0 if self.name.endswith("gap_closed") else 0.0)

    def _within(self, share: float, least: float) -> bool:
        if isinstance(self.published, float) and isinstance(self.now, float):
            largest = max(abs(self.published), abs(self.now), least)
            return abs(self.published - self.now) <= share * largest
        return self.published == self.now


def pairs(record: Result, found: Verification, proved: bool, quick: Evaluation | None) -> list[Pair]:
    """Returns every figure of a record that was judged again; ``found`` has a score."""
    validation = None if record.validation is None or found.validation is None else found.validation.score
    was = _figures(record.proved, record.train, record.validation, record.quick, record.sealed)
    now = _figures(proved, found.train.score, validation, _quick(quick), sealed(found))
    duel = f"sealed.duels.{record.sealed.best_baseline.policy}.ratio"
    return [
        Pair(name, was.get(name), now.get(name), name in _MAIN or name == duel)
        for name in dict.fromkeys([*was, *now])
        if not (was.get(name) is None and now.get(name) is None) and _judged(record, name)
    ]


def _judged(record: Result, name: str) -> bool:
    """Says whether a figure is judged again: not what was reached on cases that were searched and are not train's."""
    return record.search.cases == "train" or name.rpartition(".")[2] != "train"


def _figures(proved: bool, train: float | None, validation: float | None, quick: Quick | None, sealed: Sealed) -> Any:
    whole = {"proved": proved, "train": train, "validation": validation, "quick": quick, "sealed": sealed}
    return dict(_flat(whole, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, Value]]:
    """Yields all that a value holds with its place; a duel's is its baseline, a failure's worth its verdict."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, tuple):
        value = {duel.baseline: duel for duel in value}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value.partition(":")[0] if name.startswith("sealed.failed.") else value


def sealed(found: Verification) -> Sealed:
    """Returns what is published of a verification whose best found has a score."""
    interval = found.found.interval
    assert interval is not None  # it has a score
    best = found.best_baseline
    failed = {row.name: row.evaluation for row in found.standings if row.evaluation.score is None}
    return Sealed(
        cases=found.cases,
        stretches=interval.stretches,
        found=_figure(found.found, found.train.score),
        reference=_figure(found.standings[0], found.trains[0]),
        best_baseline=_figure(found.standings[best], found.trains[best]),
        bound=found.mean_bound,
        spread=spread([case.ratio for case in found.found.evaluation.cases]),
        duels=tuple(
            Duel(duel.baseline, own.mean, own.low, own.high, duel.better, duel.equal, duel.worse)
            for duel in found.duels
            if duel.baseline != found.baseline and (own := duel.interval)
        ),
        failed={name: f"{evaluation.verdict}: {evaluation.feedback}" for name, evaluation in failed.items()},
    )


def _figure(standing: Standing, train: float | None) -> Figure:
    score, interval, mean = standing.evaluation.score, standing.interval, standing.mean
    assert score is not None
    assert interval is not None
    assert mean is not None
    return Figure(standing.name, train, score, interval.low, interval.high, mean, standing.gap)


def spread(ratios: Sequence[float]) -> Spread:
    """Returns the ends and the quartiles of ratios."""
    import numpy as np

    return Spread(*np.quantile(np.asarray(ratios), (0, 0.25, 0.5, 0.75, 1)).tolist())


def _quick(evaluation: Evaluation | None) -> Quick | None:
    if evaluation is None or evaluation.score is None:
        return None
    return Quick(len(evaluation.cases), evaluation.score)
