"""The matrix product that is timed: a Triton kernel that computes C = A @ B tile by tile, and what surrounds it.

A program computes one tile of C, or of one of ``split_k`` partial sums of it.  Where k is split the partial sums, in
float32, lie in a workspace until a second kernel adds them up, always in the same order: so the result is the same
every time, and the time of both kernels counts.

A workload in the sense of ``evaluators.gpu.workload``.  Only the process that owns the GPU and those that compile
import this module.
"""

from typing import Any

import torch
import triton
import triton.language as tl

from evaluators.gpu.bench import Configuration, Shape

Tensor = Any
"""A ``torch.Tensor``; the project is type-checked without PyTorch."""

DTYPES = (torch.bfloat16, torch.float16)
"""What the last number of a shape stands for."""

TOLERANCE = 1e-2
"""The most by which a result may differ from the product in float64, as a share of its Frobenius norm.

Rounding to bfloat16, with 8 bits of mantissa, costs about 2e-3; adding up in float32 next to nothing.
"""

REDUCE_BLOCK = 1024
REDUCE_WARPS = 4
_SLAB_ELEMENTS = 1 << 27
"""Elements that the float64 reference holds at once: a GiB."""


@triton.jit
def tile_of(program, rows, columns, GROUP_M: tl.constexpr):  # noqa: N803
    """Returns the row and the column, of so many of tiles, of the tile that a program computes.

    Bands of GROUP_M rows are walked column by column, so that programs that run at the same time share rows of A and
    columns of B in the L2.
    """
    band = program // (GROUP_M * columns)
    first = band * GROUP_M
    height = tl.minimum(rows - first, GROUP_M)
    within = program - band * GROUP_M * columns
    return first + within % height, within // height


@triton.jit(do_not_specialize=["m"])
def multiply(
    a,
    b,
    c,
    m,
    n,
    k,
    BLOCK_M: tl.constexpr,  # noqa: N803
    BLOCK_N: tl.constexpr,  # noqa: N803
    BLOCK_K: tl.constexpr,  # noqa: N803
    SPLIT_K: tl.constexpr,  # noqa: N803
    GROUP_M: tl.constexpr,  # noqa: N803
    WHOLE_K: tl.constexpr,  # noqa: N803
):
    """Computes one tile of one partial sum: ``a`` [m, k], ``b`` [k, n], ``c`` [SPLIT_K, m, n], all row-major.

    ``WHOLE_K`` promises that k is a multiple of BLOCK_K, so that no step needs a mask along k.  Not specialised on m,
    which differs from batch to batch; n and k are those of a layer, and their alignment decides how wide loads are.
    """
    part = tl.program_id(1)
    row_of_tiles, column_of_tiles = tile_of(tl.program_id(0), tl.cdiv(m, BLOCK_M), tl.cdiv(n, BLOCK_N), GROUP_M)
    top = row_of_tiles * BLOCK_M
    left = column_of_tiles * BLOCK_N

    # Which steps along k: as many for each part, but for the last ones.
    steps = tl.cdiv(k, BLOCK_K)
    each = tl.cdiv(steps, SPLIT_K)
    begin = part * each
    end = tl.minimum(begin + each, steps)

    row = tl.arange(0, BLOCK_M)
    column = tl.arange(0, BLOCK_N)
    step = tl.arange(0, BLOCK_K)
    row_in = (top + row < m)[:, None]
    column_in = (left + column < n)[None, :]
    # Where a tile begins is counted in 64 bits, for a matrix may have more than 2^31 elements; within a tile 32 do.
    start = begin.to(tl.int64) * BLOCK_K
    from_a = a + top.to(tl.int64) * k + start + (row[:, None] * k + step[None, :])
    from_b = b + start * n + left + (step[:, None] * n + column[None, :])

    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for at in range(begin, end):
        if WHOLE_K:
            tile_a = tl.load(from_a, mask=row_in, other=0.0)
            tile_b = tl.load(from_b, mask=column_in, other=0.0)
        else:
            left_over = k - at * BLOCK_K
            tile_a = tl.load(from_a, mask=row_in & (step < left_over)[None, :], other=0.0)
            tile_b = tl.load(from_b, mask=column_in & (step < left_over)[:, None], other=0.0)
        total = tl.dot(tile_a, tile_b, total)
        from_a += BLOCK_K
        from_b += BLOCK_K * n

    to_c = c + (part.to(tl.int64) * m + top) * n + left + (row[:, None] * n + column[None, :])
    tl.store(to_c, total.to(c.dtype.element_ty), mask=row_in & column_in)


