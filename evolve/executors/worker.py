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
from evolve.cases import cases_of
from evolve.executors import Task
from evolve.judge import Judge
from evolve.problem import Problem
from evolve.sandbox import Sandbox
from evolve.types import Evaluation, EvolveError

Answer = Evaluation | Exception
"""An evaluation, or what stopped the judge."""


def main(descriptor: int, spec: str, pin: bool) -> NoReturn:
    """Answers every task in order and ends with the connection."""
    logging.basicConfig(handlers=[_OneLineHandler()])
    worker = Worker(spec, claim_core() if pin else None)
    with Connection(descriptor) as connection:
        try:
            while True:
                connection.send_bytes(_packed(worker.answer(connection.recv())))
        except (EOFError, ConnectionError):  # the run has ended, or was killed
            pass
    os._exit(0)  # the zygote sees its socket closed and ends as well


class Worker:
    """Judges tasks of one problem; keeps a core, a sandbox, and a judge for each set of cases."""

    def __init__(self, spec: str, core: socket.socket | None) -> None:
        self._spec, self._core = spec, core
        self._problem: Problem | None = None
        self._sandbox: Sandbox | None = None
        self._judges: dict[tuple[str, str], Judge] = {}

    def answer(self, task: Task) -> Answer:
        """Returns the evaluation; what went wrong in the judge or the problem is returned, not raised."""
        try:
            judge = self._judge(task)
            return judge.evaluate(task.source, confirm_above=task.confirm_above)
        except EvolveError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must hear of it
            error.add_note(f"in a worker:\n{traceback.format_exc()}")
            return error

    def _judge(self, task: Task) -> Judge:
        key = (task.cases, task.secret)
        if key not in self._judges:
            if self._problem is None or self._sandbox is None:
                self._problem = catalog.load(self._spec)
                self._sandbox = Sandbox(self._problem.imports)
            self._judges[key] = Judge(cases_of(self._problem, *key), self._sandbox)
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
            cause = f" ({record.exc_info[1]!r})" if record.exc_info else ""
            self.stream.write(f"{self._before}{record.levelname}: {record.getMessage()}{cause}\n")
            self.stream.flush()
