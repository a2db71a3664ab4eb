"""What a comparison shows: how each strategy did on each problem, and what can be told apart from chance.

A seed is a trial: intervals draw seeds with replacement, tests change the sign of whole seeds, and strategies are
compared on the seeds that both have.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evolve.comparing.course import Course
from evolve.comparing.plan import Cell, Plan
from evolve.statistics import Interval, geometric_mean, holm, paired_bootstrap, sign_flip

POINTS = 20
"""Points of a curve."""

LEVEL = 0.05
"""How often at most a verdict of a whole table is wrong by chance alone."""

Told = Literal["better", "worse", "not told apart"]


@dataclass(frozen=True, slots=True)
class Point:
    """The best after so many evaluations, over all seeds."""

    evaluations: int
    best: Interval


@dataclass(frozen=True, slots=True)
class Contrast:
    """How many times better a strategy is than the first, paired by seed.

    ``p`` is that of the sign-flip test, ``p_holm`` the same for all comparisons of the table together (Holm 1979).
    """

    ratio: Interval
    p: float
    p_holm: float = 1.0

    @property
    def verdict(self) -> Told:
        """What can be said of the strategy beside the first."""
        if self.p_holm > LEVEL:
            return "not told apart"
        return "better" if self.ratio.mean > 1 else "worse"


@dataclass(frozen=True, slots=True)
class Spent:
    """What all searches of a strategy on a problem used."""

    evaluations: int
    simulations: int
    without_score: int
    outraced: int


@dataclass(frozen=True, slots=True)
class Row:
    """A strategy on a problem.

    ``best`` and ``validation`` are geometric means over seeds of the best on the searched cases, and of what the same
    policy is worth on validation cases; ``area`` is that of the best over all evaluations.  ``seeds`` are those that
    were searched, ``failed`` counts those whose search failed, ``unproved`` those whose best fails on validation.
    Against the first strategy there is nothing where it is the first, or where no seed has both.
    """

    problem: str
    strategy: str
    seeds: tuple[int, ...]
    failed: int
    best: Interval | None
    validation: Interval | None
    unproved: int
    area: float | None
    against: Contrast | None
    validation_against: Contrast | None
    curve: tuple[Point, ...]
    spent: Spent


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that failed, and why."""

    cell: str
    message: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, problem by problem, in the order in which they were named.

    ``least_p`` is the smallest p-value that the seeds allow after Holm's correction; above ``LEVEL`` no strategy can
    be told apart, whatever the scores.  With ``enough`` seeds one that differs on all of them is.
    """

    evaluations: int
    cases: str
    first: str
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    least_p: float
    enough: int


def compare(plan: Plan, courses: Mapping[Cell, Course], failures: Mapping[Cell, str]) -> Comparison:
    """Returns what the courses of a plan's cells show."""
    rows = [
        _row(plan, courses, failures, subject.name, entrant.name)
        for subject in plan.subjects
        for entrant in plan.entrants
    ]
    said = tuple(Failure(str(cell.folder), why) for cell, why in failures.items())
    compared = len(plan.subjects) * (len(plan.entrants) - 1)
    least = min(1.0, compared * 2.0 ** (1 - len(plan.seeds))) if compared else 1.0
    enough = math.ceil(1 + math.log2(max(compared, 1) / LEVEL))
    corrected = _corrected(_corrected(rows, "against"), "validation_against")
    return Comparison(plan.evaluations, plan.cases, plan.entrants[0].name, tuple(corrected), said, least, enough)


def _row(plan: Plan, courses: Mapping[Cell, Course], failures: Mapping[Cell, str], problem: str, strategy: str) -> Row:
    found = _of(courses, problem, strategy)
    first = _of(courses, problem, plan.entrants[0].name) if strategy != plan.entrants[0].name else {}
    best = {seed: each.final for seed, each in found.items()}
    proved = _validations(found)
    return Row(
        problem=problem,
        strategy=strategy,
        seeds=tuple(found),
        failed=sum((cell.subject.name, cell.entrant.name) == (problem, strategy) for cell in failures),
        best=_interval(list(best.values())),
        validation=_interval(list(proved.values())),
        unproved=len(found) - len(proved),
        area=geometric_mean([each.area for each in found.values()]) if found else None,
        against=_contrast(best, {seed: each.final for seed, each in first.items()}),
        validation_against=_contrast(proved, _validations(first)),
        curve=_curve(list(found.values()), plan.evaluations),
        spent=_spent(found.values()),
    )


def _of(courses: Mapping[Cell, Course], problem: str, strategy: str) -> dict[int, Course]:
    """Returns the courses of a strategy on a problem by seed."""
    return {
        cell.seed: found
        for cell, found in courses.items()
        if (cell.subject.name, cell.entrant.name) == (problem, strategy)
    }


def _validations(found: Mapping[int, Course]) -> dict[int, float]:
    return {seed: each.validation for seed, each in found.items() if each.validation is not None}


def _interval(scores: Sequence[float]) -> Interval | None:
    return paired_bootstrap(scores, range(len(scores))) if scores else None


def _contrast(own: Mapping[int, float], first: Mapping[int, float]) -> Contrast | None:
    ratios = [score / first[seed] for seed, score in own.items() if seed in first]
    if not ratios:
        return None
    return Contrast(paired_bootstrap(ratios, range(len(ratios))), sign_flip(ratios, range(len(ratios))))


def _corrected(rows: Sequence[Row], name: Literal["against", "validation_against"]) -> list[Row]:
    """Returns the rows with p-values that hold for all comparisons of one kind together."""
    contrasts: list[Contrast | None] = [getattr(row, name) for row in rows]
    adjusted = iter(holm([contrast.p for contrast in contrasts if contrast is not None]))
    return [
        row if contrast is None else replace(row, **{name: replace(contrast, p_holm=next(adjusted))})  # type: ignore[arg-type]
        for row, contrast in zip(rows, contrasts, strict=True)
    ]


def _curve(found: Sequence[Course], evaluations: int) -> tuple[Point, ...]:
    if not found:
        return ()
    counts = sorted({max(1, round(evaluations * point / POINTS)) for point in range(1, POINTS + 1)} | {1})
    return tuple(
        Point(count, paired_bootstrap([each.best[count - 1] for each in found], range(len(found)))) for count in counts
    )


def _spent(found: Collection[Course]) -> Spent:
    return Spent(
        evaluations=sum(each.evaluations for each in found),
        simulations=sum(each.simulations for each in found),
        without_score=sum(each.without_score for each in found),
        outraced=sum(each.outraced for each in found),
    )
