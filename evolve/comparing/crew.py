"""The processes that search the cells of a comparison, several at a time; one that dies takes no other with it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from evolve.comparing.belonging import opened
from evolve.comparing.cell import Order, failure, validated
from evolve.comparing.folder import ComparisonFolder, ForeignRunError
from evolve.comparing.plan import Cell, Plan
from evolve.types import EvolveError

# The first thing a process asks is to die with the thread that waits for it (prctl(2), PR_SET_PDEATHSIG).
_BOOT = (
    "import ctypes, sys; ctypes.CDLL(None).prctl(1, 9); sys.path[:0] = sys.argv[3:]; "
    "from evolve.comparing.cell import main; main(sys.argv[1], int(sys.argv[2]))"
)

Ended = Callable[[Cell, str], None]
"""Hears that a cell has ended, and why if it failed."""


class Crew:
    """Searches cells in ``workers`` processes at a time."""

    def __init__(self, plan: Plan, folder: ComparisonFolder, workers: int) -> None:
        self._plan, self._folder, self._workers = plan, folder, workers
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def search(self, cells: Sequence[Cell], ended: Ended) -> dict[Cell, str]:
        """Searches all cells and returns why those failed that did.

        When it is interrupted all processes are ended; their runs can be resumed.
        """
        failures = {}
        with ThreadPoolExecutor(self._workers) as threads:
            try:
                waiting = {threads.submit(self._one, cell): cell for cell in cells}
                for future in as_completed(waiting):
                    cell, said = waiting[future], future.result()
                    if said:
                        failures[cell] = said
                    ended(cell, said)
            except BaseException:
                self._stop()
                threads.shutdown(wait=True, cancel_futures=True)
                raise
        return failures

    def _one(self, cell: Cell) -> str:
        """Searches one cell and returns why it failed, if it did."""
        try:
            order = self._order(cell)
        except ForeignRunError as taken:
            return str(taken)
        reading, writing = os.pipe()
        with os.fdopen(reading, encoding="utf-8", errors="replace") as said:
            try:
                process = self._started(order, writing)
            finally:
                os.close(writing)
            if process is None:
                return "stopped"
            message = said.read()
            status = process.wait()
        with self._lock:
            self._processes.discard(process)
        return failure(message, status)

    def _started(self, order: Order, writing: int) -> subprocess.Popen[bytes] | None:
        """Starts a process in a session of its own, for Ctrl-C is for the comparison, which ends its processes."""
        paths = [str(Path(entry).resolve()) for entry in sys.path if entry]
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, order.text(), str(writing), *paths],
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard output is for results
                pass_fds=(writing,),
                start_new_session=True,
            )
            self._processes.add(process)
            return process

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()

    def _order(self, cell: Cell) -> Order:
        plan, subject = self._plan, cell.subject
        return Order(
            folder=str(self._folder.run(cell).path),
            problem=subject.spec,
            objective=subject.objective,
            strategy=cell.entrant.spec,
            seed=cell.seed,
            evaluations=plan.evaluations,
            cases=plan.cases,
            unsafe=plan.unsafe,
        )


def is_done(folder: ComparisonFolder, plan: Plan, cell: Cell) -> bool:
    """Says whether a cell's search has ended and its best was judged on validation cases, which comes last.

    Raises:
        ForeignRunError: what lies in the cell's place is not its run.
    """
    try:
        with opened(folder, plan, cell) as journal:
            return validated(journal) is not None
    except ForeignRunError:
        raise
    except EvolveError:
        return False  # it has not begun, or its process says what is wrong with it
