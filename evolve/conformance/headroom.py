"""Checks what there is to gain: the reference, the best baseline and the bound."""

from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.subject import Subject
from evolve.standings import gap
from evolve.statistics import geometric_mean, ratio
from evolve.types import Verdict

NOTHING_LEFT = 1.001


def check_reference(subject: Subject) -> list[Finding]:
    """Judges the reference, without which there is nothing to relate to; there is nothing to say if it finishes.

    Raises:
        ProblemError: it does not.
    """
    subject.judge.reference()
    return []


def check_baselines(subject: Subject) -> list[Finding]:
    """Judges every baseline; each must finish every case, and may break a constraint of the objective."""
    barred = _barred(subject)
    found = [
        fix(
            f"{name} is {evaluation.verdict}: {evaluation.feedback}",
            "mend the baseline, or the rule that it breaks: whoever evolves a policy begins with it",
        )
        for name, evaluation in subject.evaluations.items()
        if evaluation.score is None and name not in barred
    ]
    best = subject.sound[0]
    said = f"{len(subject.sound)}, reference included; the best is {best}, score {subject.evaluations[best].score:.3f}"
    if barred:
        said += f"; {', '.join(barred)} break a constraint, so they are no rivals here"
    if len(subject.sources) == 1:
        return [*found, look("only the reference", "add what practice uses to the seeds folder")]
    return found or [fine(said)]


def _barred(subject: Subject) -> list[str]:
    """Returns the baselines that have no score because of a constraint; the reference keeps all of them."""
    if not subject.problem.constraints:
        return []
    return [name for name, evaluation in subject.evaluations.items() if evaluation.verdict is Verdict.INVALID]


def check_headroom(subject: Subject) -> list[Finding]:
    """Compares the baselines with the bound, which none may beat and the best should not reach."""
    bounds = subject.cases.bounds
    if bounds is None:
        return [look("no bound on some or all cases, so nobody knows what is left", "define `bound(case)`")]
    for name in subject.sound:
        for label, value, bound in zip(subject.cases.labels, subject.reached(name), bounds, strict=True):
            if subject.beats(value, bound):
                return [_no_bound(f"{name} reaches {value:.6g} on {label}, beyond the bound of {bound:.6g}")]
    if min(bounds) <= 0:
        return [look("the bound is 0 or less on some cases, which says little", "find a tighter one")]
    return [_left(subject, bounds)]


def _no_bound(said: str) -> Finding:
    return fix(said, "mend `bound`: it must hold for every policy (a limit will do where no optimum is known)")


def _left(subject: Subject, bounds: list[float]) -> Finding:
    best, direction = subject.sound[0], subject.problem.direction
    left = geometric_mean(
        [ratio(bound, value, direction) for bound, value in zip(bounds, subject.reached(best), strict=True)]
    )
    closed = gap(subject.problem, subject.evaluations[best], bounds)
    if left < NOTHING_LEFT or closed is None:
        return look(f"the best baseline, {best}, is at the bound: nothing is left", "make the cases harder")
    return fine(f"{best} closes {closed:.1%} of the gap from reference to bound; the bound is {left:.3f} times better")
