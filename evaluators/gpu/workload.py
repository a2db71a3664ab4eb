"""What a module offers whose kernel is to be timed: the protocol between a problem's kernel and the harness."""

from collections.abc import Hashable
from typing import Any, Protocol

from evaluators.gpu.bench import Configuration, Shape

Tensor = Any
"""A ``torch.Tensor``; the project is type-checked without PyTorch."""

Operands = tuple[Tensor, ...]


class Workload(Protocol):
    """A module, named by its full name, that knows one kernel.

    Nothing that it launches waits for the GPU, allocates, or writes anything but ``out`` and ``space``.
    """

    TOLERANCE: float
    """The most that ``out`` may differ from ``reference``, as a share of its Frobenius norm."""

    def anchor(self, shape: Shape) -> Configuration:
        """Returns the fixed configuration that runs in turns with all others."""
        ...

    def inputs(self, shape: Shape, generator: Any) -> Operands:
        """Draws the operands on the device of a ``torch.Generator``, never zeros: those run faster than real data."""
        ...

    def output(self, shape: Shape, device: Any) -> Tensor:
        """Returns room for the result."""
        ...

    def reference(self, operands: Operands) -> Tensor:
        """Returns the result computed in float64; it may be kept in float32."""
        ...

    def workspace(self, shape: Shape, configuration: Configuration) -> int:
        """Returns how many float32 the configuration needs beside its result."""
        ...

    def launch(self, operands: Operands, out: Tensor, space: Tensor | None, configuration: Configuration) -> None:
        """Puts the kernel into the current stream; ``space`` is None where ``workspace`` is 0."""
        ...

    def vendor(self, operands: Operands, out: Tensor) -> None:
        """Puts the vendor's library into the current stream."""
        ...

    def variant(self, shape: Shape, configuration: Configuration) -> Hashable:
        """Returns what the machine code depends on: pairs with the same variant need one compilation."""
        ...

    def warm(self, shape: Shape, configuration: Configuration) -> None:
        """Compiles what ``launch`` will launch into Triton's cache on disk, without touching a GPU."""
        ...
