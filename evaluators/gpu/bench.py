"""A bench: times a configuration of a kernel on a shape, on a real GPU."""

import enum
import math
from dataclasses import dataclass
from typing import Protocol

from evolve.types import EvolveError

Shape = tuple[int, ...]
"""What a kernel works on, as the problem's columns of its table say: sizes, and the number of a data type."""

Configuration = tuple[int, ...]
"""How it works on it: sizes of tiles, warps, stages."""


class GpuError(EvolveError):
    """There is no GPU to measure on, or it can no longer be used; the message says what to do."""


class Status(enum.IntEnum):
    """What came of timing a configuration on a shape.  The numbers are those in tables."""

    OK = 0
    ILLEGAL = 1  # the rules of the problem forbid it; it was never run
    UNLAUNCHABLE = 2  # the compiler or the GPU refuses it: shared memory, registers
    WRONG = 3  # the result differs from the reference, or holds what is no number
    TIMED_OUT = 4  # it did not come back in time
    LOST = 5  # it took the process that owns the GPU with it


@dataclass(frozen=True, slots=True)
class Timing:
    """What came of timing a configuration.

    ``microseconds`` is the median of a kernel's time, corrected for the drift of the GPU by a reference that ran in
    turns with it, and ``spread`` half the interquartile range as a share of it; both are NaN unless ``status`` is OK.
    ``message`` gives the reason where it is not.
    """

    status: Status
    microseconds: float = math.nan
    spread: float = math.nan
    repeats: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU and the software that drove it.

    ``shared_bytes`` is the most shared memory that one block may ask for.  ``copy_gbps`` (10^9 bytes a second read
    and written) and ``matmul_tflops`` (16-bit, the vendor's library) were measured on the device, not looked up.
    """

    name: str
    capability: str
    multiprocessors: int
    shared_bytes: int
    l2_bytes: int
    memory_bytes: int
    copy_gbps: float
    matmul_tflops: float
    driver: str
    cuda: str
    torch: str
    triton: str


class Bench(Protocol):
    """Times configurations of one kernel on one GPU."""

    @property
    def device(self) -> Device:
        """The GPU."""
        ...

    def time(self, shape: Shape, configuration: Configuration) -> Timing:
        """Compiles, checks and times a configuration on a shape.

        Raises:
            GpuError: the GPU itself can no longer be used; a configuration that fails is a status.
        """
        ...

    def outside(self, shape: Shape) -> Timing:
        """Times the vendor's library on a shape."""
        ...

    def prepare(self, configurations: list[tuple[Shape, Configuration]]) -> None:
        """Compiles what will be timed ahead, on all cores; what fails fails again when it is timed."""
        ...

    def close(self) -> None:
        """Gives the GPU back."""
        ...
