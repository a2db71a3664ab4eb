"""Runs the matrix product in Triton's interpreter, on the CPU, and prints what comes of it as JSON.

A process of its own, for Triton decides when it is imported whether it interprets.  Run by ``test_gemm_kernel``.
"""

import builtins
import json
import os
import sys
from itertools import product
from types import SimpleNamespace

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import torch
import triton
import triton.language as tl
from triton.runtime import interpreter

from evaluators.gemm_tiles import kernel
from evaluators.gpu.harness import Harness

# (m, n, k): whole tiles, one row, and sizes that are a multiple of nothing.
SIZES = ((32, 64, 64), (1, 48, 96), (37, 50, 70), (17, 33, 129), (65, 31, 15))
PLANS = ((16, 32, 32), (64, 64, 16))


def mend() -> None:
    """Fills two gaps of the interpreter of Triton 3.6: bfloat16 in a dot, and numbers of numpy 2.4 in a range.

    It gives its own globals to what it interprets, hence ``builtins``.
    """

    class AnyWhole(type):
        def __instancecheck__(cls, value):
            return isinstance(value, builtins.int)

    class Whole(int, metaclass=AnyWhole):
        def __new__(cls, value=0):
            return builtins.int(value.item() if isinstance(value, np.ndarray) else value)

    plain = interpreter.InterpreterBuilder.create_dot

    def widened(handle):
        if handle.dtype != tl.bfloat16:
            return handle
        return interpreter.TensorHandle((handle.data.astype(np.uint32) << 16).view(np.float32), tl.float32)

    def create_dot(self, a, b, *rest):
        return plain(self, widened(a), widened(b), *rest)

    interpreter.int = Whole
    interpreter.InterpreterBuilder.create_dot = create_dot


def error(shape, configuration) -> float:
    """Returns the relative error on poisoned memory; NaN where something was not written."""
    operands = kernel.inputs(shape, torch.Generator().manual_seed(3))
    out = kernel.output(shape, "cpu").fill_(float("nan"))
    size = kernel.workspace(shape, configuration)
    space = torch.full((size,), float("nan")) if size else None
    kernel.launch(operands, out, space, configuration)
    expected = operands[0].double() @ operands[1].double()
    return float((out.double() - expected).norm() / expected.norm())


def errors():
    for size, plan, split, group, dtype in product(SIZES, PLANS, (1, 2, 4), (1, 8), (0, 1)):
        yield [[*size, dtype], [*plan, 4, 2, split, group], error((*size, dtype), (*plan, 4, 2, split, group))]


@triton.jit
def scale(out, size, BLOCK: tl.constexpr):  # noqa: N803
    at = tl.arange(0, BLOCK)
    value = tl.load(out + at, mask=at < size).to(tl.float32)
    tl.store(out + at, (value * 1.5).to(out.dtype.element_ty), mask=at < size)


@triton.jit
def divide_by_zero(out):
    zero = tl.load(out).to(tl.float32) * 0.0
    tl.store(out, (zero / zero).to(out.dtype.element_ty))


@triton.jit
def add_to(out, other, size, BLOCK: tl.constexpr):  # noqa: N803
    at = tl.arange(0, BLOCK)
    there = tl.load(out + at, mask=at < size).to(tl.float32)
    value = there + tl.load(other + at, mask=at < size).to(tl.float32)
    tl.store(out + at, value.to(out.dtype.element_ty), mask=at < size)


def too_large(operands, out, space, configuration):
    kernel.launch(operands, out, space, configuration)
    scale[(1,)](out, out.numel(), BLOCK=4096)


def not_a_number(operands, out, space, configuration):
    kernel.launch(operands, out, space, configuration)
    divide_by_zero[(1,)](out)


def onto_what_is_there(operands, out, space, configuration):
    fresh = torch.empty_like(out)
    kernel.launch(operands, fresh, space, configuration)
    add_to[(1,)](out, fresh, out.numel(), BLOCK=4096)


class Watch:
    """Makes every launch and says that it took a millisecond."""

    def microseconds(self, launches):
        for launch in launches:
            launch()
        return 1000.0

    def wait(self):
        pass


def judged():
    """Yields what the harness says of the kernel and of planted ones."""
    shape, configuration = (21, 34, 50, 0), (16, 32, 16, 4, 2, 2, 1)
    anchor = (32, 32, 32, 4, 2, 1, 8)
    for name, launch in (
        ("right", kernel.launch),
        ("too large", too_large),
        ("not a number", not_a_number),
        ("onto what is there", onto_what_is_there),
    ):

        def either(operands, out, space, chosen, launch=launch):
            (kernel.launch if chosen == anchor else launch)(operands, out, space, chosen)

        played = SimpleNamespace(**{**vars(kernel), "launch": either, "anchor": lambda shape: anchor})
        clock = iter(range(1_000_000)).__next__
        harness = Harness(torch, played, Watch(), device="cpu", l2_bytes=0, clock=clock)
        timing = harness.time(shape, configuration)
        yield [name, timing.status.name, timing.message]


if __name__ == "__main__":
    mend()
    json.dump({"errors": list(errors()), "judged": list(judged())}, sys.stdout)
