"""Checks what people and models read of a problem, and what an evaluation costs."""

from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.play import record
from evolve.conformance.subject import Subject
from evolve.problem import CPU_SECONDS

LONGEST_FEEDBACK = 1_500
FEEDBACK_CASES = 3
SLOW_SECONDS = 10.0


def check_feedback(subject: Subject) -> list[Finding]:
    """Asks for words on every case: they must be short, and never fail."""
    words: list[str] = []
    for case, result in zip(subject.cases.cases, subject.evaluations["reference"].cases, strict=True):
        try:
            said = subject.problem.feedback(case, result.metrics)
        except Exception as error:  # noqa: BLE001 - the problem's own code, on trial here
            return [fix(f"`feedback` fails on {result.case}: {type(error).__name__}: {error}", "mend it")]
        if type(said) is not str:
            return [fix(f"`feedback` returns a {type(said).__name__}", "return a text; empty where it has none")]
        words.append(said)
    length = sum(sorted(map(len, words))[-FEEDBACK_CASES:])
    if length > LONGEST_FEEDBACK:
        said = f"up to {length:,} characters on {FEEDBACK_CASES} cases, which prompts have no room for"
        return [fix(said, f"say what matters most, in {LONGEST_FEEDBACK:,} characters for {FEEDBACK_CASES} cases")]
    if not any(words):
        return [look("none", "say in `feedback` where a policy loses: the only words on cases that models are given")]
    return [fine(f"at most {length:,} characters on {FEEDBACK_CASES} cases")]


def check_time(subject: Subject) -> list[Finding]:
    """Times an evaluation of the slowest baseline and says how much of it is not the policy's."""
    taken = {name: _timed(subject, name) for name in subject.sound}
    slowest = max(taken, key=lambda name: taken[name][0])
    seconds, waited = taken[slowest]
    share = 1 - min(1.0, waited / seconds)
    said = f"an evaluation takes up to {seconds:.2f} s ({slowest}), {share:.0%} of it outside the policy"
    if seconds > SLOW_SECONDS:
        return [
            look(
                said,
                f"make cases smaller or the simulator faster: above {SLOW_SECONDS:g} s searches get far in hours only",
            )
        ]
    return [fine(said)]


def _timed(subject: Subject, name: str) -> tuple[float, float]:
    """Returns the seconds of one pass over the cases, and those spent waiting for the policy."""
    start = subject.clock()
    measured = subject.judge.measure(subject.sources[name])
    return max(subject.clock() - start, 1e-9), measured.waited_seconds


def check_text(subject: Subject) -> list[Finding]:
    """Looks for the names of the functions and of the objective in the docstring, which is the prompt."""
    text = subject.problem.__doc__ or ""
    steps = record(subject, 0, "reference").steps
    missing = [name for name in sorted({step.name for step in steps}) if name not in text]
    if missing:
        return [fix(f"does not say what `{missing[0]}` is", "it is the prompt: name every function that is called")]
    if subject.problem.objective not in text and subject.problem.objective != CPU_SECONDS:
        said = f"names every function that is called, but not {subject.problem.objective!r}, which counts"
        return [look(said, "say what it is, and that less or more of it is better")]
    return [fine("names every function that is called, and what counts")]
