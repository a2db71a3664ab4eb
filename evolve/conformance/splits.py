"""Checks the cases: enough of them, the same each time, and none in two splits."""

from collections.abc import Callable, Iterator
from itertools import combinations

from evolve.cases import CaseSet, split_cases
from evolve.conformance.finding import Finding, Status, fine, fix, look
from evolve.conformance.fingerprint import fingerprint
from evolve.conformance.subject import Subject
from evolve.judge import Judge
from evolve.judge.wave import objective
from evolve.problem import SPLITS
from evolve.text import counted

FEWEST = 20
CHANCE = 0.05
"""The share of cases that may be equal by chance."""
Marks = list[str | None]
_HELD_OUT = "the test cases are held out, not secret"
SECRETS = "one secret of evolve check", "another secret of evolve check"


def check_splits(subject: Subject) -> list[Finding]:
    """Draws every split, and the sealed one with two secrets, and compares their cases."""
    sets = {name: split_cases(subject.problem, name, secret_of(name)) for name in SPLITS}
    marks = {name: fingerprints(cases) for name, cases in sets.items()}
    found = [*_sizes(sets), *_labels(sets), *_repeated(subject, marks), *_stretches_twice(sets)]
    if None in [mark for of_split in marks.values() for mark in of_split]:
        found.append(look("cases hold what cannot be compared, so equal ones may have gone unseen"))
    equal = list(_equal(subject, sets, marks))
    counts = ", ".join(f"{name} {len(set(cases.stretches))}" for name, cases in sets.items())
    held_out = subject.problem.held_out
    if found or any(finding.status is not Status.OK for finding in equal):
        return [*found, *equal, *([fine(_HELD_OUT)] if held_out else [])]
    said = "; ".join(finding.found for finding in equal) or "no case in two splits"
    kept = _HELD_OUT if held_out else "sealed cases follow their secret"
    return [fine(f"independent stretches: {counts}; {said}; {kept}")]


def secret_of(name: str) -> str:
    """Returns the secret that an audit draws a split from."""
    return SECRETS[0] if name == "test" else ""


def fingerprints(cases: CaseSet, most: int | None = None) -> Marks:
    """Returns the fingerprints of cases without their labels, which name the split."""
    labels = set(cases.labels)

    def blank(text: str) -> bool:
        return text in labels or any(name in text for name in SPLITS)

    return [fingerprint(case, blank) for case in cases.cases[:most]]


def _sizes(sets: dict[str, CaseSet]) -> Iterator[Finding]:
    for name, cases in sets.items():
        stretches = len(set(cases.stretches))
        if stretches < FEWEST:
            yield fix(
                f"{name} has too few independent stretches of data: {stretches}; intervals need {FEWEST}",
                f"return more cases of {name}, of data that is independent (see `stretch`)",
            )


def _labels(sets: dict[str, CaseSet]) -> Iterator[Finding]:
    for name, cases in sets.items():
        for label in cases.labels:
            if not label.isprintable():
                yield fix(f"{name} has the label {label!r}", "return plain text on one line from `label`")
                return
        if len(set(cases.labels)) < len(cases):
            yield look(f"{name} has cases of the same label", "number them in `label`, to tell them apart in tables")


def _repeated(subject: Subject, marks: dict[str, Marks]) -> Iterator[Finding]:
    for name, before in marks.items():
        again = split_cases(subject.problem, name, secret_of(name))
        if len(again) != len(before) or fingerprints(again, FEWEST) != before[:FEWEST]:
            yield fix(
                f"the cases of {name} are others when they are drawn again",
                "make cases from `split.seeds(n)` alone: no random numbers without a seed, no clock, no state",
            )


def _equal(subject: Subject, sets: dict[str, CaseSet], marks: dict[str, Marks]) -> Iterator[Finding]:
    """Finds cases that are in two splits, or in the sealed one whatever its secret; held-out ones have none."""
    for one, other in combinations(SPLITS, 2):
        yield from in_common(subject, f"{one} and {other} share", sets[one], marks[one], marks[other])
    again = fingerprints(split_cases(subject.problem, "test", SECRETS[1]))
    if not subject.problem.held_out:
        yield from in_common(subject, "two secrets share", sets["test"], marks["test"], again)
    elif again != marks["test"]:
        yield fix("`held_out` is set, but test cases follow the secret", "leave `held_out` out: these cases are sealed")


def in_common(subject: Subject, which: str, cases: CaseSet, one: Marks, other: Marks) -> Iterator[Finding]:
    """Returns what to say of equal cases, if there are any; a few trivial ones may be equal by chance."""
    shared = set(one) & set(other) - {None}
    equal = [index for index, mark in enumerate(one) if mark in shared]
    if not equal:
        return
    said = f"{which} {len(shared)} of {counted(min(len(one), len(other)), 'case')}"
    example = f"{said}, such as {cases.labels[equal[0]]}"
    if len(shared) > CHANCE * len(one):
        yield fix(example, "make the cases of a split from `split.seeds(n)`, and let every seed make another case")
    elif _trivial(subject, cases, equal):
        yield fine(f"{said}, on which there is nothing to gain")
    else:
        yield look(example, "fine if these are equal by chance; if not, let every seed make another case")


def _trivial(subject: Subject, cases: CaseSet, equal: list[int]) -> bool:
    """Says whether nothing can be gained on some cases: a baseline is at the bound or, without one, all tie."""
    few = CaseSet(subject.problem, cases.name, [cases.cases[index] for index in equal])
    judge = Judge(few, subject.sandbox)
    reached = [judge.measure(subject.sources[name]).metrics for name in subject.sound]
    if any(len(metrics) < len(few) for metrics in reached):
        return False
    values = [[objective(subject.problem, metrics[index]) for metrics in reached] for index in range(len(few))]
    if few.bounds is not None:
        return all(any(not subject.beats(b, value) for value in v) for v, b in zip(values, few.bounds, strict=True))
    return len(reached) > 1 and not any(subject.beats(one, other) for v in values for one in v for other in v)


def _stretches_twice(sets: dict[str, CaseSet]) -> Iterator[Finding]:
    for one, other in combinations(SPLITS, 2):
        if common := _stretches(sets[one]) & _stretches(sets[other]):
            yield look(
                f"{one} and {other} both have cases of the stretch {sorted(map(str, common))[0]!r}",
                "cut the splits from different stretches of data, or what fits one fits the other",
            )


def _stretches(cases: CaseSet) -> set[object]:
    """Returns the stretches that the problem itself names."""
    name: Callable[[object], object] = cases.problem.stretch
    return {stretch for case in cases.cases if (stretch := name(case)) is not None}
