"""Checks the cases: enough of them, the same each time, and none in two splits."""

from collections.abc import Callable, Iterator
from itertools import combinations

from evolve.cases import CaseSet, split_cases
from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.fingerprint import fingerprint
from evolve.conformance.subject import Subject
from evolve.text import counted

CHECK = "splits"
FEWEST = 20
CHANCE = 0.05
"""The share of cases that may be equal by chance."""
Marks = list[str | None]
SECRETS = "one secret of evolve check", "another secret of evolve check"
_NAMES = ("train", "validation", "test")


def check_splits(subject: Subject) -> list[Finding]:
    """Draws every split, and the sealed one with two secrets, and compares their cases."""
    sets = {name: split_cases(subject.problem, name, _secret(name)) for name in _NAMES}
    marks = {name: _marks(cases) for name, cases in sets.items()}
    found = [
        *_sizes(sets),
        *_labels(sets),
        *_repeated(subject, marks),
        *_overlaps(sets, marks),
        *_sealed(subject, marks["test"]),
    ]
    if None in [mark for of_split in marks.values() for mark in of_split]:
        found.append(look(CHECK, "cases hold what cannot be compared, so equal ones may have gone unseen"))
    counts = ", ".join(f"{name} {len(set(cases.stretches))}" for name, cases in sets.items())
    return found or [
        fine(CHECK, f"independent stretches: {counts}; no case in two splits; sealed cases follow their secret")
    ]


def _secret(name: str) -> str:
    return SECRETS[0] if name == "test" else ""


def _marks(cases: CaseSet, most: int | None = None) -> Marks:
    """Returns the fingerprints of cases without their labels, which name the split."""
    labels = set(cases.labels)

    def blank(text: str) -> bool:
        return text in labels or any(name in text for name in _NAMES)

    return [fingerprint(case, blank) for case in cases.cases[:most]]


def _sizes(sets: dict[str, CaseSet]) -> Iterator[Finding]:
    for name, cases in sets.items():
        stretches = len(set(cases.stretches))
        if stretches < FEWEST:
            yield fix(
                CHECK,
                f"{name} has too few independent stretches of data: {stretches}; intervals need {FEWEST}",
                f"return more cases of {name}, of data that is independent (see `stretch`)",
            )


def _labels(sets: dict[str, CaseSet]) -> Iterator[Finding]:
    for name, cases in sets.items():
        for label in cases.labels:
            if not label.isprintable():
                yield fix(CHECK, f"{name} has the label {label!r}", "return plain text on one line from `label`")
                return
        if len(set(cases.labels)) < len(cases):
            yield look(
                CHECK, f"{name} has cases of the same label", "number them in `label`, to tell them apart in tables"
            )


def _repeated(subject: Subject, marks: dict[str, Marks]) -> Iterator[Finding]:
    for name, before in marks.items():
        again = split_cases(subject.problem, name, _secret(name))
        if len(again) != len(before) or _marks(again, FEWEST) != before[:FEWEST]:
            yield fix(
                CHECK,
                f"the cases of {name} are others when they are drawn again",
                "make cases from `split.seeds(n)` alone: no random numbers without a seed, no clock, no state",
            )


def _overlaps(sets: dict[str, CaseSet], marks: dict[str, Marks]) -> Iterator[Finding]:
    for one, other in combinations(_NAMES, 2):
        shared = _shared(marks[one], marks[other])
        if shared:
            example = sets[one].labels[marks[one].index(shared[0])]
            yield _shared_cases(
                f"{one} and {other} share {_of(shared, marks[one], marks[other])}, such as {example}",
                shared,
                marks[one],
            )
        elif common := _stretches(sets[one]) & _stretches(sets[other]):
            yield look(
                CHECK,
                f"{one} and {other} both have cases of the stretch {sorted(map(str, common))[0]!r}",
                "cut the splits from different stretches of data, or what fits one fits the other",
            )


def _shared(one: Marks, other: Marks) -> list[str]:
    return [mark for mark in dict.fromkeys(one) if mark is not None and mark in set(other)]


def _of(shared: list[str], one: Marks, other: Marks) -> str:
    return f"{len(shared)} of {counted(min(len(one), len(other)), 'case')}"


def _shared_cases(said: str, shared: list[str], cases: Marks) -> Finding:
    """Returns a finding on equal cases; a few trivial ones may be equal by chance."""
    if len(shared) <= CHANCE * len(cases):
        return look(CHECK, said, "fine if these are trivial cases that are equal by chance, such as an empty trace")
    return fix(CHECK, said, "make the cases of a split from `split.seeds(n)`, and let every seed make another case")


def _stretches(cases: CaseSet) -> set[object]:
    """Returns the stretches that the problem itself names."""
    name: Callable[[object], object] = cases.problem.stretch
    return {stretch for case in cases.cases if (stretch := name(case)) is not None}


def _sealed(subject: Subject, sealed: Marks) -> Iterator[Finding]:
    again = _marks(split_cases(subject.problem, "test", SECRETS[1]))
    shared = _shared(sealed, again)
    if shared:
        yield _shared_cases(f"two secrets share {_of(shared, sealed, again)} of the sealed split", shared, sealed)
