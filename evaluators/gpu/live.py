"""Live timing: the bench of this process, opened when it is first needed."""

import importlib
from functools import cached_property

from evaluators.gpu.bench import Bench, Configuration, Device, GpuError, Shape, Status, Timing


def open_bench(workload: str) -> Bench:
    """Returns a bench for the kernel of a module; only now is what drives GPUs imported.

    Raises:
        GpuError: there is no GPU that can be used; one line says why.
    """
    owner = importlib.import_module("evaluators.gpu.owner")
    bench: Bench = owner.open_bench(workload)
    return bench


class Live:
    """Times configurations of the kernel of a module on this machine's GPU, one after the other.

    Whatever is asked first raises GpuError where there is no GPU to use.
    """

    def __init__(self, workload: str) -> None:
        self._workload = workload
        self._vendor: dict[Shape, float] = {}

    @property
    def device(self) -> Device:
        """The GPU."""
        return self._bench.device

    def time(self, shape: Shape, configuration: Configuration) -> Timing:
        """Returns what comes of a configuration on a shape now."""
        return self._bench.time(shape, configuration)

    def vendor(self, shape: Shape) -> float:
        """Returns the microseconds of the vendor's library on a shape, timed once."""
        if shape not in self._vendor:
            timing = self._bench.outside(shape)
            if timing.status is not Status.OK:
                raise GpuError(f"the vendor's library failed on {shape}: {timing.status.name}, {timing.message}")
            self._vendor[shape] = timing.microseconds
        return self._vendor[shape]

    @cached_property
    def _bench(self) -> Bench:
        return open_bench(self._workload)
