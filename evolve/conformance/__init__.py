"""An audit of a problem: can its scores be trusted?

The story, in the order of the files:

1. ``subject`` is the problem on trial with its train cases and judged baselines; ``driver`` plays single cases.
2. ``decisions`` replaces legal decisions by wrong ones (``wrong``, of each ``way``; ``elements`` are those of lists
   and arrays), which must be refused or at least not pay; ``habit`` knows what legal ones have in common, ``tally``
   counts and tells.  ``hard`` fails where it hurts.
3. ``lookahead`` compares cases that have the same past and another future.
4. ``repeat`` does everything twice: the simulator, the order of cases, the sandbox.
5. ``splits`` and ``headroom`` look at what the problem is made of and at what is left to gain.
6. ``apart`` does all this in a process of its own, for a simulator that hangs inside C code.

Everything here only reads what a problem says of itself, so every problem gets it for free.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

from evolve.cases import split_cases
from evolve.conformance import headroom, repeat
from evolve.conformance.decisions import check_wrong_decisions
from evolve.conformance.finding import Finding, Status, fix
from evolve.conformance.hard import check_hard_cases
from evolve.conformance.lookahead import check_lookahead
from evolve.conformance.splits import check_splits
from evolve.conformance.subject import Subject
from evolve.problem import Problem, ProblemError
from evolve.sandbox import Sandbox

__all__ = ["Audit", "Finding", "Status", "audit"]

Check = Callable[[Subject], list[Finding]]

_MEND = "mend what the message names; the checks that need it could not be made"


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found; ``cases`` and ``baselines`` are those it played with."""

    problem: str
    cases: int
    baselines: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Says whether nothing has to be mended."""
        return all(finding.status is not Status.FIX for finding in self.findings)


def audit(
    problem: Problem, random: Random, clock: Callable[[], float], tell: Callable[[str], None] = lambda _: None
) -> Audit:
    """Makes all checks and tells what is tried next.

    Raises:
        EvolveError: the problem has no cases or no reference, or the sandbox failed.
    """
    cases = split_cases(problem, "train")
    with ExitStack() as stack:
        sandbox, other = (stack.enter_context(_sandbox(problem)) for _ in range(2))
        subject = Subject(problem, cases, sandbox, random, clock, tell)
        findings = tuple(_all(subject, other))
    return Audit(problem.name, len(cases), len(subject.sources), findings)


def _sandbox(problem: Problem) -> Sandbox:
    """Returns one even where few walls stand: all that is judged is the problem's own or made from it."""
    return Sandbox(problem.imports, unsafe=True)


def _all(subject: Subject, other: Sandbox) -> Iterator[Finding]:
    found = _made("baselines", headroom.check_baselines, subject)
    yield from found
    if "evaluations" not in vars(subject):  # the reference does not finish, so nothing can be played
        return
    for name, check in _checks(other):
        yield from _made(name, check, subject)


def _made(name: str, check: Check, subject: Subject) -> list[Finding]:
    subject.tell(name)
    try:
        return check(subject)
    except ProblemError as error:
        return [fix(name, str(error), _MEND)]


def _checks(other: Sandbox) -> list[tuple[str, Check]]:
    return [
        ("headroom", headroom.check_headroom),
        ("wrong decisions", check_wrong_decisions),
        ("hard cases", check_hard_cases),
        ("look-ahead", check_lookahead),
        ("simulator", repeat.check_simulator),
        ("judging again", lambda subject: repeat.check_judging(subject, other)),
        ("noise", repeat.check_noise),
        ("splits", check_splits),
        ("feedback", headroom.check_feedback),
        ("time", headroom.check_time),
        ("docstring", headroom.check_text),
    ]
