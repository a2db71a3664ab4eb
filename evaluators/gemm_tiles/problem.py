"""The problem `gemm_tiles`: choose the tiles of a matrix product, for layers of language models on a GPU."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from evaluators.gemm_tiles.replay import NAME, Case, kernel_digest, plan, replayed, table
from evaluators.gemm_tiles.space import KEYS, Tiles, why_illegal
from evaluators.gemm_tiles.words import account, described, failure
from evaluators.gpu import store
from evaluators.gpu.bench import Device, GpuError, Shape, Status, Timing
from evaluators.gpu.live import Live, open_bench
from evaluators.gpu.sweep import sweep
from evaluators.gpu.table import Row, Table
from evolve.problem import Call, InvalidDecision, Problem, Simulation, Split, Unready
from evolve.types import EvolveError, Limits
from workloads.llm_layers import PRODUCTS

KERNEL = "evaluators.gemm_tiles.kernel"
LIVE = {"live": "train", "live-held-out": "test"}
"""The case sets that are measured now, and the split whose layers they have."""

QUICK = 12


class GemmTiles(Problem):
    """Write ``choose(m, n, k, dtype, gpu)``: how a GPU kernel cuts up one matrix product C[m, n] = A[m, k] B[k, n].

    The products are projections of language models: n and k are a layer's, m is the number of tokens in a pass, 1 to
    256 when it decodes and 512 to 4096 when it prefills.  ``dtype`` is "bf16" or "fp16".  ``gpu`` is a dict: ``name``,
    ``multiprocessors``, ``shared_kib`` (shared memory of a program at most), ``l2_mib``, ``memory_gib``, and as
    measured on it ``copy_gbps`` (10^9 bytes a second read and written by a copy) and ``matmul_tflops`` (of a large
    16-bit product by cuBLAS).

    Return a dict of seven ints: ``block_m`` and ``block_n``, the tile of C that a program computes; ``block_k``, how
    much of k it takes in a step; ``warps`` of 32 threads to a program; ``stages``, how many steps' tiles of A and B
    it has in shared memory, so that loads run ahead; ``split_k``, how many programs share a tile's k; ``group_m``, how
    many rows of tiles are walked together, column by column, so that programs that run at the same time share
    operands in the L2 cache.  The kernel is written in Triton, all matrices are row-major, and it sums up in float32;
    where split_k > 1 a second kernel adds up the partial sums from memory, and its time counts.

    ``microseconds`` is the time of the product; lower is better.  A configuration is illegal unless

    - block_m is 16, 32, 64, 128 or 256; block_n 32, 64, 128 or 256; block_k 32, 64 or 128; warps 4 or 8; stages 2, 3
      or 4; split_k 1, 2, 4 or 8; group_m 1 or 8
    - block_m is at most m rounded up to one of these (at most 256), and at least 64 or, where that is less, half of
      that (but 16 is always enough)
    - accumulators a thread, block_m * block_n / (32 * warps), are at most 128, and at least 32, or 8 where block_m is
      16 or 32
    - the stages' bytes, (block_m + block_n) * block_k * 2 * stages, are at least 32,768 and at most shared_kib * 1024
    - where split_k > 1: m is at most 256; programs, ceil(m / block_m) * ceil(n / block_n) * split_k, are at most 4
      times the multiprocessors; and ceil(k / block_k) // split_k is at least 4
    - where group_m is 8: there is more than one row of tiles (m > block_m), and split_k is 1

    A legal configuration that the GPU cannot launch, or whose result is wrong, is as bad as an illegal one.
    """

    objective: ClassVar[str] = "microseconds"
    direction = "minimize"
    held_out: ClassVar[bool] = True
    reserved: ClassVar[tuple[str, ...]] = ("live-held-out",)
    measured: ClassVar[tuple[str, ...]] = ("microseconds", "of_vendor")
    # To choose takes microseconds.  But a compiler may be slow, and others may be measuring on the same GPU.
    limits = Limits(cpu_seconds=2, call_seconds=1, step_seconds=900)

    def cases(self, split: Split) -> list[Case]:
        """Returns the 20 layers of a split with their recorded times; those of ``test`` are public.

        Raises:
            Unready: no table has been recorded here.
            TableError: the table that there is cannot be used.
        """
        return replayed(PRODUCTS[split.name], self._table)

    def simulate(self, case: Case) -> Simulation:
        """Yields one ``Call`` of ``choose`` and returns the time of what was chosen.

        Raises:
            Unready: the case is live and there is no GPU to measure on, or no longer.
        """
        product, row = case.product, case.recorded
        device, vendor = (row.device, row.vendor) if row else _ready(lambda: self._opened(case.shape))
        arguments = product.m, product.n, product.k, product.dtype, shown(device)
        tiles = parsed((yield Call("choose", *arguments, returns=dict[str, int])))
        if broken := why_illegal(tiles, product.m, product.n, product.k, device):
            raise InvalidDecision(broken)
        configuration = tiles.configuration
        if row:
            timing = row.timings.get(configuration, Timing(Status.ILLEGAL))
        else:
            timing = _ready(lambda: self._live.time(case.shape, configuration))
        if timing.status is not Status.OK:
            raise InvalidDecision(failure(tiles, timing))
        return _metrics(tiles, timing.microseconds, vendor, row)

    def bound(self, case: Case) -> float | None:
        """Returns the least recorded time of all legal configurations; None where times are measured now."""
        return case.recorded.best if case.recorded else None

    def summary(self, metrics: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
        """Returns the speed relative to the vendor's library, as a geometric mean; the bound alone has none."""
        shares = [case["of_vendor"] for case in metrics if "of_vendor" in case]
        return {"speed / cuBLAS": _geometric_mean(shares)} if shares else {}

    def feedback(self, case: Case, metrics: Mapping[str, float]) -> str:
        """Returns what was chosen, how far it is from the best recorded time, and what limits it."""
        tiles = Tiles(*(int(metrics[key]) for key in KEYS))
        times = f"{1 / metrics['of_vendor']:.2f} times cuBLAS's"
        if case.recorded:
            times = f"{1 / metrics['of_best']:.2f} times the best recorded and {times}"
        device = case.recorded.device if case.recorded else self._live.device
        return (
            f"{described(tiles)}: {metrics['microseconds']:.4g} us, {times}; "
            f"{account(case.product, tiles, metrics['microseconds'], device)}"
        )

    def label(self, case: Case) -> str:
        """Returns the model, the layer and the sizes."""
        return case.product.label

    def case_sets(self) -> Mapping[str, Sequence[Case]]:
        """Returns layers to measure now, those of train and the held-out ones; with a table ``quick``, 12 of train."""
        sets = {name: [Case(product, None) for product in PRODUCTS[split]] for name, split in LIVE.items()}
        with suppress(EvolveError):  # these need no table
            sets["quick"] = replayed(PRODUCTS["train"][:QUICK], self._table)
        return sets

    def basis(self, cases: str) -> str:
        """Returns whose times count; of live cases this opens the GPU.

        Raises:
            GpuError: there is none to use.
            Unready: there is no table.
        """
        if cases in LIVE:
            return f"measured live on {_of(self._live_device)}"
        known = self._table
        changed = "" if known.provenance.kernel == kernel_digest() else ", of another version of the kernel"
        again = f"95% of timings made again were within {known.repeatability.p95:.1%}"
        return f"replay of times recorded on {_of(known.device)}, table {known.digest[:8]} ({again}){changed}"

    def record(self, file: Path | None, tell: Callable[[str], None]) -> Path:
        """Times all legal configurations of all products on this machine's GPU and writes the table.

        Raises:
            GpuError: there is no GPU to use, or it was lost; what was timed is kept.
            RecordingError: what is kept was begun on another GPU or with other software.
            TableError: the table has no place there.
        """
        if file is not None:
            store.insist_on_place(file, NAME)  # before a GPU is kept busy
        bench = open_bench(KERNEL)
        try:
            out = file or store.user_folder() / store.file_name(NAME, bench.device)
            store.insist_on_place(out, NAME)
            sweep(plan(bench.device), bench, out, tell)
        finally:
            bench.close()
        if file is not None:
            tell(f"to replay it, have {store.VARIABLE}={out} in the environment")
        return out

    @cached_property
    def _table(self) -> Table:
        """The table; whatever becomes of its file, this problem's scores rest on one."""
        return table()

    @cached_property
    def _live(self) -> Live:
        return Live(KERNEL)

    @cached_property
    def _live_device(self) -> Device:
        """The GPU, opened to see what it is and given back, for it is other processes that judge."""
        bench = open_bench(KERNEL)
        try:
            return bench.device
        finally:
            bench.close()

    def _opened(self, shape: Shape) -> tuple[Device, float]:
        return self._live.device, self._live.vendor(shape)


