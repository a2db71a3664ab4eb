"""The processes that compile for a bench, as many as there are cores, and what became of each kernel."""

import os
import queue
import threading
from collections.abc import Callable, Iterable

from evaluators.gpu.bench import Configuration, GpuError, Shape
from evaluators.gpu.link import Ended, Link, Overdue

PATIENCE = {"starting": 180.0, "asking": 60.0, "compiling": 120.0}
"""Seconds.  The largest tiles take some ten; a compiler that spills without end takes minutes."""

Pair = tuple[Shape, Configuration]


class Compilers:
    """Compiles kernels, each variant once; ``start`` starts a process that does."""

    def __init__(self, start: Callable[[], Link], count: int | None = None) -> None:
        self._start = start
        self._count = count or len(os.sched_getaffinity(0))
        self._idle: list[Link] = []
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def compile(self, shape: Shape, configuration: Configuration) -> str:
        """Compiles a kernel where that was not done; returns why it cannot be, empty where it can.

        Raises:
            GpuError: there is no process that compiles.
        """
        variant = self._variant(shape, configuration)
        if variant not in self._known:
            self._known[variant] = self._compiled((shape, configuration), again=True) or ""
        return self._known[variant]

    def prepare(self, pairs: Iterable[Pair]) -> None:
        """Compiles many on all cores, whose processes stay for the next time.

        What took its compiler with it may have been a victim of the rest, and is left for when it is timed.

        Raises:
            GpuError: there is no process that compiles.
        """
        tasks: queue.SimpleQueue[tuple[str, Pair]] = queue.SimpleQueue()
        seen = set(self._known)
        for pair in pairs:
            if (variant := self._variant(*pair)) not in seen:
                seen.add(variant)
                tasks.put((variant, pair))
        failures: list[GpuError] = []
        threads = [
            threading.Thread(target=self._work, args=(tasks, failures), daemon=True)
            for _ in range(min(self._count, tasks.qsize()))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def close(self) -> None:
        """Ends the processes."""
        while self._idle:
            self._idle.pop().close()

    def _work(self, tasks: "queue.SimpleQueue[tuple[str, Pair]]", failures: list[GpuError]) -> None:
        while not failures:
            try:
                variant, pair = tasks.get_nowait()
            except queue.Empty:
                return
            try:
                said = self._compiled(pair, again=False)
            except GpuError as error:
                failures.append(error)
                return
            if said is not None:
                self._known[variant] = said

    def _variant(self, shape: Shape, configuration: Configuration) -> str:
        link = self._borrow()
        try:
            answer = link.ask(["variant", list(shape), list(configuration)], "asking")
        except (Overdue, Ended) as error:
            link.close()
            raise GpuError(f"the process that compiles {error}") from None
        self._give_back(link)
        return str(answer[1])

    def _compiled(self, pair: Pair, *, again: bool) -> str | None:
        """Returns what is wrong with a kernel, empty if nothing is; None where that is not known."""
        link = self._borrow()
        try:
            answer = link.ask(["compile", *map(list, pair)], "compiling")
        except Overdue as error:
            link.close()
            return f"the compiler {error}"
        except Ended as error:
            link.close()
            return f"takes the compiler with it: {error}" if again else None
        self._give_back(link)
        return str(answer[1])

    def _borrow(self) -> Link:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        link = self._start()
        try:
            link.answer("starting")
        except (Overdue, Ended) as error:
            link.close()
            raise GpuError(f"no process that compiles: {error}") from None
        return link

    def _give_back(self, link: Link) -> None:
        with self._lock:
            self._idle.append(link)
