"""Explains a policy: takes its difference from a baseline apart, and judges the parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evolve import normal
from evolve.cases import cases_of
from evolve.executors import Executor
from evolve.explaining.beside import Beside
from evolve.explaining.by_case import by_case
from evolve.explaining.explanation import Explanation, Size
from evolve.explaining.hunks import Hunk, applied, hunks, lines, words_changed
from evolve.explaining.judged import Judged, asked, judged, scores
from evolve.explaining.measure import Measure
from evolve.explaining.minimise import minimised
from evolve.explaining.question import Question
from evolve.explaining.scores import Scores
from evolve.explaining.trials import Fate, Trials
from evolve.explaining.trim import Idle, constants, trimmed
from evolve.explaining.worth import Worth, code, worths
from evolve.problem import Problem
from evolve.publication.result import sha256
from evolve.robustness import Setting, sweep
from evolve.source import SourceError
from evolve.text import brief
from evolve.types import Evaluation, EvolveError

CONDITIONS = "validation"
"""The split whose cases are tried under every condition."""

_TRIM, _CONSTANTS, _MINIMISE = 0.4, 0.3, 0.85
"""Shares of the variants left that a step may have judged; the last one may have all."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What became of a policy that was taken apart."""

    hunks: Sequence[Hunk]
    comments: Sequence[Hunk]
    worths: Sequence[Worth]
    dead: Sequence[Idle]
    constants: Sequence[Idle]
    smallest: str


@dataclass(frozen=True, slots=True)
class _Smallest:
    """The smallest difference as a policy, with what came of it on the cases, and on those beside if there are any."""

    source: str
    cases: Evaluation
    beside: Evaluation | None
    note: str = ""


def explain(
    problem: Problem, executor: Executor, question: Question, tell: Callable[[str], None] = lambda _: None
) -> Explanation:
    """Returns what each part of a policy contributes, and the smallest difference that keeps its gain.

    ``tell`` hears how far it has come.

    Raises:
        EvolveError: the policy is the same code as the base, does not parse, or has no score on the cases.
    """
    _insist_on_difference(question)
    cases = cases_of(problem, question.cases)
    tell("judging the policy and the baselines")
    baselines = {baseline.name: baseline.source for baseline in problem.baselines()}
    known = judged(executor, question, baselines)
    measure = Measure(problem, cases, known.base, known.cases[known.rival.source], known.policy, question.tolerance)
    trials = _trials(executor, known, tell)
    parts = _taken_apart(trials, measure, question, _beside(problem, executor, known))
    tell("judging the smallest difference again, on fresh cases too, and every condition")
    small = _confirmed(executor, known, measure, parts.smallest)
    reached = scores(executor, known, small.source, small.cases, small.beside)
    conditions = sweep(problem, executor, question.source, known.rivals, CONDITIONS)
    return _put_together(known, measure, trials, parts, small, reached, conditions)


def _trials(executor: Executor, known: Judged, tell: Callable[[str], None]) -> Trials:
    question = known.question

    def told(spent: int) -> None:
        tell(f"{spent} variants judged of at most {question.evaluations}")

    trials = Trials(executor, question.cases, question.evaluations, told)
    trials.know(question.base.source, known.base)
    trials.know(question.source, known.policy)
    return trials


def _put_together(
    known: Judged,
    measure: Measure,
    trials: Trials,
    parts: _Parts,
    small: _Smallest,
    reached: Mapping[str, Scores],
    conditions: Sequence[Setting],
) -> Explanation:
    question, problem, cases = known.question, measure.problem, measure.cases
    return Explanation(
        problem=problem.name,
        number=question.number,
        base=question.base.name,
        cases=question.cases,
        number_of_cases=len(cases),
        searched=question.searched,
        noisy=measure.noisy,
        unsafe=any(found.unsafe for found in known.cases.values()),
        tolerance=question.tolerance,
        gain=measure.gain,
        rival=known.rival.name,
        lead=measure.lead,
        lead_kept=measure.kept(small.cases),
        scores=reached,
        fresh=question.fresh,
        whole=_size(question.base.source, question.source),
        smallest=_size(question.base.source, small.source),
        comments=_sized(parts.comments),
        hunks=tuple(parts.worths),
        dead=tuple(parts.dead),
        constants=tuple(parts.constants),
        evaluations=trials.spent,
        most=question.evaluations,
        exhausted=trials.exhausted,
        note=small.note,
        by_case=by_case(
            problem,
            cases,
            known.policy,
            small.cases,
            {name: known.cases[source] for name, source in known.baselines.items()},
            list(known.rivals),
        ),
        conditions=tuple(conditions),
        policy_sha256=sha256(question.source),
        minimised_sha256=sha256(small.source),
        base_source=question.base.source,
        policy=question.source,
        minimised=small.source,
    )


