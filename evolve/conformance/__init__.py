"""An audit of a problem: can its scores be trusted?

The story, in the order of the files:

1. ``subject`` is the problem on trial with its train cases and judged baselines; ``play`` plays single cases.
2. ``headroom`` looks at what is left to gain, ``repeat`` does everything twice: the simulator, the order of cases,
   the sandbox.
3. ``decisions`` replaces legal decisions by wrong ones (``wrong``, of each ``way``; ``elements`` are those of lists
   and arrays), which must be refused or at least not pay; ``habit`` knows what legal ones have in common, ``tally``
   counts and tells.  ``hard`` fails where it hurts.
4. ``lookahead`` compares cases that have the same past and another future.
5. ``splits`` compares the cases of all splits (by their ``fingerprint``), ``unseen`` plays those that no other
   check plays, ``conditions`` those under load, skew or noise; ``basics`` are words and time.
6. ``apart`` does all this in a process of its own, for a simulator that hangs inside C code.

Everything here only reads what a problem says of itself, so every problem gets it for free.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from evolve.cases import split_cases
from evolve.conformance import basics, headroom, repeat
from evolve.conformance.conditions import check_conditions
from evolve.conformance.decisions import check_wrong_decisions
from evolve.conformance.finding import Audit, Finding, Status, fix, look
from evolve.conformance.hard import check_hard_cases
from evolve.conformance.lookahead import check_lookahead
from evolve.conformance.splits import check_splits
from evolve.conformance.subject import Subject
from evolve.conformance.unseen import check_unseen
from evolve.problem import Problem, ProblemError
from evolve.sandbox import Sandbox

__all__ = ["Audit", "Finding", "Stage", "Status", "audit", "stages"]

_CHECKS: dict[str, Callable[[Subject], list[Finding]]] = {
    "reference": headroom.check_reference,
    "baselines": headroom.check_baselines,
    "headroom": headroom.check_headroom,
    "simulator": repeat.check_simulator,
    "wrong decisions": check_wrong_decisions,
    "hard cases": check_hard_cases,
    "look-ahead": check_lookahead,
    "order of cases": repeat.check_order,
    "fresh process": repeat.check_process,
    "noise": repeat.check_noise,
    "splits": check_splits,
    "unseen cases": check_unseen,
    "conditions": check_conditions,
    "feedback": basics.check_feedback,
    "time": basics.check_time,
    "docstring": basics.check_text,
}
_NEEDED_BY: dict[str, Collection[str]] = {
    "reference": _CHECKS.keys(),
    "simulator": ("hard cases", "look-ahead", "order of cases", "fresh process"),  # they would name another cause
}
_MEND = "mend what the message names; the checks that need it could not be made"


@dataclass(frozen=True, slots=True)
class Stage:
    """An audit under way: ``so_far`` is what it has found, the first of ``waiting`` is made next."""

    so_far: Audit
    waiting: tuple[str, ...]

    @property
    def check(self) -> str:
        """The check that is made next."""
        return self.waiting[0] if self.waiting else "nothing more"

    def after(self, made: Sequence[Finding], lost: Collection[str]) -> "Stage":
        """Returns the stage after a check has been made, without those that are lost by it."""
        unmade = [name for name in self.waiting[1:] if name in lost]
        named = [replace(finding, check=self.check) for finding in made]
        if unmade:
            todo = "mend what comes before this line, and check again"
            named.append(replace(look(", ".join(unmade), todo), check="not checked"))
        left = tuple(name for name in self.waiting[1:] if name not in lost)
        return Stage(replace(self.so_far, findings=(*self.so_far.findings, *named)), left)


def audit(problem: Problem, random: Random, clock: Callable[[], float]) -> Audit:
    """Makes all checks.

    Raises:
        EvolveError: the problem has no cases or no reference, or the sandbox failed.
    """
    *_, last = stages(problem, random, clock, lambda _: None)
    return last.so_far


def stages(
    problem: Problem, random: Random, clock: Callable[[], float], tell: Callable[[str], None]
) -> Iterator[Stage]:
    """Yields before each check how far the audit has come, and the end; what is tried in between is told.

    Raises:
        EvolveError: the problem has no cases or no reference, or the sandbox failed.
    """
    cases = split_cases(problem, "train")
    with Sandbox(problem.imports, unsafe=True) as sandbox:  # all that is judged is the problem's own or made from it
        subject = Subject(problem, cases, sandbox, random, clock, tell)
        stage = Stage(Audit(problem.name, len(cases), len(subject.sources)), tuple(_CHECKS))
        while stage.waiting:
            yield stage
            made = _made(stage.check, subject)
            failed = any(finding.status is Status.FIX for finding in made)
            stage = stage.after(made, _NEEDED_BY.get(stage.check, ()) if failed else ())
    yield stage


def _made(name: str, subject: Subject) -> list[Finding]:
    try:
        return _CHECKS[name](subject)
    except ProblemError as error:
        return [fix(str(error), _MEND)]
