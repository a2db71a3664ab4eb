"""What a policy is raced against: after which cases the judge looks at it, and what it must reach to be judged on."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evolve.statistics import geometric_mean
from evolve.types import CaseResult, Evaluation, Layer, Verdict

SHARES = (1 / 12, 1 / 6, 1 / 3, 1 / 2)
"""Of all cases, after which a policy is looked at."""

FEWEST = 2
"""Cases of a stage."""

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Stage:
    """A look at a policy after its first ``cases`` cases.

    ``gain`` is what its lead, the mean logarithm of its ratios to the parent's, may still rise by, in standard errors
    (see ``doubt``); infinite: that is not known.  ``twins`` says that one which has equalled its parent so far is
    taken for the same.
    """

    cases: int
    gain: float = math.inf
    twins: bool = False


@dataclass(frozen=True, slots=True)
class Race:
    """The rule by which a policy is stopped before its last case; it knows nothing but what it holds.

    ``order`` is that in which the cases are judged.  ``parent`` holds the ratios of the policy's first parent on each
    case, ``known`` the best that any policy has reached, ``most`` the best that any can reach, infinite where that is
    not known.  ``least`` is the score that it must exceed to be worth judging on, ``length`` that of its parent in
    characters.
    """

    order: tuple[int, ...]
    stages: tuple[Stage, ...]
    parent: tuple[float, ...]
    known: tuple[float, ...]
    most: tuple[float, ...]
    least: float = -math.inf
    length: int = 0

    def groups(self) -> Iterator[tuple[int, ...]]:
        """Yields the cases of each stage, and at last those that are left."""
        ends = [0, *(stage.cases for stage in self.stages), len(self.order)]
        yield from (self.order[first:last] for first, last in pairwise(ends))

    def stops(self, ratios: Mapping[int, float], length: int) -> str:
        """Returns why a policy of so many characters is stopped after these cases; empty: it is judged on.

        One that is better than all before it on a case is never stopped, whatever it loses on others.
        """
        stage = next((stage for stage in self.stages if stage.cases == len(ratios)), None)
        if stage is None or any(reached > self.known[case] for case, reached in ratios.items()):
            return ""
        reached = f"after {len(ratios)} of {len(self.order)} cases at {geometric_mean([*ratios.values()]):.4f}"
        if said := self._loses(stage, ratios, length):
            return f"stopped {reached} of the reference: {said}"
        return ""

    def _loses(self, stage: Stage, ratios: Mapping[int, float], length: int) -> str:
        if self._ceiling(ratios) < self.least * (1 - ROUNDING):
            return f"cannot exceed {self.least:.4f}, the least that is worth it"
        if all(reached == self.parent[case] for case, reached in ratios.items()):
            same = stage.twins and length >= self.length
            return "the same as its parent so far, and no shorter" if same else ""
        if self._hope(stage, ratios) < self.least * (1 - ROUNDING):
            return f"unlikely to exceed {self.least:.4f}, the least that is worth it"
        return ""

    def _ceiling(self, ratios: Mapping[int, float]) -> float:
        """Returns the score with the best that can be reached on all cases to come."""
        if any(math.isinf(most) for case, most in enumerate(self.most) if case not in ratios):
            return math.inf
        return geometric_mean([ratios.get(case, most) for case, most in enumerate(self.most)])

    def _hope(self, stage: Stage, ratios: Mapping[int, float]) -> float:
        """Returns the score if it gains on its parent what it may still gain."""
        if math.isinf(stage.gain):
            return math.inf
        leads = [math.log(reached / self.parent[case]) for case, reached in ratios.items()]
        lead = math.fsum(leads) / len(leads)
        return geometric_mean(self.parent) * math.exp(lead + stage.gain * doubt(leads, len(self.order)))


def looks(cases: int) -> tuple[int, ...]:
    """Returns after how many of so many cases a policy is looked at; few cases are not worth as many looks."""
    ends: list[int] = []
    for share in SHARES:
        end = max(FEWEST, round(share * cases))
        if end - (ends[-1] if ends else 0) >= FEWEST and cases - end >= FEWEST:
            ends.append(end)
    return tuple(ends)


def doubt(leads: Sequence[float], cases: int) -> float:
    """Returns the standard error of the mean of some leads as an estimate of that over all cases.

    Their size is that of their squares, not of their scatter: of two or three the scatter may be small by chance.
    """
    size = math.sqrt(math.fsum(lead * lead for lead in leads) / len(leads))
    return size * math.sqrt((cases - len(leads)) / (len(leads) * cases))


def raced(race: Race, whole: Evaluation, source: str) -> Evaluation | None:
    """Returns what a race makes of a policy whose results on all cases are known, if it is stopped.

    What it was asked on the first cases alone is not known: calls and CPU time are 0.
    """
    seen: dict[int, CaseResult] = {}
    for group in race.groups():
        seen |= {case: whole.cases[case] for case in group}
        if said := race.stops({case: result.ratio for case, result in seen.items()}, len(source)):
            return outraced(seen, said, 0.0, 0, whole.layers)
    return None


def outraced(
    seen: Mapping[int, CaseResult], why: str, cpu_seconds: float, calls: int, layers: tuple[Layer, ...]
) -> Evaluation:
    """Returns the evaluation of a policy that was stopped after these cases."""
    return Evaluation(
        Verdict.OUTRACED,
        cases=tuple(seen[case] for case in sorted(seen)),
        feedback=why,
        cpu_seconds=cpu_seconds,
        calls=calls,
        layers=layers,
        simulations=len(seen),
    )
