"""A bench on a real GPU: has a process own it, and starts another one when a configuration takes that down.

A configuration that never comes back is TIMED_OUT, one that takes the process with it LOST: verdicts both, after which
the next one finds a fresh process.  Nothing that runs on the GPU shares a process with a judge.
"""

import threading
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

from evaluators.gpu import compilers
from evaluators.gpu.bench import Configuration, Device, GpuError, Shape, Status, Timing
from evaluators.gpu.compilers import Compilers
from evaluators.gpu.link import Ended, Link, Overdue
from evaluators.gpu.lock import PATIENCE_SECONDS

DEATHS = 4
"""Processes that may end in a row, each over what it was to time, before the GPU itself is looked at."""

Pair = tuple[Shape, Configuration]

PATIENCE: Mapping[str, float] = {
    "starting": 180.0,  # PyTorch from a cold disk, and CUDA
    "queueing": PATIENCE_SECONDS + 60.0,  # the lock loses patience first, and says why
    "setting up": 120.0,  # the reference in float64, on a GPU that is slow at that
    "running": 30.0,
}
"""Seconds for each phase of a request."""


class Owner:
    """Times the configurations of a workload, the module that ``workload`` names in full, on the first visible GPU.

    To be closed, or used as a context.  Threads that share it queue.

    Raises:
        GpuError: there is no GPU to measure on; the message says what to do.
    """

    def __init__(
        self,
        workload: str,
        *,
        server: str = "evaluators.gpu.server",
        compiler: str = "evaluators.gpu.compiler",
        patience: Mapping[str, float] = PATIENCE,
        compile_patience: Mapping[str, float] = compilers.PATIENCE,
    ) -> None:
        self._start = partial(Link, server, workload, patience)
        self._turn = threading.Lock()
        self._deaths, self._closed = 0, False
        self._fatal: dict[Pair, Timing] = {}
        self._link: Link | None = None
        self.device = self._opened()
        wanted = f"{workload}@{self.device.capability}"
        self._compilers = Compilers(partial(Link, compiler, wanted, compile_patience))

    @property
    def pid(self) -> int | None:
        """The process that owns the GPU at present."""
        return self._link.pid if self._link is not None else None

    def time(self, shape: Shape, configuration: Configuration) -> Timing:
        """Compiles, checks and times a configuration on a shape.

        Raises:
            GpuError: the GPU itself can no longer be used; a configuration that fails is a status.
        """
        with self._turn:
            self._check_open()
            if (pair := (shape, configuration)) in self._fatal:
                return self._fatal[pair]  # what took a process down once is not run again
            if said := self._compilers.compile(shape, configuration):
                return Timing(Status.UNLAUNCHABLE, message=said)
            timing = self._measured(["time", list(shape), list(configuration)])
            if timing.status in (Status.TIMED_OUT, Status.LOST):
                self._fatal[pair] = timing
                self._probe(shape)
            return timing

    def outside(self, shape: Shape) -> Timing:
        """Times the vendor's library on a shape; raises as ``time`` does."""
        with self._turn:
            self._check_open()
            return self._measured(["outside", list(shape)])

    def prepare(self, configurations: list[tuple[Shape, Configuration]]) -> None:
        """Compiles what will be timed ahead, on all cores; what fails fails again when it is timed."""
        with self._turn:
            self._check_open()
            self._compilers.prepare(configurations)

    def close(self) -> None:
        """Gives the GPU back."""
        if not self._closed:
            self._closed = True
            self._compilers.close()
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise GpuError("this bench was closed; open another one")

    def _opened(self) -> Device:
        """Starts a process and returns what it found."""
        self._link = self._start()
        try:
            answer = self._link.answer("starting")
            return _device(answer)
        except (Overdue, Ended) as error:
            self._drop()
            raise GpuError(f"the process that was to own the GPU did not start: {error}") from None
        except GpuError:
            self._drop()
            raise

    def _measured(self, request: list[Any]) -> Timing:
        if self._link is None:
            self._reopen()
        assert self._link is not None
        try:
            timing = _timing(self._link.ask(request, "queueing"))
        except Overdue as error:
            return self._after_overdue(error)
        except Ended as error:
            return self._after_death(Status.LOST, str(error))
        except GpuError:  # a whole answer, after which the process is still of use
            raise
        except BaseException:  # whoever waited was interrupted: the answer still to come must not be the next one's
            self._drop()
            raise
        self._deaths = 0
        return timing

    def _probe(self, shape: Shape) -> None:
        """Sees after several deaths in a row whether the GPU still does what it surely can; then none was its fault.

        Raises:
            GpuError: it does not.
        """
        if self._deaths >= DEATHS:
            died = self._deaths
            timing = self._measured(["outside", list(shape)])  # one that works ends the count
            if timing.status is not Status.OK:
                raise GpuError(
                    f"{died} processes in a row ended over what they were to time, and then the vendor's library "
                    f"failed, too: {timing.message}; does `nvidia-smi` still answer?"
                )

    def _reopen(self) -> None:
        device = self._opened()
        if device.name != self.device.name:
            self._drop()
            raise GpuError(f"the GPU has changed from {self.device.name} to {device.name}; begin anew")

    def _after_overdue(self, error: Overdue) -> Timing:
        """A process that hangs is killed; only what hangs in its own run is the configuration's fault."""
        if error.phase == "running":
            return self._after_death(Status.TIMED_OUT, str(error))
        self._drop()
        raise GpuError(f"the process that owns the GPU {error}; does `nvidia-smi` still answer?")

    def _after_death(self, status: Status, message: str) -> Timing:
        self._drop()
        self._deaths += 1
        return Timing(status, message=message)

    def _drop(self) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            link.close()


def open_bench(workload: str) -> Owner:
    """Opens a bench for the workload that a module is, ``evaluators.gemm_tiles.kernel`` say.

    Raises:
        GpuError: no PyTorch, no Triton, no GPU, or one that is too old or too full; in one line.
    """
    return Owner(workload)


def _device(answer: list[Any]) -> Device:
    if answer[0] == "unusable":
        raise GpuError(str(answer[1]))
    try:
        return Device(*answer[1:])
    except TypeError:
        raise Ended(f"it sent {answer[0]!r} where a device was expected") from None


def _timing(answer: list[Any]) -> Timing:
    """Returns the timing in an answer.

    Raises:
        Ended: the process says that it has lost the GPU, or what makes no sense.
        GpuError: the GPU cannot be used.
    """
    match answer:
        case ["timing", int(status), float(microseconds), float(spread), int(repeats), str(message)]:
            return Timing(Status(status), microseconds, spread, repeats, message)
        case ["unusable", str(message)]:
            raise GpuError(message)
        case ["lost", str(message)]:
            raise Ended(message)
    raise Ended(f"it sent {answer[0]!r} where a timing was expected")
