"""Whatever decisions consist of, an honest problem has nothing to fix and a careless one does."""

import pytest

from evolve.conformance.decisions import check_wrong_decisions
from evolve.conformance.finding import Status

ASSIGN = '''\
import random

import numpy

from evolve import Call, InvalidDecision, Limits, Problem


class Assign(Problem):
    """Write `assign(jobs, machines)`: the machine of each job; the largest `load` of a machine should be small."""

    objective, direction = "load", "minimize"
    reference = """REFERENCE"""
    limits = Limits(step_seconds=0.4)

    def cases(self, split):
        draws = map(random.Random, split.seeds(20))
        return [{f"job {i}": draw.randint(1, 9) for i in range(draw.randint(4, 9))} for draw in draws]

    def simulate(self, jobs):
        plan = yield Call("assign", jobs, 3, returns=RETURNS)
        try:
            CHECK
        except LEGAL as broken:
            raise InvalidDecision("no such assignment") from broken
        loads = [sum(jobs[job] for job, at in pairs if at == machine) for machine in range(3)]
        return {"load": 1 + max(loads)}
'''
SHAPES = {
    "a dict": (
        "dict[str, int]",
        "def assign(jobs, machines):\n    return {job: i % machines for i, job in enumerate(jobs)}\n",
        "pairs = plan.items(); assert plan.keys() == jobs.keys() and all(0 <= at < 3 for at in plan.values())",
    ),
    "a list of lists": (
        "list[list[str]]",
        "def assign(jobs, machines):\n    return [list(jobs)[i::machines] for i in range(machines)]\n",
        "pairs = [(job, at) for at, held in enumerate(plan) for job in held]; "
        "assert len(plan) == 3 and sorted(job for job, _ in pairs) == sorted(jobs)",
    ),
    "an array": (
        "numpy.ndarray",
        "import numpy\ndef assign(jobs, machines):\n    return numpy.arange(len(jobs)) % machines\n",
        "assert plan.shape == (len(jobs),) and plan.dtype.kind == 'i' and plan.min() >= 0 and plan.max() < 3; "
        "pairs = list(zip(jobs, plan.tolist(), strict=True))",
    ),
    "a list of floats": (
        "list[float]",
        "def assign(jobs, machines):\n    return [float(i % machines) for i in range(len(jobs))]\n",
        "assert len(plan) == len(jobs) and set(plan) <= {0.0, 1.0, 2.0}; pairs = list(zip(jobs, plan, strict=True))",
    ),
    "a list of pairs": (
        "list[tuple[str, int]]",
        "def assign(jobs, machines):\n    return [(job, i % machines) for i, job in enumerate(jobs)]\n",
        "assert sorted(job for job, _ in plan) == sorted(jobs) and all(0 <= at < 3 for _, at in plan); pairs = plan",
    ),
}


def problem(shape, *, honest):
    returns, reference, check = SHAPES[shape]
    if not honest:
        check = check.replace("assert ", "assert True or ", 1)
    return (
        ASSIGN.replace("RETURNS", returns)
        .replace("REFERENCE", reference.replace("\n", "\\n"))
        .replace("CHECK", check)
        .replace("LEGAL", "AssertionError" if honest else "(AssertionError, LookupError, TypeError, ValueError)")
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_an_honest_problem_has_nothing_to_fix(subject, shape):
    findings = check_wrong_decisions(subject(problem(shape, honest=True)))
    assert [finding for finding in findings if finding.status is Status.FIX] == []
    assert ", 0 by the rules" not in findings[0].found


@pytest.mark.parametrize("shape", SHAPES)
def test_a_problem_that_does_not_count_the_jobs_can_be_cheated(subject, shape):
    findings = check_wrong_decisions(subject(problem(shape, honest=False)))
    paid = {found.status for found in findings if "accepted and better than every baseline" in found.found}
    assert (Status.LOOK if shape == "a list of floats" else Status.FIX) in paid
