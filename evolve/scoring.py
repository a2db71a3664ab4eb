"""Judges policies side by side: files and baselines of a problem on one set of cases."""

from collections.abc import Sequence

from evolve import policyfile
from evolve.cases import basis_of, cases_of
from evolve.executors import Task
from evolve.executors.local import LocalExecutor, default_workers
from evolve.problem import Problem
from evolve.standings import Standing, standings


def score(
    problem: Problem,
    policies: Sequence[str],
    cases: str,
    workers: int | None = None,
    *,
    secret: str = "",
    unsafe: bool = False,
) -> list[Standing]:
    """Returns how each policy does on the cases; without policies, how the baselines do.

    ``secret`` is a revealed one, where the cases are those of the test split that it made.

    Raises:
        EvolveError: a policy is neither a readable file nor a baseline, or there are no such cases.
    """
    known = {baseline.name: baseline.source for baseline in problem.baselines()}
    sources = {name: known[name] if name in known else policyfile.read(name, known) for name in policies or known}
    case_set, basis = cases_of(problem, cases, secret), basis_of(problem, cases)
    with LocalExecutor(
        problem, min(len(sources), default_workers()) if workers is None else workers, unsafe=unsafe
    ) as executor:
        futures = [executor.submit(Task(source, 0.0, cases, secret)) for source in sources.values()]
        return standings(problem, case_set, list(sources), [future.result() for future in futures], basis)
