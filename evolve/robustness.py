"""How a policy answers to the conditions that its problem names: judged under every setting, beside its rivals."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from evolve.cases import CaseSet, basis_of, swept, swept_cases
from evolve.duel import ENOUGH, Duel, duels, paired
from evolve.executors import Executor, Task
from evolve.problem import Problem
from evolve.standings import Standing, standings
from evolve.statistics import EQUAL, geometric_mean, holm, sign_flip
from evolve.types import Evaluation

REFERENCE = "reference"
LEVEL = 0.05
"""How probable it may be that one of all the sides that are told of a policy is told by chance."""


class Side(enum.StrEnum):
    """What may be said of a policy against another under a setting."""

    BETTER = "better"
    NOT_TOLD_APART = "not told apart"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a policy reached under one setting of a condition: ``found`` stands against the reference.

    ``duels`` are those against each rival, in the order of the rivals; a rival that failed there has none, and
    none has any where the policy itself failed.  ``sides`` are what may be said against the reference and each rival,
    by name, with all that was looked at in mind.
    """

    condition: str
    setting: str
    cases: int
    found: Standing
    duels: tuple[Duel, ...]
    sides: Mapping[str, Side] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The setting with its condition, such as "load=90%"."""
        return f"{self.condition}={self.setting}"


@dataclass(frozen=True, slots=True)
class Look:
    """A policy against another under one setting: how many times better it is, and how probable that is by chance.

    ``close``: the two differ on too few cases for either to be said.
    """

    factor: float
    chance: float
    close: bool


def told(looks: Sequence[Look]) -> list[Side]:
    """Returns what may be said of each; of twenty sweeps at most one says anything by chance alone."""
    chances = holm([1.0 if look.close else look.chance for look in looks])
    return [
        Side.NOT_TOLD_APART if chance > LEVEL else Side.BETTER if look.factor > 1 else Side.WORSE
        for look, chance in zip(looks, chances, strict=True)
    ]


def sweep(
    problem: Problem, executor: Executor, found: str, rivals: Mapping[str, str], split: str, secret: str = ""
) -> list[Setting]:
    """Judges a policy and its rivals, sources by name, under every setting of every condition of a split.

    Each case has a child of its own.  A policy that fails under a setting has its verdict there; without conditions
    nothing is judged.  What is said of few cases rests on a sign-flip test, corrected for their number.

    Raises:
        ProblemError: the cases cannot be made, or the reference fails on some of them.
    """
    named = [(condition, setting) for condition, settings in problem.sweeps.items() for setting in settings]
    sets = [swept_cases(problem, swept(split, *each), secret) for each in named]
    sources = list(rivals.values())
    waiting = [_submit(executor, cases.name, [*sources, found], secret) for cases in sets]
    judged = [[futures[source].result() for source in (*sources, found)] for futures in waiting]
    settings = [
        _setting(problem, each, cases, list(rivals), evaluations)
        for each, cases, evaluations in zip(named, sets, judged, strict=True)
    ]
    looks = [
        _looks(cases, dict(zip(rivals, evaluations, strict=False)), evaluations[-1])
        for cases, evaluations in zip(sets, judged, strict=True)
    ]
    sides = iter(told([look for each in looks for look in each.values()]))
    return [
        replace(setting, sides={name: next(sides) for name in each})
        for setting, each in zip(settings, looks, strict=True)
    ]


def _submit(executor: Executor, cases: str, sources: Iterable[str], secret: str) -> dict[str, Future[Evaluation]]:
    """Has each source judged once, however often it comes."""
    return {source: executor.submit(Task(source, 0.0, cases, secret)) for source in dict.fromkeys(sources)}


def _setting(
    problem: Problem, named: tuple[str, str], cases: CaseSet, rivals: Sequence[str], evaluations: Sequence[Evaluation]
) -> Setting:
    (standing,) = standings(problem, cases, ["found"], evaluations[-1:], basis_of(problem, cases.name))
    return Setting(*named, len(cases), standing, tuple(duels(rivals, evaluations, cases)))


def _looks(cases: CaseSet, rivals: Mapping[str, Evaluation], found: Evaluation) -> dict[str, Look]:
    """Returns a look at a policy against the reference, and against each other rival that finished."""
    if found.score is None:
        return {}
    ratios = {REFERENCE: [result.ratio for result in found.cases]}
    others = {name: rival for name, rival in rivals.items() if name != REFERENCE and rival.score is not None}
    return {
        name: _look(cases, each) for name, each in (ratios | {n: paired(found, r) for n, r in others.items()}).items()
    }


def _look(cases: CaseSet, ratios: Sequence[float]) -> Look:
    differ = sum(abs(ratio - 1) > EQUAL for ratio in ratios)
    chance = sign_flip(ratios, cases.stretches)
    return Look(geometric_mean(ratios), chance, differ < min(ENOUGH, len(ratios) // 2))
