"""A process that compiles a workload's kernels ahead into Triton's cache on disk, without using the GPU.

Triton asks its *driver* what to compile for.  Here that is one that names the GPU's architecture and does nothing
else, so that any number of these processes can run beside one that measures.
"""

import importlib
import os
from typing import Any, NoReturn

from evaluators.gpu.frames import Pipes
from evaluators.gpu.refusal import in_words

WARP = 32


class Architecture:
    """What Triton asks of a driver when a kernel is compiled and not launched."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def get_current_target(self) -> Any:
        """Returns what to compile for."""
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self._capability, WARP)

    def get_current_device(self) -> int:
        """Returns the number of a device; kernels are cached by it."""
        return 0

    def get_current_stream(self, device: int) -> int:  # noqa: ARG002 - as Triton calls it
        """Returns a stream, in which nothing is ever launched."""
        return 0


def main(pipes: Pipes, workload: str) -> NoReturn:
    """Compiles for the workload and the capability in ``module@9.0`` what it is asked for."""
    module, _, capability = workload.partition("@")
    os.nice(5)  # what puts kernels into the GPU's stream comes first
    target(capability)
    kernel: Any = importlib.import_module(module)
    pipes.send(["opened"])
    while True:
        what, shape, configuration = pipes.receive()
        pair = tuple(shape), tuple(configuration)
        pipes.send(
            ["variant", repr(kernel.variant(*pair))] if what == "variant" else ["compiled", compiled(kernel, *pair)]
        )


def target(capability: str) -> None:
    """Has Triton compile for a capability like ``9.0`` from now on."""
    from triton.runtime import driver

    chosen: Any = Architecture(int(capability.replace(".", "")))
    driver.set_active(chosen)


def compiled(kernel: Any, shape: tuple[int, ...], configuration: tuple[int, ...]) -> str:
    """Compiles one kernel; returns why it cannot be, empty where it was."""
    try:
        kernel.warm(shape, configuration)
    except Exception as error:  # noqa: BLE001 - a compiler may raise anything
        return in_words(error)
    return ""
