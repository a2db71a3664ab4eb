"""A process that judges: it answers tasks from a connection until that is closed."""

import logging
import os
import pickle
import socket
import sys
import traceback
from multiprocessing.connection import Connection
from typing import NoReturn

from evolve import catalog
from evolve.cases import basis_of, cases_of
from evolve.executors import Task, memory
from evolve.judge import Judge
from evolve.problem import Problem, Unready
from evolve.sandbox import Sandbox, SandboxError
from evolve.sandbox.failure import printable
from evolve.text import brief
from evolve.types import Evaluation, EvolveError

Answer = Evaluation | Exception
"""An evaluation, or what stopped the judge."""


def main(descriptor: int, spec: str, objective: str, where: str, how: str, most_bytes: str) -> NoReturn:
    """Answers every task in order and ends with the connection.

    ``objective`` names one where the problem has several.  ``where``: "pin" to a core or "float"; ``how``: "safe" or
    "unsafe"; ``most_bytes``: what it may hold.
    """
    logging.basicConfig(handlers=[_OneLineHandler()])
    core = claim_core() if where == "pin" else None
    worker = Worker(spec, core, int(most_bytes), objective=objective, unsafe=how == "unsafe")
    with Connection(descriptor) as connection:
        try:
            while True:
                connection.send_bytes(_packed(worker.answer(connection.recv())))
        except (EOFError, ConnectionError):  # the run has ended, or was killed
            pass
    os._exit(0)  # the zygote sees its socket closed and ends as well


class Worker:
    """Judges tasks of one problem; keeps a core, a sandbox, and a judge for each set of cases.

    While it judges it holds at most so many bytes: a simulator that a decision makes allocate more has a MemoryError.
    """

    def __init__(
        self, spec: str, core: socket.socket | None, most_bytes: int, *, objective: str = "", unsafe: bool = False
    ) -> None:
        self._spec, self._objective, self._unsafe = spec, objective, unsafe
        self._core, self._most_bytes = core, most_bytes
        self._problem: Problem | None = None
        self._sandbox: Sandbox | None = None
        self._judges: dict[tuple[str, str, bool], Judge] = {}

    def answer(self, task: Task) -> Answer:
        """Returns the evaluation; what went wrong in the judge or the problem is returned, not raised.

        A sandbox that fails is replaced, and what was to be judged in it is judged again, once.
        """
        try:
            try:
                return self._evaluation(task)
            except SandboxError:
                if self._sandbox is None:  # it did not even begin
                    raise
                self.close()
                return self._evaluation(task)
        except EvolveError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must hear of it
            error.add_note(f"in a worker:\n{traceback.format_exc()}")
            return error

    def close(self) -> None:
        """Ends the sandbox, if there is one."""
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = None
        self._judges.clear()  # they use it

    def _evaluation(self, task: Task) -> Evaluation:
        judge = self._judge(task)
        with memory.at_most(self._most_bytes):  # not before: the sandbox would inherit it
            return judge.evaluate(task.source, confirm_above=task.confirm_above, race=task.race)

    def _judge(self, task: Task) -> Judge:
        key = (task.cases, task.secret, task.unhurried)
        if key not in self._judges:
            if self._problem is None or self._sandbox is None:
                self._problem = catalog.load(self._spec, self._objective)
                self._sandbox = Sandbox(self._problem.imports, unsafe=self._unsafe)
            cases = cases_of(self._problem, task.cases, task.secret)
            if (basis := basis_of(self._problem, task.cases)) != task.basis:
                raise Unready(f"scores here have to rest on {task.basis}; since then it has become {basis}")
            limits = self._problem.limits.over(len(cases), proving=True).unhurried() if task.unhurried else None
            self._judges[key] = Judge(cases, self._sandbox, limits)
        return self._judges[key]


def claim_core(name: str = "evolve-core") -> socket.socket | None:
    """Keeps this process and its children on a core that no other worker has, of this run or another.

    A wake-up across cores costs ten times more.  The core is free again when the returned socket is
    closed; None: all cores are taken, and the process stays where the scheduler puts it.
    """
    for core in sorted(os.sched_getaffinity(0)):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0{name}-{core}")  # a name without a file, gone with the process
        except OSError:
            claim.close()
            continue
        os.sched_setaffinity(0, {core})
        return claim
    return None


def _packed(answer: Answer) -> bytes:
    try:
        return pickle.dumps(answer)
    except Exception:  # noqa: BLE001 - an exception of a problem's own need not be picklable
        return pickle.dumps(RuntimeError(f"{type(answer).__name__}: {answer}"))


class _OneLineHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes a message of each kind once, on one line: what happens to one candidate happens to hundreds."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._seen: set[str] = set()
        self._before = "\n" if sys.stderr.isatty() else ""  # leaves the progress line

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg not in self._seen:
            self._seen.add(record.msg)
            cause = f" ({_said(record.exc_info[1])})" if record.exc_info else ""
            self.stream.write(f"{self._before}{brief(f'{record.levelname}: {record.getMessage()}{cause}', 2000)}\n")
            self.stream.flush()


def _said(error: BaseException | None) -> str:
    """Returns what an exception says, cut and made inert, for it may carry what a policy decided."""
    try:
        return printable(repr(error))
    except Exception:  # noqa: BLE001 - such as a RecursionError
        return type(error).__name__
