"""What scores were made with: versions, and hashes of the cases that they are of."""

import platform
from collections.abc import Sequence
from concurrent.futures import Future
from importlib.metadata import version

from evolve import catalog
from evolve.cases import blaming, cases_of
from evolve.conformance.fingerprint import fingerprint
from evolve.executors import Executor, Task
from evolve.problem import SPLITS, Problem
from evolve.publication.result import Objective, Versions
from evolve.types import Evaluation

QUICK = "quick"
"""The case set on which every result is judged again by the tests."""


def versions(problem: Problem) -> Versions:
    """Returns what a policy of the problem is judged with here."""
    machine = f"{platform.system()} {platform.machine()}"
    names = version("evolve"), platform.python_version(), version("numpy"), version("optuna"), machine
    return Versions(catalog.digest(problem), *names)


def objective(problem: Problem) -> Objective:
    """Returns what counts."""
    return Objective(problem.chosen, problem.objective, problem.direction, problem.timed)


def fingerprints(problem: Problem, secret: str, names: Sequence[str]) -> dict[str, str | None]:
    """Returns a hash of the cases of each split or case set that the problem still has."""
    known = [*SPLITS, *_sets(problem)]
    return {
        name: fingerprint(cases_of(problem, name, secret if name == "test" else "").cases)
        for name in names
        if name in known
    }


def quick(problem: Problem, executor: Executor, source: str) -> Future[Evaluation] | None:
    """Has a policy judged on the quick cases, each with a process of its own; None where the problem has none."""
    return executor.submit(Task(source, 0.0, QUICK, unhurried=True)) if QUICK in _sets(problem) else None


def _sets(problem: Problem) -> list[str]:
    with blaming(problem, "case_sets"):
        return list(problem.case_sets())
