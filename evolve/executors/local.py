"""Worker processes on this machine, each with a judge and a sandbox of its own."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from evolve import catalog
from evolve.cases import basis_of
from evolve.executors import Task, memory
from evolve.patience import late
from evolve.problem import Problem, ProblemError
from evolve.types import PROVOKED, Evaluation, EvolveError, Verdict

_log = logging.getLogger(__name__)

AHEAD = 2
"""Tasks with a worker: one that it judges and one that it finds when it is done."""

DEATHS = 2
"""Workers that may die over one task before the run is stopped."""

CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE})
"""How a process ends by what it does itself; SIGKILL comes from outside."""

# The first thing a worker asks is to die with the thread that feeds it (prctl(2), PR_SET_PDEATHSIG).
_BOOT = (
    "import ctypes, sys; ctypes.CDLL(None).prctl(1, 9); sys.path[:0] = sys.argv[7:]; "
    "from evolve.executors.worker import main; main(int(sys.argv[1]), *sys.argv[2:7])"
)


def default_workers() -> int:
    """Returns one worker for each core this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(slots=True)
class _Job:
    task: Task
    future: Future[Evaluation] = field(default_factory=Future)
    deaths: list[int] = field(default_factory=list)

    def settle(self, answer: Evaluation | Exception) -> None:
        with suppress(InvalidStateError):  # it was cancelled
            if isinstance(answer, Exception):
                self.future.set_exception(answer)
            else:
                self.future.set_result(answer)


class LocalExecutor:
    """Judges policies of one problem in ``workers`` processes."""

    def __init__(self, problem: Problem, workers: int, *, unsafe: bool = False) -> None:
        if workers < 1:
            raise EvolveError(f"at least one worker must judge; got {workers}")
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._basis = cache(partial(basis_of, problem))
        pin = workers <= default_workers()
        how = (problem.chosen, "pin" if pin else "float", "unsafe" if unsafe else "safe", str(memory.share(workers)))
        self._keepers = [_Keeper(self._jobs, problem, how) for _ in range(workers)]
        for keeper in self._keepers:
            keeper.start()

    def submit(self, task: Task) -> Future[Evaluation]:
        job = _Job(replace(task, basis=self._basis(task.cases)))
        self._jobs.put(job)
        return job.future

    def close(self, *, at_once: bool = False) -> None:
        if at_once:
            for keeper in self._keepers:
                keeper.kill()
        self._jobs.put(None)
        for keeper in self._keepers:
            keeper.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(at_once=error is not None)


class _Keeper(threading.Thread):
    """Feeds one worker process, whose ``main`` takes ``how``, from the common queue, and replaces it when it dies."""

    def __init__(self, jobs: "SimpleQueue[_Job | None]", problem: Problem, how: Sequence[str]) -> None:
        super().__init__(name="keeper of a worker", daemon=True)
        self._jobs, self._problem, self._how = jobs, problem, how
        self._sent: deque[_Job] = deque()
        self._lock = threading.Lock()
        self._killed = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while not self._killed and not self._serve():
            pass
        for job in self._sent:
            job.future.cancel()

    def kill(self) -> None:
        """Ends the worker at once and the thread with it."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _serve(self) -> bool:
        """Feeds one worker; returns whether all work is done, False when the worker has died."""
        with self._lock:
            if self._killed:
                return True
            connection, self._process = _start(catalog.spec(self._problem), self._how)
        try:
            for job in self._sent:  # what the worker before this one did not come to
                connection.send_bytes(pickle.dumps(job.task))
            while self._fill(connection):
                answer = pickle.loads(connection.recv_bytes())  # noqa: S301 - from a process of ours
                self._sent.popleft().settle(answer)
        except (EOFError, OSError):
            self._blame(self._process.wait())
            return False
        finally:
            connection.close()
            self._process.wait()
        return True

    def _fill(self, connection: Connection) -> bool:
        """Keeps tasks with the worker, waiting for one if it has none; returns whether it has any."""
        while len(self._sent) < AHEAD:
            try:
                job = self._jobs.get(block=not self._sent)
            except Empty:
                break
            if job is None:
                self._jobs.put(None)  # for the other keepers
                break
            self._sent.append(job)
            connection.send_bytes(pickle.dumps(job.task))
        return bool(self._sent)

    def _blame(self, status: int) -> None:
        """Notes the death of a worker against the task it was at; another may try again, unless it is known why."""
        if not self._sent or self._killed:
            return
        job = self._sent[0]
        job.deaths.append(-status)
        if status == -signal.SIGPROF:
            self._sent.popleft().settle(self._overdue(job.task))
        elif len(job.deaths) == DEATHS:
            self._sent.popleft().settle(self._crashed(job))

    def _overdue(self, task: Task) -> Evaluation | ProblemError:
        """Returns what comes of a simulator that the kernel had to end: ``Patience`` had run out in vain."""
        name, what = self._problem.name, late(self._problem.limits.step_seconds)
        if task.source == self._problem.baselines()[0].source:
            return ProblemError(f"{name}: the simulator {what} with the reference, so there is nothing to compare with")
        return self._provoked(f"{what} and was killed")

    def _crashed(self, job: _Job) -> Evaluation | EvolveError:
        """Returns what comes of a policy over which every worker died.

        Policies run elsewhere, so what crashed is a simulator's code in C, over a decision.  A baseline that does
        that is for people to look at, and so is whatever was killed from outside.
        """
        baselines = {baseline.source for baseline in self._problem.baselines()}
        if CRASHES.issuperset(job.deaths) and job.task.source not in baselines:
            return self._provoked(f"crashed ({signal.Signals(job.deaths[-1]).name})")
        said = "were they killed, or is the machine out of memory?"
        return EvolveError(f"{DEATHS} worker processes died over the same policy; {said}")

    def _provoked(self, what: str) -> Evaluation:
        _log.error("a decision provoked a bug of %s: its simulator %s", self._problem.name, what)
        return Evaluation(Verdict.INVALID, feedback=f"{PROVOKED}: its simulator {what}")


def _start(spec: str, how: Sequence[str]) -> tuple[Connection, subprocess.Popen[bytes]]:
    """Starts a worker in a session of its own, for Ctrl-C is for the run, which ends its workers."""
    ours, theirs = Pipe()
    paths = [str(Path(entry).resolve()) for entry in sys.path if entry]
    arguments = [str(theirs.fileno()), spec, *how, *paths]
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output is for results
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    return ours, process
