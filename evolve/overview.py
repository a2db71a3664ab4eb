"""What can be evolved: every problem with its baselines, judged on train, and with the best published result.

What was judged once is remembered for as long as neither the problem nor evolve changes.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

from evolve import catalog
from evolve.cases import CaseSet, basis_of, split_cases
from evolve.executors import Task
from evolve.executors.local import LocalExecutor, default_workers
from evolve.problem import Problem, Unready
from evolve.publication import shelf
from evolve.publication.result import Published
from evolve.remembered import Remembered
from evolve.standings import gap, standings
from evolve.types import Baseline, Evaluation, EvolveError

_Timed = tuple[float, Evaluation]
"""When an evaluation was there, and the evaluation."""


@dataclass(frozen=True, slots=True)
class Overview:
    """One problem in a few lines; ``seconds`` is what one evaluation of the reference takes.

    ``objectives`` are the names of its objectives where it has several: the first is what ``objective`` and all figures
    are of.  ``reference`` and ``bound`` are means of the metric over the train cases; ``gap`` is what the best baseline
    closes there.  ``basis`` is what scores rest on where that is no simulation.  Where ``unready`` says what the
    problem lacks to be judged, and how to get it, there are no scores.

    ``result`` names the best published result, with its score and the gap it closes on its sealed cases, as its record
    says; ``rival`` is the best baseline there; ``outdated``: the problem has changed since it was published.
    Where nothing was ``result_found`` it is a baseline itself.
    """

    problem: str
    about: str
    objective: str
    direction: str
    baselines: int
    objectives: tuple[str, ...] = ()
    reference_about: str = ""
    reference: float | None = None
    best_baseline: str = ""
    best_score: float | None = None
    bound: float | None = None
    gap: float | None = None
    seconds: float | None = None
    basis: str = ""
    unready: str = ""
    result: str = ""
    result_score: float | None = None
    result_gap: float | None = None
    result_proved: bool = False
    result_found: bool = False
    rival: str = ""
    rival_score: float | None = None
    outdated: bool = False


_NO_RESULT: Mapping[str, Any] = {
    "result": "",
    "result_score": None,
    "result_gap": None,
    "result_proved": False,
    "result_found": False,
    "rival": "",
    "rival_score": None,
    "outdated": False,
}


def overview(
    specs: Sequence[str] | None = None, *, fresh: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Overview]:
    """Yields every problem that comes with the package, or those of ``specs``, in order.

    Those are judged of which nothing is remembered, or all if it is to be ``fresh``; ``tell`` hears what is waited for.
    """
    memory = Remembered(Overview, "overview.json")
    problems = [catalog.load(spec) for spec in (catalog.names() if specs is None else specs)]
    yield from _finished([_Row(problem, memory, fresh=fresh) for problem in problems], tell)


def _finished(rows: Sequence["_Row"], tell: Callable[[str], None]) -> Iterator[Overview]:
    """Judges as many problems at a time as there are cores, each in a process of its own."""
    waiting, started = deque(rows), deque["_Row"]()
    try:
        while waiting or started:
            busy = [row for row in started if not row.done]
            if started and started[0].done:
                yield started.popleft().finish()
            elif waiting and len(busy) < default_workers():
                started.append(waiting.popleft())
                started[-1].start()
            else:
                names, left = ", ".join(row.problem.name for row in busy), len(waiting) + len(started)
                tell(f"judging the baselines of {names}; {left} of {len(rows)} problems to go")
                wait([row.last for row in busy], return_when=FIRST_COMPLETED)
    finally:
        for row in started:
            row.stop()


class _Row:
    """One problem on its way to an overview."""

    def __init__(self, problem: Problem, memory: Remembered[Overview], *, fresh: bool = False) -> None:
        self.problem = problem
        self._memory, self._fresh = memory, fresh
        self._known: Overview | None = None
        self._judging: _Judging | None = None

    def start(self) -> None:
        """Has the baselines judged, unless that is known, or something lacks for it."""
        self._known = None if self._fresh else self._remembered()
        if self._known is None:
            try:
                cases = split_cases(self.problem, "train")
                self._judging = _Judging(self.problem, cases, basis_of(self.problem, "train"))
            except Unready as lack:
                self._known = replace(_described(self.problem), unready=str(lack))

    def _remembered(self) -> Overview | None:
        with suppress(EvolveError):  # a problem that is not ready need not know its basis
            known = self._memory.get(self.problem.name, _key(self.problem, basis_of(self.problem, "train")))
            if known is not None and known.problem == self.problem.name:
                return replace(known, **_NO_RESULT)  # which result is best is for the shelf to tell
        return None

    @property
    def last(self) -> "Future[_Timed]":
        """The evaluation that ends it."""
        assert self._judging is not None
        return self._judging.futures[-1]

    @property
    def done(self) -> bool:
        """Whether nothing is left to wait for."""
        return self._judging is None or self.last.done()

    def finish(self) -> Overview:
        """Returns the overview, with the best result as it is now."""
        if self._known is None:
            assert self._judging is not None
            with self._judging.executor:
                self._known = self._judging.overview()
            self._memory.keep(self.problem.name, _key(self.problem, self._known.basis), self._known)
        return _with_result(self._known, self.problem)

    def stop(self) -> None:
        """Ends what is under way."""
        if self._judging is not None:
            self._judging.executor.close(at_once=True)


class _Judging:
    """The baselines of one problem, judged one after the other by one worker.

    The reference comes second: the time from the first's end to its own is that of one evaluation.
    """

    def __init__(self, problem: Problem, cases: CaseSet, basis: str) -> None:
        self._problem, self._cases, self._basis = problem, cases, basis
        self.executor = LocalExecutor(problem, 1, unsafe=True)  # baselines are as trusted as the problem itself
        reference, *others = problem.baselines()
        self._order = [*(others[:1] or [reference]), reference, *others[1:]]
        self.futures = [self._submit(baseline) for baseline in self._order]

    def _submit(self, baseline: Baseline) -> "Future[_Timed]":
        timed: Future[_Timed] = Future()
        self.executor.submit(Task(baseline.source)).add_done_callback(partial(_settle, timed))
        return timed

    def overview(self) -> Overview:
        """Returns the overview of what was judged, once all of it is."""
        problem, cases = self._problem, self._cases
        ends, evaluations = zip(*(future.result() for future in self.futures), strict=True)
        pairs = list(zip(self._order, evaluations, strict=True))
        (reference,) = standings(problem, cases, ["reference"], evaluations[1:2])
        best, evaluation = max(pairs[1:] + pairs[:1], key=lambda pair: pair[1].rank)
        return replace(
            _described(problem),
            reference=reference.mean,
            best_baseline=best.name,
            best_score=evaluation.score,
            bound=None if reference.bound is None else reference.bound.mean,
            gap=gap(problem, evaluation, cases.bounds),
            seconds=ends[1] - ends[0],
            basis=self._basis,
        )


def _settle(timed: "Future[_Timed]", judged: "Future[Evaluation]") -> None:
    """Passes an evaluation on with the moment at which it was there."""
    try:
        timed.set_result((time.perf_counter(), judged.result()))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the row is made
        timed.set_exception(error)


def _described(problem: Problem) -> Overview:
    """Returns what a problem says of itself."""
    baselines = problem.baselines()
    return Overview(
        problem.name,
        (problem.__doc__ or "").strip().partition("\n")[0].replace("``", "`"),
        problem.objective,
        problem.direction,
        len(baselines),
        objectives=tuple(problem.objectives),
        reference_about=baselines[0].about,
    )


def _with_result(row: Overview, problem: Problem) -> Overview:
    """Adds the best published result for the problem's first objective."""
    found = [
        published
        for published in shelf.of(problem.name, shelf.home())
        if published.result.objective.name == problem.chosen
    ]
    if not found:
        return row
    best = max(found, key=_worth)
    sealed = best.result.sealed
    return replace(
        row,
        result=best.name,
        result_score=sealed.found.sealed,
        result_gap=sealed.found.gap_closed,
        result_proved=best.result.proved,
        result_found=best.result.baseline is None,
        rival=sealed.best_baseline.policy,
        rival_score=sealed.best_baseline.sealed,
        outdated=best.result.versions.problem != catalog.digest(problem),
    )


def _worth(published: Published) -> tuple[bool, float]:
    """Orders results: what is proved stands above what is not."""
    return published.result.proved, published.result.sealed.found.sealed


def _key(problem: Problem, basis: str) -> str:
    return "\0".join((catalog.digest(problem), version("evolve"), basis))
