"""Checks that the same policy on the same case comes to the same result, whatever was judged before."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from evolve.cases import split_cases
from evolve.conformance.finding import Finding, fine, fix, look
from evolve.conformance.fingerprint import fingerprint
from evolve.conformance.play import End, Enough, Recording, play, record
from evolve.conformance.subject import Subject
from evolve.judge import Judge
from evolve.judge.wave import Measurement
from evolve.problem import CPU_SECONDS, Call, steady
from evolve.sandbox import Sandbox, wire
from evolve.text import counted
from evolve.types import Verdict

CASES = 12
REPEATS = 5
LARGE_NOISE = 0.05


def check_simulator(subject: Subject) -> list[Finding]:
    """Plays recorded decisions again: the questions, the metrics and the case must be as they were.

    Metrics that are measured may be others.
    """
    played = [record(subject, index, "reference") for index in subject.sample(CASES)]
    fresh = split_cases(subject.problem, "train").cases  # the others have been played before
    for recording in reversed(played):
        case = fresh[recording.case]
        before = fingerprint(case)
        once, twice = (_again(subject, case, recording) for _ in range(2))
        changed = fingerprint(case) != before
        for came in (once, twice):
            if came != (steady(subject.problem, recording.play.metrics), "", recording.play.end):
                return [_unsteady(subject, recording, came, changed)]
        if changed:
            return [_changed(subject.cases.labels[recording.case])]
    said = f"the same decisions on {counted(len(played), 'case')}, in another order and twice, gave the same questions"
    return [fine(f"{said} and metrics")]


def _again(subject: Subject, case: Any, recording: Recording) -> tuple[Mapping[str, float], str, End]:
    """Returns the steady metrics of the recorded decisions, and what was asked otherwise, if anything."""
    differs = ""

    def decide(number: int, call: Call) -> Any:
        nonlocal differs
        if number >= len(recording.steps) or wire.pack(call.arguments) != recording.steps[number].question:
            differs = f"call {number + 1} asks otherwise"
            raise Enough
        return recording.replay(number, call)

    ended = play(subject.problem, case, decide)
    return steady(subject.problem, ended.metrics), differs, ended.end


def _unsteady(
    subject: Subject, recording: Recording, came: tuple[Mapping[str, float], str, End], changed: bool
) -> Finding:
    name, label = subject.problem.objective, subject.cases.labels[recording.case]
    metrics, differs, _ = came
    known = steady(subject.problem, recording.play.metrics)
    wrong = [key for key in known if metrics.get(key) != known[key]]
    key = name if name in wrong else next(iter(wrong), name)
    values = f"{key} {recording.play.metrics.get(key)}, then {metrics.get(key)}"
    return fix(
        f"the same decisions on {label} came to another result when played again: {differs or values}",
        "let `simulate` work on copies of what it changes: it changes its case"
        if changed
        else _cause(subject, recording),
    )


def _cause(subject: Subject, recording: Recording) -> str:
    """Finds out what to do by playing with fresh copies of the problem, whose state then cannot pile up."""
    case = subject.cases.cases[recording.case]
    try:
        copies = [copy.deepcopy(subject.problem) for _ in range(2)]
    except Exception:  # noqa: BLE001 - it may hold what cannot be copied
        copies = []
    plays = [steady(problem, play(problem, case, recording.replay).metrics) for problem in copies]
    if plays and plays[0] and plays[0] == plays[1]:
        return "keep nothing on the problem object (`self`) from one `simulate` to the next"
    return (
        "draw random numbers only from a generator that is made in `simulate` with a seed from the case, look at no "
        "clock, and keep nothing in module globals from one case to the next"
    )


def _changed(label: str) -> Finding:
    return look(
        f"playing {label} changes the case itself, without effect on the result so far",
        "let `simulate` work on copies of what it changes",
    )


def check_order(subject: Subject) -> list[Finding]:
    """Judges every baseline again, alone with each case, in another order."""
    return _judged_again(
        subject,
        subject.sandbox,
        "with each case alone, last case first",
        "let nothing pass from one case to the next: no state on the problem object or in module globals of the "
        "simulator, and none in those of the policy",
    )


def check_process(subject: Subject) -> list[Finding]:
    """Judges every baseline again, in another sandbox."""
    with Sandbox(subject.problem.imports, unsafe=True) as other:
        return _judged_again(
            subject,
            other,
            "in another sandbox",
            "draw random numbers only from seeds that come from the case, in the simulator and in the policy",
        )


def _judged_again(subject: Subject, sandbox: Sandbox, how: str, todo: str) -> list[Finding]:
    if subject.problem.timed:
        return [fine("every case has a process of its own, since the problem is timed")]
    judge = Judge(subject.cases, sandbox, subject.problem.limits.unhurried())
    found = []
    for name in subject.sound:
        first = [result.metrics for result in subject.evaluations[name].cases]
        again = judge.measure(subject.sources[name], isolated=sandbox is subject.sandbox)
        if said := _difference(subject, first, again):
            found.append(fix(f"{name} did not reach the same {how}: {said}", todo))
    return found or [fine(f"{counted(len(subject.sound), 'baseline')} reached the same metrics {how}")]


def _difference(subject: Subject, first: Sequence[Mapping[str, float]], again: Measurement) -> str:
    if again.verdict is not Verdict.OK:
        return f"{again.verdict}: {again.message}"
    for index, metrics in enumerate(first):
        wrong = [key for key in steady(subject.problem, metrics) if metrics[key] != again.metrics[index].get(key)]
        if wrong:
            values = f"{wrong[0]} {metrics[wrong[0]]}, then {again.metrics[index].get(wrong[0])}"
            return f"{values} on {subject.cases.labels[index]}"
    return ""


def check_noise(subject: Subject) -> list[Finding]:
    """Judges the reference several times where what counts is measured, and says how far its scores spread."""
    timed = (CPU_SECONDS,) if subject.problem.timed else ()
    if subject.problem.objective not in (*timed, *subject.problem.measured):
        return []
    scores = [subject.judge.evaluate(subject.sources["reference"]).score for _ in range(REPEATS)]
    known = [score for score in scores if score is not None]
    if len(known) < REPEATS:
        return [fix(f"the reference failed in {REPEATS - len(known)} of {REPEATS} tries", "give it wider limits")]
    spread = max(known) / min(known) - 1
    said = (
        f"the reference, judged {REPEATS} times, scored {min(known):.3f} to {max(known):.3f}: a spread of {spread:.1%}"
    )
    if spread > LARGE_NOISE:
        return [look(said, "trust only gains above it: use longer cases, or a machine with less to do")]
    return [fine(said)]
