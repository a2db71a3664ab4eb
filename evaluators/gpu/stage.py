"""What a kernel is run on for one shape: operands, room for results, and what the result should be."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from evaluators.gpu.bench import Shape
from evaluators.gpu.workload import Operands, Tensor, Workload

Run = Callable[[Operands, Tensor], None]
"""Puts a kernel into the stream, from operands to a result."""

L2_SHARE = 2
"""How many times the L2 all sets together have at least, so that a set is out of it when its turn comes again."""

MOST_SETS = 256
"""Of a shape so small that even these stay in the L2, which is where such operands are found in practice, too."""

WORST = 10.0
"""How many times the tolerance a single number may be off, as a share of its size and of what is usual there."""

LAST = 3
"""Results of the last timed launches that are looked at once more."""

_SLAB_ELEMENTS = 1 << 27


class Stage:
    """Several *sets* of the same operands, each with room for a result, that launches use in rotation.

    The operands are drawn once and copied: a cache knows addresses, not values, so copies are as cold as other data
    would be, and one reference in float64 holds for all of them.

    Raises:
        torch.OutOfMemoryError: one set does not fit.
    """

    def __init__(self, torch: Any, workload: Workload, shape: Shape, generator: Any, l2_bytes: int) -> None:
        self._torch, self.shape = torch, shape
        operands = workload.inputs(shape, generator)
        device = operands[0].device
        self.reference = workload.reference(operands)
        self._norm = float(torch.linalg.vector_norm(self.reference, dtype=torch.float64))
        self._operands, self._results = [operands], [workload.output(shape, device)]
        # The anchor never writes where a candidate does: its right results would hide that others were not written.
        self.spare = workload.output(shape, device)
        self._at = 0
        self.last: list[Tensor] = []
        self._add_sets(partial(workload.output, shape, device), l2_bytes)

    def _add_sets(self, output: Callable[[], Tensor], l2_bytes: int) -> None:
        """Adds sets up to what the L2 calls for, or as many as memory holds."""
        a_set = sum(tensor.nbytes for tensor in (*self._operands[0], self._results[0]))
        wanted = min(MOST_SETS, max(2, math.ceil(L2_SHARE * l2_bytes / a_set)))
        for _ in range(wanted - 1):
            try:
                operands = tuple(tensor.clone() for tensor in self._operands[0])
                result = output()
            except self._torch.OutOfMemoryError:
                break
            self._operands.append(operands)
            self._results.append(result)

    def __len__(self) -> int:
        return len(self._results)

    @property
    def nbytes(self) -> int:
        """All memory that this holds."""
        operands = [tensor for a_set in self._operands for tensor in a_set]
        return sum(int(tensor.nbytes) for tensor in (*operands, *self._results, self.spare, self.reference))

    def first(self) -> tuple[Operands, Tensor]:
        """Returns a set."""
        return self._operands[0], self._results[0]

    def poison(self) -> None:
        """Fills all results with NaN, so that what a kernel leaves out is seen."""
        for result in self._results:
            result.fill_(math.nan)
        self.last = []

    def launches(self, run: Run, count: int) -> list[Callable[[], None]]:
        """Returns so many launches of a candidate on the next sets, and remembers the last results."""
        used = self._next(count)
        self.last = [self._results[at] for at in dict.fromkeys(reversed(used))][:LAST]
        return [partial(run, self._operands[at], self._results[at]) for at in used]

    def anchor_launches(self, run: Run, count: int) -> list[Callable[[], None]]:
        """Returns so many launches of the anchor on the next sets."""
        return [partial(run, self._operands[at], self.spare) for at in self._next(count)]

    def _next(self, count: int) -> list[int]:
        used = [(self._at + step) % len(self) for step in range(count)]
        self._at = (self._at + count) % len(self)
        return used

    def why_wrong(self, result: Tensor, tolerance: float) -> str:
        """Returns in what a result differs from the reference by more than is allowed; empty where it does not."""
        error = self._error(result)
        if error <= tolerance:  # false for NaN
            return ""
        if math.isfinite(error):
            return f"differs from the result in float64 by {error:.2g} of its norm; at most {tolerance:g} is allowed"
        bad = result.numel() - int(self._torch.isfinite(result).sum())
        return f"{bad:,} of {result.numel():,} numbers of the result are not finite, or were never written"

    def _error(self, result: Tensor) -> float:
        """Returns the Frobenius norm of what a result is off by, as a share of the reference's.

        Or, where that says more, a tenth of the worst number's: few wrong numbers among millions move no norm.
        """
        total = self._torch.zeros((), dtype=self._torch.float64, device=result.device)
        worst = self._torch.zeros((), dtype=self._torch.float32, device=result.device)
        typical = self._norm / math.sqrt(self.reference.numel())
        for rows in _slabs(result.shape):
            off = result[rows].to(self._torch.float32, copy=True)
            off -= self.reference[rows]
            total += self._torch.linalg.vector_norm(off, dtype=self._torch.float64) ** 2
            worst = self._torch.maximum(worst, (off.abs_() / (self.reference[rows].abs() + typical)).max())
        return max(math.sqrt(float(total)) / self._norm, float(worst) / WORST)


def _slabs(shape: Sequence[int]) -> list[slice]:
    """Returns slices of rows, few enough at once that float32 copies of them take half a GiB."""
    height = max(1, _SLAB_ELEMENTS // max(1, math.prod(shape[1:])))
    return [slice(at, at + height) for at in range(0, shape[0], height)]
