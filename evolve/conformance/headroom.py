"""Checks what there is to gain: the reference, the best baseline, the bound, and what an evaluation costs."""

from evolve.conformance.driver import record
from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.subject import Subject
from evolve.problem import CPU_SECONDS
from evolve.standings import gap
from evolve.statistics import geometric_mean, ratio

BASELINES, HEADROOM, FEEDBACK, TIME, TEXT = "baselines", "headroom", "feedback", "time", "docstring"
NOTHING_LEFT = 1.001
LONGEST_FEEDBACK = 1_500
FEEDBACK_CASES = 3
SLOW_SECONDS = 10.0


def check_baselines(subject: Subject) -> list[Finding]:
    """Judges every baseline; each must finish every case."""
    found = [
        fix(
            BASELINES,
            f"{name} is {evaluation.verdict}: {evaluation.feedback}",
            "mend the baseline, or the rule that it breaks: whoever evolves a policy begins with it",
        )
        for name, evaluation in subject.evaluations.items()
        if evaluation.score is None
    ]
    best = subject.sound[0]
    said = f"{len(subject.sound)}, reference included; the best is {best}, score {subject.evaluations[best].score:.3f}"
    if len(subject.sources) == 1:
        return [*found, look(BASELINES, "only the reference", "add what practice uses to the seeds folder")]
    return found or [fine(BASELINES, said)]


def check_headroom(subject: Subject) -> list[Finding]:
    """Compares the baselines with the bound, which none may beat and the best should not reach."""
    bounds = subject.cases.bounds
    if bounds is None:
        return [look(HEADROOM, "no bound on some or all cases, so nobody knows what is left", "define `bound(case)`")]
    for name in subject.sound:
        for label, value, bound in zip(subject.cases.labels, subject.reached(name), bounds, strict=True):
            if subject.beats(value, bound):
                return [_no_bound(f"{name} reaches {value:.6g} on {label}, beyond the bound of {bound:.6g}")]
    if min(bounds) <= 0:
        return [look(HEADROOM, "the bound is 0 or less on some cases, which says little", "find a tighter one")]
    return [_left(subject, bounds)]


def _no_bound(said: str) -> Finding:
    return fix(
        HEADROOM, said, "mend `bound`: it must hold for every policy (a limit will do where no optimum is known)"
    )


def _left(subject: Subject, bounds: list[float]) -> Finding:
    best, direction = subject.sound[0], subject.problem.direction
    left = geometric_mean(
        [ratio(bound, value, direction) for bound, value in zip(bounds, subject.reached(best), strict=True)]
    )
    closed = gap(subject.problem, subject.evaluations[best], bounds)
    if left < NOTHING_LEFT or closed is None:
        return look(HEADROOM, f"the best baseline, {best}, is at the bound: nothing is left", "make the cases harder")
    return fine(
        HEADROOM, f"{best} closes {closed:.1%} of the gap from reference to bound; the bound is {left:.3f} times better"
    )


def check_feedback(subject: Subject) -> list[Finding]:
    """Asks for words on every case: they must be short, and never fail."""
    words: list[str] = []
    for case, result in zip(subject.cases.cases, subject.evaluations["reference"].cases, strict=True):
        try:
            said = subject.problem.feedback(case, result.metrics)
        except Exception as error:  # noqa: BLE001 - the problem's own code, on trial here
            return [fix(FEEDBACK, f"`feedback` fails on {result.case}: {type(error).__name__}: {error}", "mend it")]
        if type(said) is not str:
            return [
                fix(FEEDBACK, f"`feedback` returns a {type(said).__name__}", "return a text; empty where it has none")
            ]
        words.append(said)
    length = sum(sorted(map(len, words))[-FEEDBACK_CASES:])
    if length > LONGEST_FEEDBACK:
        said = f"up to {length:,} characters on {FEEDBACK_CASES} cases, which prompts have no room for"
        return [
            fix(FEEDBACK, said, f"say what matters most, in {LONGEST_FEEDBACK:,} characters for {FEEDBACK_CASES} cases")
        ]
    if not any(words):
        return [look(FEEDBACK, "none", "say in `feedback` where a policy loses: it is all that a search learns from")]
    return [fine(FEEDBACK, f"at most {length:,} characters on {FEEDBACK_CASES} cases")]


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
                TIME,
                said,
                f"make cases smaller or the simulator faster: above {SLOW_SECONDS:g} s searches get far in hours only",
            )
        ]
    return [fine(TIME, said)]


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
        return [
            fix(TEXT, f"does not say what `{missing[0]}` is", "it is the prompt: name every function that is called")
        ]
    if subject.problem.objective not in text and subject.problem.objective != CPU_SECONDS:
        return [fine(TEXT, f"names every function that is called, but not {subject.problem.objective!r}, which counts")]
    return [fine(TEXT, "names every function that is called, and what counts")]
