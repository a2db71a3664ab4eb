"""How a policy answers to the conditions that its problem names: judged under every setting, beside its rivals."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from evolve.cases import CaseSet, basis_of, swept, swept_cases
from evolve.duel import Duel, duels
from evolve.executors import Executor, Task
from evolve.problem import Problem
from evolve.standings import Standing, standings
from evolve.statistics import Interval
from evolve.types import Evaluation


class Side(enum.Enum):
    """On which side of one an interval of ratios lies: what may be said of a policy against another."""

    BETTER = "better"
    NOT_TOLD_APART = "not told apart"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a policy reached under one setting of a condition: ``found`` stands against the reference.

    ``duels`` are those against each rival, in the order of the rivals; a rival that failed there has none, and
    none has any where the policy itself failed.
    """

    condition: str
    setting: str
    cases: int
    found: Standing
    duels: tuple[Duel, ...]

    @property
    def name(self) -> str:
        """The setting with its condition, such as "load=90%"."""
        return f"{self.condition}={self.setting}"


def side(interval: Interval) -> Side:
    """Returns which side of one a whole interval lies on; a single stretch of data tells nothing apart."""
    if interval.above_one:
        return Side.BETTER
    return Side.WORSE if interval.high < 1.0 and interval.stretches > 1 else Side.NOT_TOLD_APART


def sweep(
    problem: Problem, executor: Executor, found: str, rivals: Mapping[str, str], split: str, secret: str = ""
) -> list[Setting]:
    """Judges a policy and its rivals, sources by name, under every setting of every condition of a split.

    Each case has a child of its own.  A policy that fails under a setting has its verdict there; without conditions
    nothing is judged.

    Raises:
        ProblemError: the cases cannot be made, or the reference fails on some of them.
    """
    named = [(condition, setting) for condition, settings in problem.sweeps.items() for setting in settings]
    sets = [swept_cases(problem, swept(split, *each), secret) for each in named]
    sources = list(rivals.values())
    waiting = [_submit(executor, cases.name, [*sources, found], secret) for cases in sets]
    judged = [[futures[source].result() for source in (*sources, found)] for futures in waiting]
    return [
        _setting(problem, each, cases, list(rivals), evaluations)
        for each, cases, evaluations in zip(named, sets, judged, strict=True)
    ]


def _submit(executor: Executor, cases: str, sources: Iterable[str], secret: str) -> dict[str, Future[Evaluation]]:
    """Has each source judged once, however often it comes."""
    return {source: executor.submit(Task(source, 0.0, cases, secret)) for source in dict.fromkeys(sources)}


def _setting(
    problem: Problem, named: tuple[str, str], cases: CaseSet, rivals: Sequence[str], evaluations: Sequence[Evaluation]
) -> Setting:
    (standing,) = standings(problem, cases, ["found"], evaluations[-1:], basis_of(problem, cases.name))
    return Setting(*named, len(cases), standing, tuple(duels(rivals, evaluations, cases)))
