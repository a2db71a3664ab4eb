"""What is said of a configuration on a shape: what became of it, how fast it was and what holds it back."""

from evaluators.gemm_tiles.space import OPERAND_BYTES, Tiles
from evaluators.gpu.bench import Device, Status, Timing
from workloads.llm_layers import Product

MUCH_PADDING = 0.15
FEW_WAVES = 3

_BECAME = {
    Status.ILLEGAL: "was not recorded",
    Status.UNLAUNCHABLE: "cannot be launched on this GPU",
    Status.WRONG: "gives a wrong result",
    Status.TIMED_OUT: "did not come back in time",
    Status.LOST: "took the process that runs kernels with it",
}


def failure(tiles: Tiles, timing: Timing) -> str:
    """Returns why a legal configuration has no time."""
    because = f": {timing.message}" if timing.message else ""
    return f"{described(tiles)} {_BECAME[timing.status]}{because}"


def described(tiles: Tiles) -> str:
    """Returns a configuration in a few words."""
    block_m, block_n, block_k, warps, stages, split_k, group_m = tiles.configuration
    return (
        f"tiles of {block_m} x {block_n} x {block_k}, {warps} warps, {stages} stages, "
        f"split_k {split_k}, group_m {group_m}"
    )


def account(product: Product, tiles: Tiles, microseconds: float, device: Device) -> str:
    """Returns the rates that a configuration reaches, which of them limits the product, and what keeps it back."""
    m, n, k = product.m, product.n, product.k
    gbps = OPERAND_BYTES * (m * k + k * n + m * n) / microseconds / 1e3
    tflops = 2 * m * n * k / microseconds / 1e6
    memory, arithmetic = gbps / device.copy_gbps, tflops / device.matmul_tflops
    limit = "memory" if memory > arithmetic else "arithmetic"
    return (
        f"{limit} is the limit: {gbps:,.0f} GB/s, {memory:.0%} of a copy, and {tflops:,.1f} TFLOPS, "
        f"{arithmetic:.0%} of a large product; {_occupation(product, tiles, device)}"
    )


def _occupation(product: Product, tiles: Tiles, device: Device) -> str:
    programs, multiprocessors = tiles.programs(product.m, product.n), device.multiprocessors
    said = [f"{programs:,} programs on {multiprocessors} multiprocessors"]
    if programs < multiprocessors:
        said.append("the others idle")
    elif programs < FEW_WAVES * multiprocessors and programs % multiprocessors:
        said.append(f"of the last wave {programs % multiprocessors / multiprocessors:.0%} is used")
    covered = programs // tiles.split_k * tiles.block_m * tiles.block_n
    if (outside := 1 - product.m * product.n / covered) > MUCH_PADDING:
        said.append(f"{outside:.0%} of its tiles lies outside C")
    return ", ".join(said)
