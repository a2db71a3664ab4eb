"""Explains a policy: takes its difference from a baseline apart, and judges the parts."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from evolve import normal
from evolve.cases import cases_of
from evolve.executors import Executor, Task
from evolve.explaining.base import Base
from evolve.explaining.beside import Beside
from evolve.explaining.by_case import by_case
from evolve.explaining.explanation import Explanation, Scores, Size
from evolve.explaining.hunks import Hunk, applied, hunks, lines
from evolve.explaining.measure import Measure
from evolve.explaining.minimise import minimised, words_changed
from evolve.explaining.trials import Fate, Trials
from evolve.explaining.trim import Idle, constants, trimmed
from evolve.explaining.worth import Worth, code, worths
from evolve.problem import Problem
from evolve.robustness import sweep
from evolve.source import SourceError
from evolve.text import brief
from evolve.types import Evaluation, EvolveError

TOLERANCE, EVALUATIONS = 0.1, 300
FRESH = "fresh"
"""What cases are called that were drawn as sealed ones are, from a secret of this explanation's own."""

CONDITIONS = "validation"
"""The split whose cases are tried under every condition."""

_TRIM, _CONSTANTS, _MINIMISE = 0.4, 0.3, 0.85
"""Shares of the variants left that a step may have judged; the last one may have all."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be explained: a candidate against a base, on a split or case set, with at most so many variants.

    The smallest difference has to do on the cases ``beside`` as well, if there are any.  ``fresh`` is the secret of
    those that have no part in finding it; empty: there are none.  ``searched``: the search saw ``cases``.
    """

    number: int
    source: str
    base: Base
    cases: str
    beside: str = ""
    fresh: str = ""
    searched: bool = False
    tolerance: float = TOLERANCE
    evaluations: int = EVALUATIONS


@dataclass(frozen=True, slots=True)
class _Judged:
    """Evaluations with a child for each case: of sources on the cases, and on those beside."""

    cases: Mapping[str, Evaluation]
    beside: Mapping[str, Evaluation]


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
    judged = _judged(executor, question, list(baselines.values()))
    policy, base = judged.cases[question.source], judged.cases[question.base.source]
    rival = _rival(question, baselines, judged)
    measure = Measure(problem, cases, base, judged.cases[rival.source], policy, question.tolerance)
    trials = Trials(
        executor,
        question.cases,
        question.evaluations,
        lambda spent: tell(f"{spent} variants judged of at most {question.evaluations}"),
    )
    trials.know(question.base.source, base)
    trials.know(question.source, policy)
    beside = _beside(problem, executor, question, rival, judged)
    parts = _taken_apart(trials, measure, question, beside)
    tell("judging the smallest difference again, on fresh cases too, and every condition")
    small = _confirmed(executor, question, measure, judged, parts.smallest)
    rivals = _rivals(baselines, judged)
    conditions = sweep(problem, executor, question.source, rivals, CONDITIONS)
    sizes = _size(question.base.source, question.source), _size(question.base.source, small.source)
    scores = _scores(executor, question, rival, judged, small)
    return Explanation(
        problem=problem.name,
        number=question.number,
        base=question.base.name,
        cases=question.cases,
        number_of_cases=len(cases),
        searched=question.searched,
        noisy=measure.noisy,
        unsafe=any(found.unsafe for found in judged.cases.values()),
        tolerance=question.tolerance,
        gain=measure.gain,
        rival=rival.name,
        lead=measure.lead,
        lead_kept=measure.kept(small.cases),
        scores=scores,
        fresh=question.fresh,
        whole=sizes[0],
        smallest=sizes[1],
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
            policy,
            small.cases,
            {name: judged.cases[source] for name, source in baselines.items()},
            list(rivals),
        ),
        conditions=tuple(conditions),
        policy_sha256=sha256(question.source),
        minimised_sha256=sha256(small.source),
        base_source=question.base.source,
        policy=question.source,
        minimised=small.source,
    )


def sha256(source: str) -> str:
    """Returns the hash that a policy's text is known by."""
    return hashlib.sha256(source.encode()).hexdigest()


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


def _judged(executor: Executor, question: Question, baselines: Sequence[str]) -> _Judged:
    both = question.base.source, question.source
    asked = {source: _asked(executor, source, question.cases) for source in dict.fromkeys((*both, *baselines))}
    beside = {source: _asked(executor, source, question.beside) for source in asked if question.beside}
    cases = {source: future.result() for source, future in asked.items()}
    policy = cases[question.source]
    if policy.score is None:
        raise EvolveError(
            f"#{question.number} is {policy.verdict} on the {brief(question.cases, 40)} cases "
            f"({brief(policy.feedback, 300)}): without a score there is nothing to explain; give another ID"
        )
    return _Judged(cases, {source: future.result() for source, future in beside.items()})


def _asked(executor: Executor, source: str, cases: str, secret: str = "") -> Future[Evaluation]:
    return executor.submit(Task(source, 0.0, cases, secret))


def _beside(problem: Problem, executor: Executor, question: Question, rival: Base, judged: _Judged) -> Beside | None:
    """Returns the cases beside; None where there are none, or the policy itself has no score there."""
    if not question.beside or judged.beside[question.source].score is None:
        return None
    base, strongest, policy = (judged.beside[each] for each in (question.base.source, rival.source, question.source))
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


def _confirmed(executor: Executor, question: Question, measure: Measure, judged: _Judged, small: str) -> _Smallest:
    """Judges the smallest policy again; where it does not stand, all of the policy takes its place."""
    futures = {name: _asked(executor, small, name) for name in (question.cases, question.beside) if name}
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
    return _Smallest(question.source, judged.cases[question.source], judged.beside.get(question.source), said)


def _rivals(baselines: Mapping[str, str], judged: _Judged) -> dict[str, str]:
    """Returns the reference and the best baseline, by name."""
    best = max(baselines, key=lambda name: judged.cases[baselines[name]].rank)
    return {name: baselines[name] for name in dict.fromkeys(("reference", best))}


def _rival(question: Question, baselines: Mapping[str, str], judged: _Judged) -> Base:
    """Returns the best of the baselines that the policy beats; the base where it does not beat that."""
    policy, base = judged.cases[question.source], judged.cases[question.base.source]
    beaten = [name for name, source in baselines.items() if base.rank <= judged.cases[source].rank < policy.rank]
    best = max(beaten, key=lambda name: judged.cases[baselines[name]].rank, default=None)
    return question.base if best is None else Base(best, baselines[best])


def _scores(
    executor: Executor, question: Question, rival: Base, judged: _Judged, small: _Smallest
) -> dict[str, Scores]:
    """Returns the scores on the cases, beside, and on fresh ones, which are judged only now."""
    sources = question.base.source, rival.source, question.source
    asked = [_asked(executor, source, "test", question.fresh) for source in (*sources, small.source) if question.fresh]
    found = {question.cases: [*(judged.cases[source] for source in sources), small.cases]}
    if small.beside is not None:
        found[question.beside] = [*(judged.beside[source] for source in sources), small.beside]
    if asked:
        found[FRESH] = [future.result() for future in asked]
    return {name: Scores(*(evaluation.score for evaluation in four)) for name, four in found.items()}


def _size(base: str, policy: str) -> Size:
    return _sized(hunks(lines(base), lines(policy), len(policy)))


def _sized(found: Sequence[Hunk]) -> Size:
    old, new = sum(len(hunk.old) for hunk in found), sum(len(hunk.new) for hunk in found)
    return Size(old, new, sum(map(words_changed, found)))