def _insist_on_difference(question: Question) -> None:
    try:
        same = normal.key(question.source) == normal.key(question.base.source)
    except SourceError as error:
        raise EvolveError(f"#{question.number} cannot be taken apart: {error}") from None
    if same:
        raise EvolveError(
            f"#{question.number} is the same code as {brief(question.base.name, 60)}: there is nothing to explain; "
            "give another ID, or another baseline with --against"
        )


def _beside(problem: Problem, executor: Executor, known: Judged) -> Beside | None:
    """Returns the cases beside; None where there are none, or the policy itself has no score there."""
    question = known.question
    if not question.beside or known.beside[question.source].score is None:
        return None
    sources = question.base.source, known.rival.source, question.source
    base, strongest, policy = (known.beside[source] for source in sources)
    cases = cases_of(problem, question.beside)
    return Beside(executor, Measure(problem, cases, base, strongest, policy, question.tolerance))


def _taken_apart(trials: Trials, measure: Measure, question: Question, beside: Beside | None) -> _Parts:
    base, policy = lines(question.base.source), lines(question.source)
    found = hunks(base, policy)
    coded = code(trials, base, found)
    worth = worths(trials, measure, base, found, coded)

    def same(variant: Evaluation) -> bool:
        return measure.same(variant, measure.policy)

    def also_same(variant: str) -> bool:
        return beside is None or beside.same(variant, question.source)

    bare = trimmed(trials, base, applied(base, found), same, trials.until(_TRIM), also_same)
    idle = constants(trials, base, bare, same, trials.until(_CONSTANTS))
    also_enough = beside.enough if beside is not None else _anything
    small = minimised(trials, base, bare.source, measure.enough, trials.until(_MINIMISE), also_enough)
    comments = [hunk for hunk in found if hunk not in coded]
    return _Parts(found, comments, worth, bare.dead, idle, _bare(trials, measure, base, small, beside))


def _anything(_: str) -> bool:
    return True


def _bare(trials: Trials, measure: Measure, base: Sequence[str], small: str, beside: Beside | None) -> str:
    """Returns the smallest policy without what does nothing in it any more."""
    (reached,) = trials.judge([small])
    if isinstance(reached, Fate):
        return small

    def same(variant: Evaluation) -> bool:
        return measure.same(variant, reached)

    def also(variant: str) -> bool:
        return beside is None or beside.same(variant, small)

    return trimmed(trials, base, small, same, trials.until(1.0), also).source


def _confirmed(executor: Executor, known: Judged, measure: Measure, small: str) -> _Smallest:
    """Judges the smallest policy again; where it does not stand, all of the policy takes its place."""
    question = known.question
    futures = {name: asked(executor, small, name) for name in (question.cases, question.beside) if name}
    again = {name: future.result() for name, future in futures.items()}
    cases, beside, note = again[question.cases], again.get(question.beside), ""
    for name, found in again.items():
        if found.score is None:
            note = f"it is {found.verdict} on the {brief(name, 40)} cases ({brief(found.feedback, 200)})"
    if not note and measure.enough(cases):
        return _Smallest(small, cases, beside)
    if not note and measure.noisy:
        return _Smallest(small, cases, beside, "judged again, it keeps less than that: what is measured is noisy")
    said = f"a smaller difference was found, but {note or 'judged again it does not keep the lead'}; all of it is kept"
    return _Smallest(question.source, known.policy, known.beside.get(question.source), said)


def _size(base: str, policy: str) -> Size:
    return _sized(hunks(lines(base), lines(policy), len(policy)))


def _sized(found: Sequence[Hunk]) -> Size:
    old, new = sum(len(hunk.old) for hunk in found), sum(len(hunk.new) for hunk in found)
    return Size(old, new, sum(map(words_changed, found)))