def shown(device: Device) -> dict[str, Any]:
    """Returns what a policy sees of a GPU."""
    return {
        "name": device.name,
        "multiprocessors": device.multiprocessors,
        "shared_kib": device.shared_bytes >> 10,
        "l2_mib": device.l2_bytes >> 20,
        "memory_gib": device.memory_bytes >> 30,
        "copy_gbps": float(device.copy_gbps),
        "matmul_tflops": float(device.matmul_tflops),
    }


def parsed(decision: Mapping[str, int]) -> Tiles:
    """Returns the configuration that a policy has answered with.

    Raises:
        InvalidDecision: a key is missing, or one is none of them.
    """
    if missing := [key for key in KEYS if key not in decision]:
        raise InvalidDecision(f"lacks {', '.join(missing)}; expected {', '.join(KEYS)}")
    if len(decision) > len(KEYS):
        raise InvalidDecision(f"has {len(decision)} keys; expected only {', '.join(KEYS)}")
    return Tiles(**decision)


def _ready(measure: Callable[[], Any]) -> Any:
    """Returns what is measured; a GPU that cannot be used is nobody's decision's fault, so it ends the command."""
    try:
        return measure()
    except GpuError as error:
        raise Unready(str(error)) from error


def _metrics(tiles: Tiles, microseconds: float, vendor: float, row: Row | None) -> dict[str, float]:
    chosen = dict(zip(KEYS, tiles.configuration, strict=True))
    known = {"of_best": row.best / microseconds} if row else {}
    return {"microseconds": microseconds, **chosen, **known, "of_vendor": vendor / microseconds}


def _of(device: Device) -> str:
    return f"{device.name}, driver {device.driver}"


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values))
