"""What can be evolved: every problem with its baselines, judged on train, or with what it still needs."""

import time
from dataclasses import dataclass, replace

from evolve import catalog
from evolve.cases import CaseSet, basis_of, split_cases
from evolve.judge import Judge
from evolve.problem import Problem, Unready
from evolve.sandbox import Sandbox
from evolve.standings import gap


@dataclass(frozen=True, slots=True)
class Overview:
    """One problem in a line; ``seconds`` is what one evaluation of the reference takes.

    ``basis`` is what scores rest on where that is no simulation.  Where ``unready`` says what the problem lacks to be
    judged, and how to get it, there are no scores.
    """

    problem: str
    about: str
    objective: str
    direction: str
    baselines: int
    best_baseline: str = ""
    best_score: float | None = None
    gap: float | None = None
    seconds: float | None = None
    basis: str = ""
    unready: str = ""


def overview() -> list[Overview]:
    """Judges the baselines of every problem that comes with the package."""
    return [_of(name) for name in catalog.names()]


def _of(name: str) -> Overview:
    problem = catalog.load(name)
    known = Overview(
        problem.name,
        (problem.__doc__ or "").strip().partition("\n")[0].replace("``", "`"),
        problem.objective,
        problem.direction,
        len(problem.baselines()),
    )
    try:
        return _judged(known, problem, split_cases(problem, "train"), basis_of(problem, "train"))
    except Unready as lack:
        return replace(known, unready=str(lack))


def _judged(known: Overview, problem: Problem, cases: CaseSet, basis: str) -> Overview:
    """Returns the overview of a problem with what its best baseline reaches."""
    baselines = problem.baselines()
    with Sandbox(problem.imports, unsafe=True) as sandbox:  # baselines are as trusted as the problem itself
        judge = Judge(cases, sandbox)
        start = time.perf_counter()
        judge.reference()
        seconds = time.perf_counter() - start
        evaluations = [judge.evaluate(baseline.source) for baseline in baselines]
    best, evaluation = max(zip(baselines, evaluations, strict=True), key=lambda pair: pair[1].rank)
    return replace(
        known,
        best_baseline=best.name,
        best_score=evaluation.score,
        gap=gap(problem, evaluation, cases.bounds),
        seconds=seconds,
        basis=basis,
    )
