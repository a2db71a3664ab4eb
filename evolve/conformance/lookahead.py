"""Checks that a policy cannot see the future: cases that are equal up to a moment look equal until then."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from evolve.cases import blaming
from evolve.conformance.driver import Decide, End, Play, Recorder, Step, play, record
from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.subject import Subject
from evolve.problem import Call, ProblemError, Twin
from evolve.sandbox import wire
from evolve.text import counted

CHECK = "look-ahead"
CASES = 4


def check_lookahead(subject: Subject) -> list[Finding]:
    """Plays several cases and their twins with every baseline and compares what was asked and decided."""
    indices = subject.sample(CASES)
    if all(len(record(subject, index, "reference").steps) < 2 for index in indices):
        return [fine(CHECK, "asks once a case, with everything known: there is no future to look into")]
    compared = differing = 0
    for index in indices:
        twin = _twin(subject, index)
        if twin is None:
            return [
                look(
                    CHECK,
                    "not checked: the problem has no twins of its cases",
                    "define `twin(case, random)`: a case with the same past and another future; see evolve.problem",
                )
            ]
        for name in subject.sound:
            pair = _played(subject, index, name, twin)
            if pair.plays[1].end is not End.FINISHED:
                return [_unplayable(subject.cases.labels[index], name, pair.plays[1])]
            if difference := pair.difference():
                return [_future(subject.cases.labels[index], name, difference)]
            compared += pair.known
            differing += pair.differs_later
    return [_nothing_seen(len(indices), len(subject.sound), compared, differing)]


def _nothing_seen(cases: int, policies: int, compared: int, differing: int) -> Finding:
    plays = cases * policies
    if not compared or not differing:
        missing = "no call came before the moment" if not compared else "the twins were asked and paid just the same"
        return look(CHECK, f"nothing was compared: {missing}", "mend `twin`: equal before a moment, different after it")
    known = f"{counted(compared, 'question')} before the moment at which {counted(cases, 'case')} and their twins part"
    later = f"{differing} of {plays} pairs differ later, as they should"
    return fine(CHECK, f"{known} were the same, with {counted(policies, 'baseline')}; {later}")


def _unplayable(label: str, policy: str, twin: Play) -> Finding:
    said = f"not checked: {policy} does not finish the twin of {label}: {twin.said}"
    return look(CHECK, said, "return twins that are as legal as the cases of a split")


def _future(label: str, policy: str, difference: str) -> Finding:
    return fix(
        CHECK,
        f"the policy can see the future: on {label}, played by {policy}, {difference}, "
        "before the moment at which the two cases begin to differ",
        "put only what has happened already into the arguments of a call, and keep `simulate` from looking ahead",
    )


@dataclass(slots=True)
class _Pair:
    """The plays of a case and of its twin; ``known`` counts the first calls, asked before the two differ."""

    case: list[Step]
    twin: list[Step]
    plays: tuple[Play, Play]
    known: int = field(default=0)

    def difference(self) -> str:
        """Returns what differs before the moment, or nothing."""
        for number, (one, other) in enumerate(zip_longest(self.case[: self.known], self.twin[: self.known])):
            if other is None:
                return f"call {number + 1} is asked in one case and not in its twin"
            if said := _difference(one, other):
                return f"{said} of call {number + 1} (`{one.name}`) already differs"
        return ""

    @property
    def differs_later(self) -> bool:
        """Says whether the two cases are different at all."""
        steps = zip_longest(self.case, self.twin)
        return self.plays[0].metrics != self.plays[1].metrics or any(not b or _difference(a, b) for a, b in steps if a)


def _difference(one: Step, other: Step) -> str:
    if one.name != other.name:
        return "the name"
    if one.question != other.question:
        pairs = enumerate(zip_longest(one.arguments(), other.arguments()), 1)
        return next(f"argument {place}" for place, (a, b) in pairs if wire.pack(a) != wire.pack(b))
    return "" if wire.pack(one.decision) == wire.pack(other.decision) else "the decision (asked the same!)"


def _played(subject: Subject, index: int, name: str, twin: Twin) -> _Pair:
    before = _Before(subject, twin.before)
    one, plays_one = _steps(subject, subject.cases.cases[index], name, before.watched)
    other, plays_other = _steps(subject, twin.case, name, lambda decide: decide)
    return _Pair(one, other, (plays_one, plays_other), before.known)


def _steps(subject: Subject, case: Any, name: str, watched: Callable[[Decide], Decide]) -> tuple[list[Step], Play]:
    with subject.answers(name) as answer:
        recorder = Recorder(watched(answer))
        ended = play(subject.problem, case, recorder)
    return recorder.steps, ended


@dataclass(slots=True)
class _Before:
    """Counts the calls up to the first that is not asked before the two cases differ."""

    subject: Subject
    before: Callable[[Call], bool]
    known: int = 0
    parted: bool = False

    def watched(self, decide: Decide) -> Decide:
        def answer(number: int, call: Call) -> Any:
            with blaming(self.subject.problem, "twin"):
                self.parted = self.parted or not self.before(call)
            self.known += not self.parted
            return decide(number, call)

        return answer


def _twin(subject: Subject, index: int) -> Twin | None:
    with blaming(subject.problem, "twin"):
        twin = subject.problem.twin(subject.cases.cases[index], subject.random)
    if twin is not None and not isinstance(twin, Twin):
        raise ProblemError(f"{subject.problem.name}: `twin` returned a {type(twin).__name__}; expected a Twin or None")
    return twin
