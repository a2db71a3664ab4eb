"""The problem under audit, with what every check needs: its train cases, a sandbox, its judged baselines."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from evolve.cases import CaseSet
from evolve.judge import Judge
from evolve.judge.wave import objective
from evolve.problem import Call, Problem
from evolve.sandbox import Sandbox
from evolve.types import Evaluation

ROUNDING = 1e-9
"""Values that differ by this share of themselves are the same."""


@dataclass(frozen=True)
class Subject:
    """A problem, its train cases and a sandbox.

    ``random`` draws what is tried, ``clock`` counts seconds, and ``tell`` is told what is tried next.
    """

    problem: Problem
    cases: CaseSet
    sandbox: Sandbox
    random: Random
    clock: Callable[[], float]
    tell: Callable[[str], None] = lambda _: None

    @cached_property
    def judge(self) -> Judge:
        """Judges on the train cases."""
        return Judge(self.cases, self.sandbox)

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """The baselines by name, the reference first."""
        return {baseline.name: baseline.source for baseline in self.problem.baselines()}

    @cached_property
    def evaluations(self) -> Mapping[str, Evaluation]:
        """What the judge says of each baseline."""
        return {name: self.judge.evaluate(source) for name, source in self.sources.items()}

    @cached_property
    def sound(self) -> list[str]:
        """The baselines that have a score, best first."""
        scored = [name for name, evaluation in self.evaluations.items() if evaluation.score is not None]
        return sorted(scored, key=lambda name: self.evaluations[name].rank, reverse=True)

    def reached(self, name: str) -> list[float]:
        """Returns the objective that a baseline with a score reached on each case."""
        return [objective(self.problem, result.metrics) for result in self.evaluations[name].cases]

    @cached_property
    def best(self) -> list[float]:
        """The best that any baseline reached on each case."""
        choose = min if self.problem.direction == "minimize" else max
        return [choose(values) for values in zip(*map(self.reached, self.sound), strict=True)]

    def beats(self, value: float, other: float) -> bool:
        """Says whether a value of the objective is better than another by more than rounding."""
        ahead = other - value if self.problem.direction == "minimize" else value - other
        return ahead > ROUNDING * max(abs(value), abs(other), math.ulp(0.0))

    def sample(self, count: int) -> list[int]:
        """Returns the indices of up to so many cases, drawn at random, in order."""
        return sorted(self.random.sample(range(len(self.cases)), min(count, len(self.cases))))

    @contextmanager
    def answers(self, policy: str) -> Iterator[Callable[[int, Call], Any]]:
        """Provides the answers of a baseline, in a child of its own.

        Raises:
            PolicyFailure: it does not load.
        """
        with self.sandbox.start(self.sources[policy], self.cases.seed, self.problem.limits) as child:
            yield lambda _, call: child.ask([(0, call.name, call.arguments)])[0]
