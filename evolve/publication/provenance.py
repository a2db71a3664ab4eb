"""What scores were made with: the problem, versions and hashes of the cases, and whether it is the same here."""

import platform
from collections.abc import Sequence
from concurrent.futures import Future
from importlib.metadata import version

from evolve import catalog
from evolve.cases import basis_of, blaming, cases_of
from evolve.conformance.fingerprint import fingerprint
from evolve.executors import Executor, Task
from evolve.problem import SPLITS, Problem
from evolve.publication.result import Objective, Published, Result, ResultError, Versions
from evolve.text import brief, kept
from evolve.types import Evaluation

CASES = "the cases {}"
"""How a change of cases is named."""

_HELD_OUT = "held out"
"""Stands for the secret of cases that are drawn from none."""

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


def problem_of(published: Published, named: str | None = None) -> Problem:
    """Loads the problem that a result is of: one that comes with evolve, or a file that the user names.

    Raises:
        ResultError: the user has not named it, or it lies in the result's own folder.
    """
    record, path = published.result, published.path
    if named is None and record.problem not in catalog.names():
        raise ResultError(
            f"{path} is a result of the problem {brief(record.problem, 80)!r}, which does not come with evolve; what "
            "others name is not imported: give your own copy of its file with --problem FILE"
        )
    spec = record.problem if named is None else named
    if catalog.located(spec).is_relative_to(path.resolve()):
        raise ResultError(f"{catalog.located(spec)} lies inside {path}; results are data and none of it is imported")
    problem = catalog.load(spec, record.objective.name)
    if problem.name != record.problem:
        raise ResultError(f"{path} is a result of {brief(record.problem, 80)!r}, and {spec} is {problem.name!r}")
    if record.seal.held_out != problem.held_out:
        kinds = kept(record.seal.held_out), kept(problem.held_out)
        raise ResultError(f"{path} speaks of {kinds[0]} cases, and those of {problem.name} are {kinds[1]}")
    now = objective(problem)
    if now != record.objective:
        raise ResultError(
            f"{path} was published when {problem.name} was to {_aim(record.objective)}; now it is to {_aim(now)}: they "
            "cannot be compared"
        )
    return problem


def _aim(goal: Objective) -> str:
    timed = ", timed" if goal.timed else ""
    return f"{brief(goal.direction, 20)} {brief(goal.metric, 80)}{timed}"


def secret(record: Result) -> str:
    """Returns what the sealed or held-out cases of a record are drawn from."""
    return record.seal.secret or _HELD_OUT


def changes(published: Published, problem: Problem) -> list[str]:
    """Returns what is not as it was when the result was published, and bears on its scores."""
    record = published.result
    was, now = record.versions, versions(problem)
    found = []
    if was.problem != now.problem:
        found.append(f"the code of {problem.name}, its baselines or workloads ({was.problem}; now {now.problem})")
    hashes = fingerprints(problem, secret(record), list(record.hashes))
    for name, hash_ in hashes.items():
        if record.hashes[name] is None and hash_ is not None:
            raise ResultError(f"{published.path} has no hash of the cases {brief(name, 40)}, which can be compared")
    found += [CASES.format(brief(name, 40)) for name, hash_ in hashes.items() if hash_ != record.hashes[name]]
    basis = basis_of(problem, "test")
    if record.basis != basis:
        found.append(f"what scores rest on ({record.basis or 'simulation'}; now {basis or 'simulation'})")
    names = ("evolve", "python", "numpy", "machine")
    pairs = [(name, getattr(was, name), getattr(now, name)) for name in names]
    return [*found, *(f"{name} ({brief(old, 40)}; now {new})" for name, old, new in pairs if old != new)]
