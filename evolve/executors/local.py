"""Worker processes on this machine, each with a judge, a zygote and a core of its own."""

import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from types import TracebackType
from typing import Self

from evolve import catalog
from evolve.cases import CaseSet, named_cases, split_cases
from evolve.executors import Task
from evolve.judge import Judge
from evolve.problem import SPLITS, Problem
from evolve.sandbox import Sandbox
from evolve.sandbox.lockdown import die_with_parent
from evolve.types import Evaluation, EvolveError


class LocalExecutor:
    """Judges policies of one problem in ``workers`` processes."""

    def __init__(self, problem: Problem, workers: int) -> None:
        if workers < 1:
            raise EvolveError(f"at least one worker must judge; got {workers}")
        context = multiprocessing.get_context("spawn")
        started = context.Value("i", 0)
        self._pool = ProcessPoolExecutor(workers, context, _start, (catalog.spec(problem), workers, started))

    def submit(self, task: Task) -> Future[Evaluation]:
        try:
            return self._pool.submit(_judge, task)
        except BrokenProcessPool as error:
            raise EvolveError("a worker has ended; was it killed, or is the machine out of memory?") from error

    def close(self, *, at_once: bool = False) -> None:
        workers = list((self._pool._processes or {}).values())  # the pool has no public way to end a busy worker
        self._pool.shutdown(wait=not at_once, cancel_futures=True)
        if at_once:
            for worker in workers:
                worker.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(at_once=error is not None)


class _Worker:
    """What one process keeps between tasks."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._sandbox = Sandbox(problem.imports)
        self._judges: dict[tuple[str, str], Judge] = {}

    def judge(self, task: Task) -> Evaluation:
        judge = self._judges.get((task.cases, task.secret))
        if judge is None:
            judge = Judge(cases_of(self._problem, task.cases, task.secret), self._sandbox)
            self._judges[task.cases, task.secret] = judge
        return judge.evaluate(task.source, confirm_above=task.confirm_above, isolated=task.isolated)


def cases_of(problem: Problem, name: str, secret: str = "") -> CaseSet:
    """Returns the cases of a split, of a named set or of a file."""
    return split_cases(problem, name, secret) if name in SPLITS else named_cases(problem, name)


_worker: _Worker | None = None  # one for each process; a pool's tasks have no other place to find it


def _start(spec: str, workers: int, started: "Synchronized[int]") -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends its workers
    die_with_parent()
    with started.get_lock():
        index = started.value
        started.value += 1
    _pin(index, workers)
    _worker = _Worker(catalog.load(spec))


def _pin(index: int, workers: int) -> None:
    """Keeps a worker and its children on one core: a wake-up across cores costs ten times more."""
    cores = sorted(os.sched_getaffinity(0))
    if workers <= len(cores):
        os.sched_setaffinity(0, {cores[index]})


def _judge(task: Task) -> Evaluation:
    assert _worker is not None
    return _worker.judge(task)
