"""Checks that a policy cannot see the future: cases that are equal up to a moment look equal until then."""

from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import Any

from evolve.cases import blaming
from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.play import End, Play, Recorder, Step, play, record
from evolve.conformance.subject import Subject
from evolve.problem import ProblemError, Twin
from evolve.sandbox import wire
from evolve.text import counted

CASES = 4


def check_lookahead(subject: Subject) -> list[Finding]:
    """Plays several cases and their twins with every baseline and compares what was asked and decided."""
    indices = subject.sample(CASES)
    twins = [_twin(subject, index) for index in indices]
    compared = differing = 0
    for index, twin in zip(indices, twins, strict=True):
        if twin is None:
            return [_unchecked(subject, indices)]
        for name in subject.sound:
            pair = _played(subject, index, name, twin)
            for whose, ended in zip(("", "the twin of "), pair.plays, strict=True):
                if ended.end is not End.FINISHED:
                    return [_unplayable(f"{whose}{subject.cases.labels[index]}", name, ended)]
            if difference := pair.difference():
                return [_future(subject.cases.labels[index], name, difference)]
            compared += pair.known
            differing += pair.differs_later
    return [_nothing_seen(len(indices), len(subject.sound), compared, differing)]


def _unchecked(subject: Subject, indices: list[int]) -> Finding:
    """Returns what to say of a problem without twins."""
    if all(len(record(subject, index, "reference").steps) < 2 for index in indices):
        return fine(
            "asks once a case; whether its argument shows what is decided only later was not checked (define `twin` if "
            "there is such a thing)"
        )
    return look(
        "not checked: the problem has no twins of its cases",
        "define `twin(case, random)`: a case with the same past and another future; see evolve.problem",
    )


def _nothing_seen(cases: int, policies: int, compared: int, differing: int) -> Finding:
    plays = cases * policies
    if not compared or not differing:
        missing = "no call came before the moment" if not compared else "the twins were asked and paid just the same"
        return look(f"nothing was compared: {missing}", "mend `twin`: equal before a moment, different after it")
    known = f"{counted(compared, 'question')} before the moment at which {counted(cases, 'case')} and their twins part"
    later = f"{differing} of {plays} pairs differ later, as they should"
    return fine(f"{known} were the same, with {counted(policies, 'baseline')}; {later}")


def _unplayable(case: str, policy: str, ended: Play) -> Finding:
    said = f"not checked: {policy} does not finish {case}: {ended.said}"
    return look(said, "return twins that are as legal as the cases of a split")


def _future(label: str, policy: str, difference: str) -> Finding:
    return fix(
        f"the policy can see the future: on {label}, played by {policy}, {difference}, "
        "before the moment at which the two cases begin to differ",
        "put only what has happened already into the arguments of a call, and keep `simulate` from looking ahead; "
        "or mend `twin`: it must equal the case up to that moment",
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """The plays of a case and of its twin; ``known`` counts the first calls, asked before the two differ."""

    case: list[Step]
    twin: list[Step]
    plays: tuple[Play, Play]
    known: int

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
    (one, play_one), (other, play_other) = (_steps(subject, it, name) for it in (subject.cases.cases[index], twin.case))
    with blaming(subject.problem, "Twin.before"):
        known = sum(1 for _ in takewhile(lambda step: twin.before(step.call()), one))
    return _Pair(one, other, (play_one, play_other), known)


def _steps(subject: Subject, case: Any, name: str) -> tuple[list[Step], Play]:
    with subject.answers(name) as answer:
        recorder = Recorder(answer)
        ended = play(subject.problem, case, recorder)
    return recorder.steps, ended


def _twin(subject: Subject, index: int) -> Twin | None:
    with blaming(subject.problem, "twin"):
        twin = subject.problem.twin(subject.cases.cases[index], subject.random)
    if twin is not None and not isinstance(twin, Twin):
        raise ProblemError(f"{subject.problem.name}: `twin` returned a {type(twin).__name__}; expected a Twin or None")
    return twin
