"""Checks that a policy which fails only on the cases that go badly for it has no score.

Whoever may drop its worst cases has a better mean, so a failure on any case must end in a verdict.
"""

import ast
from random import Random

from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.play import record
from evolve.conformance.subject import Subject

SHARE = 4
"""One case in so many counts as hard."""

_FAILING = """

import random as _random

_HARD = {hard!r}


def _unless_hard(decide, skipped):
    def answer(*arguments):
        if _random.Random(repr(list(arguments[skipped:]))).getrandbits(60) in _HARD:
            raise ArithmeticError("this case would cost me score")
        return decide(*arguments)

    return answer

"""


def check_hard_cases(subject: Subject) -> list[Finding]:
    """Judges the reference, made to fail on the last call of the cases where it does worst."""
    values = subject.reached("reference")
    bounds = subject.cases.bounds or [1.0] * len(values)
    worst_first = sorted(range(len(values)), key=lambda index: values[index] / bounds[index] if bounds[index] else 0.0)
    if subject.problem.direction == "minimize":
        worst_first.reverse()
    steps = [record(subject, index, "reference").steps for index in worst_first[: max(1, len(values) // SHARE)]]
    hard = {mark(list(played[-1].arguments())) for played in steps if played}
    if not hard:
        return [look("the reference is asked nothing on its worst cases, so it cannot fail there")]
    names = sorted({step.name for played in steps for step in played})
    evaluation = subject.judge.evaluate(failing(subject.sources["reference"], hard, names))
    if evaluation.score is None:
        return [fine(f"a reference that fails on its {len(hard)} worst cases is {evaluation.verdict}: no score")]
    return [
        fix(
            f"a reference that fails on its {len(hard)} worst cases still has a score, {evaluation.score:.3f}",
            "ask the policy on every case, in the same way each time; if you do, report a bug of evolve",
        )
    ]


def mark(arguments: list[object]) -> int:
    """Returns a hash of arguments that a policy can compute too: it may import random, but no hashlib."""
    return Random(repr(arguments)).getrandbits(60)


def failing(source: str, hard: set[int], names: list[str]) -> str:
    """Returns a policy that decides like another but raises where its arguments have one of the marks."""
    made = any(isinstance(node, ast.ClassDef) and node.name == "Policy" for node in ast.parse(source).body)
    where, skipped = ("Policy.", 1) if made else ("", 0)
    return (
        source
        + _FAILING.format(hard=hard)
        + "".join(f"{where}{name} = _unless_hard({where}{name}, {skipped})\n" for name in names)
    )