@triton.jit
def add_up(partial, c, size, PARTS: tl.constexpr, BLOCK: tl.constexpr):  # noqa: N803
    """Adds up partial sums, ``partial`` [PARTS, size] in float32, into ``c`` [size], from the first to the last."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for part in tl.static_range(PARTS):
        total += tl.load(partial + part * tl.cast(size, tl.int64) + at, mask=inside, other=0.0)
    tl.store(c + at, total.to(c.dtype.element_ty), mask=inside)


def anchor(shape: Shape) -> Configuration:
    """Returns the fixed configuration, which runs on every GPU from compute capability 8.0 on.

    It is what ``seeds/gemm_tiles/reference.py`` chooses, and a test holds the two together.
    """
    block_m = min(128, max(16, triton.next_power_of_2(shape[0])))
    return block_m, 128, 32, 4, 4, 1, 8 if shape[0] > block_m else 1


def inputs(shape: Shape, generator: Any) -> tuple[Tensor, Tensor]:
    """Draws A and B from a normal distribution, with B scaled so that C stays about 1, far from where fp16 ends."""
    m, n, k, dtype = shape
    where: Any = {"generator": generator, "device": generator.device, "dtype": torch.float32}
    a = torch.randn((m, k), **where).to(DTYPES[dtype])
    b = torch.empty((k, n), device=generator.device, dtype=DTYPES[dtype])
    height = max(1, _SLAB_ELEMENTS // n)
    for at in range(0, k, height):
        slab = b[at : at + height]
        slab.copy_(torch.randn(slab.shape, **where) * k**-0.5)
    return a, b


def output(shape: Shape, device: Any) -> Tensor:
    """Returns room for C."""
    m, n, _, dtype = shape
    return torch.empty((m, n), device=device, dtype=DTYPES[dtype])


def workspace(shape: Shape, configuration: Configuration) -> int:
    """Returns how many float32 a configuration needs for partial sums."""
    split = configuration[5]
    return split * shape[0] * shape[1] if split > 1 else 0


def reference(operands: tuple[Tensor, Tensor]) -> Tensor:
    """Returns the product computed in float64 and kept in float32, which is far finer than any tolerance here."""
    a, b = operands
    wide = a.double()
    product = torch.empty((a.shape[0], b.shape[1]), device=a.device, dtype=torch.float32)
    width = max(1, _SLAB_ELEMENTS // max(a.shape[0], a.shape[1]))
    for at in range(0, b.shape[1], width):
        product[:, at : at + width] = wide @ b[:, at : at + width].double()
    return product


def launch(operands: tuple[Tensor, Tensor], out: Tensor, space: Tensor | None, configuration: Configuration) -> None:
    """Puts the kernel, or both of them, into the current stream; ``space`` is what ``workspace`` asked for."""
    a, b = operands
    m, k = a.shape
    n = b.shape[1]
    split = configuration[5]
    target = out if space is None else space
    meta = _meta(k, configuration)
    multiply[_grid(m, n, configuration)](a, b, target, m, n, k, **meta)
    if space is not None:
        size = m * n
        grid = (triton.cdiv(size, REDUCE_BLOCK),)
        add_up[grid](space, out, size, PARTS=split, BLOCK=REDUCE_BLOCK, num_warps=REDUCE_WARPS)


def vendor(operands: tuple[Tensor, Tensor], out: Tensor) -> None:
    """Puts the vendor's library, cuBLAS as PyTorch calls it, into the current stream."""
    torch.matmul(operands[0], operands[1], out=out)


def variant(shape: Shape, configuration: Configuration) -> tuple[Any, ...]:
    """Returns what the machine code depends on: pairs with the same variant need one compilation."""
    m, n, k, dtype = shape
    sums = _specialised(m * n) if configuration[5] > 1 else ""
    return (*configuration, dtype, k % configuration[2] == 0, _specialised(n), _specialised(k), sums)


def warm(shape: Shape, configuration: Configuration) -> None:
    """Compiles what ``launch`` will launch, without a GPU, or finds it in Triton's cache."""
    m, n, k, kind = shape
    dtype, split = DTYPES[kind], configuration[5]
    target = torch.float32 if split > 1 else dtype
    multiply.warmup(dtype, dtype, target, m, n, k, grid=(1, 1), **_meta(k, configuration))
    if split > 1:
        size = m * n
        add_up.warmup(torch.float32, dtype, size, PARTS=split, BLOCK=REDUCE_BLOCK, num_warps=REDUCE_WARPS, grid=(1,))


def _grid(m: int, n: int, configuration: Configuration) -> tuple[int, int]:
    """Returns the programs: all tiles along the first axis, which alone may have more than 65,535, then the parts."""
    block_m, block_n, split = configuration[0], configuration[1], configuration[5]
    return triton.cdiv(m, block_m) * triton.cdiv(n, block_n), split


def _meta(k: int, configuration: Configuration) -> dict[str, Any]:
    block_m, block_n, block_k, warps, stages, split_k, group_m = configuration
    return {
        "BLOCK_M": block_m,
        "BLOCK_N": block_n,
        "BLOCK_K": block_k,
        "SPLIT_K": split_k,
        "GROUP_M": group_m,
        "WHOLE_K": k % block_k == 0,
        "num_warps": warps,
        "num_stages": stages,
    }


def _specialised(size: int) -> str:
    """Returns what Triton compiles apart: sizes of 1, multiples of 16, and what takes more than 32 bits."""
    kind = "one" if size == 1 else "aligned" if size % 16 == 0 else "odd"
    return kind if size < 1 << 31 else f"{kind}, wide"
