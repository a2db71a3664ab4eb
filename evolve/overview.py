"""What can be evolved: every problem with its baselines, judged on train."""

import time
from dataclasses import dataclass

from evolve import catalog
from evolve.cases import split_cases
from evolve.judge import Judge
from evolve.sandbox import Sandbox
from evolve.standings import gap


@dataclass(frozen=True, slots=True)
class Overview:
    """One problem in a line; ``seconds`` is what one evaluation of the reference takes."""

    problem: str
    about: str
    objective: str
    direction: str
    baselines: int
    best_baseline: str
    best_score: float
    gap: float | None
    seconds: float


def overview() -> list[Overview]:
    """Judges the baselines of every problem that comes with the package."""
    return [_of(name) for name in catalog.names()]


def _of(name: str) -> Overview:
    problem = catalog.load(name)
    cases = split_cases(problem, "train")
    baselines = problem.baselines()
    with Sandbox(problem.imports, unsafe=True) as sandbox:  # baselines are as trusted as the problem itself
        judge = Judge(cases, sandbox)
        start = time.perf_counter()
        judge.reference()
        seconds = time.perf_counter() - start
        evaluations = [judge.evaluate(baseline.source) for baseline in baselines]
    best, evaluation = max(zip(baselines, evaluations, strict=True), key=lambda pair: pair[1].rank)
    assert evaluation.score is not None  # the reference has one
    return Overview(
        problem.name,
        (problem.__doc__ or "").strip().partition("\n")[0].replace("``", "`"),
        problem.objective,
        problem.direction,
        len(baselines),
        best.name,
        evaluation.score,
        gap(problem, evaluation, cases.bounds),
        seconds,
    )
