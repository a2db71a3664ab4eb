"""Plays the cases that a search never sees, once: a proof is a bad time to find that they are broken."""

from collections.abc import Iterator

from evolve.cases import CaseSet, split_cases
from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.splits import secret_of
from evolve.conformance.subject import Subject
from evolve.judge import Judge
from evolve.judge.wave import Measurement, objective
from evolve.problem import ProblemError
from evolve.text import kept
from evolve.types import Verdict

UNLIKE = 3.0
"""Means that differ by such a factor are those of other cases."""

_MEND = "mend these cases or what `simulate` and `bound` make of them: `evolve verify` would fail there"


def check_unseen(subject: Subject) -> list[Finding]:
    """Judges the reference on validation and test cases, and compares these with the bound and with train."""
    found: list[Finding] = []
    for name in ("validation", "test"):
        subject.tell(name)
        try:
            cases = split_cases(subject.problem, name, secret_of(name))
            measured = Judge(cases, subject.sandbox).measure(subject.sources["reference"])
            found += _wrong(subject, cases, measured)
        except ProblemError as error:
            found.append(fix(f"on {name}: {error}", _MEND))
    unseen = f"validation and {kept(subject.problem.held_out)} cases"
    return found or [fine(f"the reference finishes {unseen}, which are like those of train")]


def _wrong(subject: Subject, cases: CaseSet, measured: Measurement) -> Iterator[Finding]:
    if measured.verdict is not Verdict.OK:
        yield fix(f"on {cases.name} the reference is {measured.verdict}: {measured.message}", _MEND)
        return
    values = [objective(subject.problem, measured.metrics[index]) for index in range(len(cases))]
    for label, value, bound in zip(cases.labels, values, cases.bounds or values, strict=True):
        if subject.beats(value, bound):
            yield fix(f"the reference reaches {value:.6g} on {label}, beyond the bound of {bound:.6g}", "mend `bound`")
            break
    train = subject.reached("reference")
    yield from _unlike(cases.name, subject.problem.objective, _mean(values), _mean(train))
    calls = subject.evaluations["reference"].calls / len(train)
    yield from _unlike(cases.name, "number of calls", measured.calls / len(cases), calls)


def _unlike(name: str, what: str, mean: float, train: float) -> Iterator[Finding]:
    if max(mean, train) > UNLIKE * min(mean, train):
        said = f"the mean {what} of the reference is {mean:.4g} on {name} and {train:.4g} on train"
        yield look(said, "draw all splits alike, or what is found on one is proved on another thing")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
