"""Plays the cases under the conditions that a problem declares: a found policy is tried on them before it is used."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from evolve.cases import CaseSet, swept, swept_cases
from evolve.conformance.finding import Finding, Status, fine, fix, look
from evolve.conformance.splits import SECRETS, Marks, fingerprints, in_common, secret_of
from evolve.conformance.subject import Subject
from evolve.judge import Judge
from evolve.judge.wave import Measurement, objective
from evolve.problem import SPLITS, ProblemError
from evolve.text import counted
from evolve.types import Verdict

FEWEST = 10
"""Independent stretches of data under each setting."""

COMPARED = 4
"""Cases of a setting that are drawn again, and that are looked for in other splits."""

_NONE = "none declared, so nobody knows how a policy answers to load, skew or noise (see `sweeps`)"
_MEND = "mend what `swept` makes under this setting: `evolve verify` tries found policies there"
Named = tuple[str, str]
"""A condition and one of its settings."""
Marked = Mapping[Named, Marks]
"""The fingerprints of the cases under each setting."""


def check_conditions(subject: Subject) -> list[Finding]:
    """Judges the reference and the best baseline under every setting, and compares settings and splits."""
    named = [(name, setting) for name, settings in subject.problem.sweeps.items() for setting in settings]
    if not named:
        return [fine(_NONE)]
    found = [finding for each in named for finding in _under(subject, each)]
    if not any(finding.status is Status.FIX for finding in found):
        found += _compared(subject, named)
    names = ", ".join(subject.problem.sweeps)
    who = " and ".join(dict.fromkeys(("the reference", _called(subject.sound[0]))))
    return found or [fine(f"{names}: {counted(len(named), 'setting')}, each finished by {who}")]


def _called(baseline: str) -> str:
    return "the reference" if baseline == "reference" else baseline


def _drawn(subject: Subject, split: str, each: Named, secret: str = "") -> CaseSet:
    return swept_cases(subject.problem, swept(split, *each), secret or secret_of(split))


def _under(subject: Subject, each: Named) -> list[Finding]:
    """Plays the validation cases under one setting."""
    subject.tell("=".join(each))
    try:
        cases = _drawn(subject, "validation", each)
        return [*_size(cases), *_played(subject, cases)]
    except ProblemError as error:
        return [fix(f"under {'='.join(each)}: {error}", _MEND)]


def _size(cases: CaseSet) -> Iterator[Finding]:
    stretches = len(set(cases.stretches))
    if stretches < FEWEST:
        said = f"{cases.name} has too few independent stretches of data: {stretches}; intervals need {FEWEST}"
        yield fix(said, "return more cases from `swept`, of data that is independent (see `stretch`)")


def _played(subject: Subject, cases: CaseSet) -> Iterator[Finding]:
    """Judges the reference, which has to finish, and the best baseline, which may fail."""
    judge = Judge(cases, subject.sandbox)
    for name in dict.fromkeys(("reference", subject.sound[0])):
        measured = judge.measure(subject.sources[name])
        said = f"on {cases.name} {_called(name)} is {measured.verdict}: {measured.message}"
        if measured.verdict is Verdict.OK:
            yield from _beyond(subject, cases, name, measured)
        elif name == "reference":
            yield fix(said, _MEND)
        else:
            yield look(said, "fine if the setting is beyond what this baseline was made for")


def _beyond(subject: Subject, cases: CaseSet, name: str, measured: Measurement) -> Iterator[Finding]:
    values = [objective(subject.problem, measured.metrics[index]) for index in range(len(cases))]
    for label, value, bound in zip(cases.labels, values, cases.bounds or values, strict=True):
        if subject.beats(value, bound):
            said = f"{_called(name)} reaches {value:.6g} on {label}, beyond the bound of {bound:.6g}"
            yield fix(said, "mend `bound`: it must hold under every condition too")
            return


def _compared(subject: Subject, named: list[Named]) -> list[Finding]:
    marks = {each: fingerprints(_drawn(subject, "validation", each)) for each in named}
    return [*_alike(marks), *_again(subject, marks), *_apart(subject, marks)]


def _alike(marks: Marked) -> Iterator[Finding]:
    """Finds settings that change nothing: those with the cases of another of their condition."""
    known: dict[tuple[str, tuple[str | None, ...]], str] = {}
    for (condition, setting), of_setting in marks.items():
        name = f"{condition}={setting}"
        other = known.setdefault((condition, tuple(of_setting)), name)
        if other != name and None not in of_setting:
            yield fix(f"{other} and {name} have the same cases", "let `swept` make other cases under each setting")


def _again(subject: Subject, marks: Marked) -> Iterator[Finding]:
    for each, before in marks.items():
        if fingerprints(_drawn(subject, "validation", each), COMPARED) != before[:COMPARED]:
            yield fix(
                f"the cases under {'='.join(each)} are others when they are drawn again",
                "make cases from `split.seeds(n)` alone: no random numbers without a seed, no clock, no state",
            )


def _apart(subject: Subject, marks: Marked) -> Iterator[Finding]:
    """Finds cases that are in two splits under their conditions, or in the sealed one whatever its secret."""
    named = list(marks)
    sets = {split: _some(subject, named, split) for split in SPLITS}
    found = {split: fingerprints(cases) for split, cases in sets.items()}
    for one, other in combinations(SPLITS, 2):
        said = f"under conditions {one} and {other} share"
        yield from in_common(subject, said, sets[one], found[one], found[other])
    if not subject.problem.held_out:
        again = fingerprints(_some(subject, named, "test", SECRETS[1]))
        yield from in_common(subject, "under conditions two secrets share", sets["test"], found["test"], again)


def _some(subject: Subject, named: list[Named], split: str, secret: str = "") -> CaseSet:
    """Returns the first cases of a split under each setting, all together."""
    cases = [case for each in named for case in _drawn(subject, split, each, secret).cases[:COMPARED]]
    return CaseSet(subject.problem, f"{split} under conditions", cases)
