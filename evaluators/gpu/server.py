"""The process that owns the GPU: it answers a bench's requests one after another.

Whatever uses the GPU is done under the machine's lock for it, so that however many judges run, one measures at a time
and the others queue here.
"""

import importlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any, NoReturn, Protocol

from evaluators.gpu.bench import Configuration, Device, GpuError, Shape, Timing
from evaluators.gpu.frames import Pipes
from evaluators.gpu.harness import Lost
from evaluators.gpu.lock import GpuLock

Tell = Callable[[str], None]
"""Says which phase begins."""


class Measures(Protocol):
    """What a harness offers."""

    def compile(self, shape: Shape) -> None:
        """Compiles what the shape itself needs, without using the GPU."""
        ...

    def set_up(self, shape: Shape) -> None:
        """Makes a shape ready."""
        ...

    def time(self, shape: Shape, configuration: Configuration) -> Timing:
        """Times a configuration."""
        ...

    def outside(self, shape: Shape) -> Timing:
        """Times the vendor's library."""
        ...


class Owned:
    """A GPU that this process uses, with its lock and what measures on it."""

    def __init__(self, lock: GpuLock, tell: Tell) -> None:
        self._lock, self._tell = lock, tell

    @contextmanager
    def alone(self, phase: str) -> Iterator[None]:
        """Queues for the GPU, then begins a phase on it."""
        self._tell("queueing")
        with self._lock.held():
            self._tell(phase)
            yield

    def answer(self, measures: Measures, request: list[Any]) -> Timing:
        """Does what a request says, ``["time", shape, configuration]`` or ``["outside", shape]``."""
        what, shape, *rest = request
        self._tell("setting up")
        measures.compile(tuple(shape))  # before the queue, for others need not wait for a compiler
        with self.alone("setting up"):
            measures.set_up(tuple(shape))
            self._tell("running")
            if what == "outside":
                return measures.outside(tuple(shape))
            return measures.time(tuple(shape), tuple(rest[0]))


def main(pipes: Pipes, workload: str) -> NoReturn:
    """Serves with a real GPU and the harness."""
    serve(pipes, lambda tell: _open(workload, tell))


def serve(pipes: Pipes, opened: Callable[[Tell], tuple[Owned, Measures, Device]]) -> NoReturn:
    """Opens a GPU, says what it is, and answers requests until the pipe closes."""

    def tell(phase: str) -> None:
        pipes.send(["phase", phase])

    try:
        owned, measures, device = opened(tell)
    except GpuError as error:
        pipes.send(["unusable", str(error)])
        os._exit(1)
    pipes.send(["opened", *astuple(device)])
    while True:
        request = pipes.receive()
        try:
            timing = owned.answer(measures, request)
        except GpuError as error:
            pipes.send(["unusable", str(error)])
            continue
        except Lost as error:
            pipes.send(["lost", str(error)])
            os._exit(1)  # not an ordinary end, which would ask the GPU once more
        pipes.send(["timing", *astuple(timing)])


def _open(workload: str, tell: Tell) -> tuple[Owned, Measures, Device]:
    """Begins to use the GPU.  The inputs of a process are its own: fresh numbers for every bench."""
    from evaluators.gpu import device
    from evaluators.gpu.harness import Harness
    from evaluators.gpu.stopwatch import CudaEvents

    torch = device.open_gpu()
    watch = CudaEvents(torch)
    owned = Owned(GpuLock(device.uuid(torch)), tell)
    with owned.alone("starting"):
        found = device.examine(torch, watch)
    kernel: Any = importlib.import_module(workload)
    harness = Harness(torch, kernel, watch, l2_bytes=found.l2_bytes, seed=secrets.randbits(32))
    return owned, harness, found
