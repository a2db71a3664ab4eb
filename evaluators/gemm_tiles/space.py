"""The configurations of the matrix product that may be chosen on a shape, and why others may not.

The rules keep out what no GPU can launch and what nobody would try, so that all legal configurations of a shape, at
most 400 on a GPU with 227 KiB of shared memory, can be timed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product

from evaluators.gpu.bench import Configuration, Device

VALUES: Mapping[str, tuple[int, ...]] = {
    "block_m": (16, 32, 64, 128, 256),
    "block_n": (32, 64, 128, 256),
    "block_k": (32, 64, 128),
    "warps": (4, 8),
    "stages": (2, 3, 4),
    "split_k": (1, 2, 4, 8),
    "group_m": (1, 8),
}
"""What each part of a configuration may be."""

OPERAND_BYTES = 2
WARP = 32
LEAST_SHARED = 32 << 10
"""Bytes of operands that a program keeps in its pipeline at least: with fewer under way, memory is not kept busy."""

MOST_ACCUMULATORS = 128
"""Of float32 for each thread, of its 255 registers: more than that spills into memory."""

LEAST_ACCUMULATORS = 32
"""For each thread of a tile of 64 rows or more: fewer, and threads wait more than they compute."""

LEAST_ACCUMULATORS_LOW = 8
"""The same of a tile of 16 or 32 rows, which waits for memory anyway."""

LOW = 32
MOST_SPLIT_M = 256
MOST_SPLIT_WAVES = 4
LEAST_SPLIT_STEPS = 4


@dataclass(frozen=True, slots=True)
class Tiles:
    """How the kernel cuts a product up; the fields are in the order of a configuration in a table."""

    block_m: int
    block_n: int
    block_k: int
    warps: int
    stages: int
    split_k: int
    group_m: int

    @property
    def configuration(self) -> Configuration:
        """The numbers in their order, as a bench and a table know them."""
        return (
            self.block_m,
            self.block_n,
            self.block_k,
            self.warps,
            self.stages,
            self.split_k,
            self.group_m,
        )

    @property
    def shared_bytes(self) -> int:
        """What the tiles of A and B of all stages take of a multiprocessor's shared memory."""
        return (self.block_m + self.block_n) * self.block_k * OPERAND_BYTES * self.stages

    @property
    def accumulators(self) -> int:
        """How many sums each thread keeps in registers."""
        return self.block_m * self.block_n // (WARP * self.warps)

    def rows(self, m: int) -> int:
        """Returns how many tiles C has from top to bottom."""
        return -(-m // self.block_m)

    def programs(self, m: int, n: int) -> int:
        """Returns how many programs the kernel starts."""
        return self.rows(m) * -(-n // self.block_n) * self.split_k


KEYS = tuple(field.name for field in fields(Tiles))


@lru_cache(maxsize=64)
def tallest(m: int) -> int:
    """Returns the rows of the tallest tile that a product needs: m, rounded up to what tiles have."""
    return next((rows for rows in VALUES["block_m"] if rows >= m), VALUES["block_m"][-1])


@lru_cache(maxsize=64)
def lowest(m: int) -> int:
    """Returns the rows of the lowest tile worth trying: half of the tallest, or 64."""
    return max(VALUES["block_m"][0], min(64, tallest(m) // 2))


def why_illegal(tiles: Tiles, m: int, n: int, k: int, gpu: Device) -> str:
    """Returns the first rule that a configuration breaks on a shape, in words; empty where it is legal."""
    return _unlaunchable(tiles, gpu) or _unsuited(tiles, m, n, k, gpu)


@lru_cache(maxsize=256)
def legal(m: int, n: int, k: int, gpu: Device) -> tuple[Tiles, ...]:
    """Returns all legal configurations of a shape, in the order of their values."""
    return tuple(tiles for tiles in _launchable(gpu) if not _unsuited(tiles, m, n, k, gpu))


@lru_cache(maxsize=4)
def _launchable(gpu: Device) -> tuple[Tiles, ...]:
    every = (Tiles(*values) for values in product(*VALUES.values()))
    return tuple(tiles for tiles in every if not _unlaunchable(tiles, gpu))


def _unlaunchable(tiles: Tiles, gpu: Device) -> str:
    return _not_offered(tiles) or _registers(tiles) or _shared(tiles, gpu)


def _unsuited(tiles: Tiles, m: int, n: int, k: int, gpu: Device) -> str:
    return _height(tiles, m) or _split(tiles, m, n, k, gpu) or _group(tiles, m)


def _not_offered(tiles: Tiles) -> str:
    for name, value in zip(KEYS, tiles.configuration, strict=True):
        if value not in VALUES[name]:
            odd = name != "stages" and (value < 1 or value & (value - 1))
            said = "is not a power of two" if odd else "is not offered"
            return f"{name} {value} {said}; one of {', '.join(map(str, VALUES[name]))}"
    return ""


def _height(tiles: Tiles, m: int) -> str:
    low, high = lowest(m), tallest(m)
    if low <= tiles.block_m <= high:
        return ""
    return f"block_m {tiles.block_m} does not suit m = {m:,}: from {low} to {high}"


def _registers(tiles: Tiles) -> str:
    least = LEAST_ACCUMULATORS_LOW if tiles.block_m <= LOW else LEAST_ACCUMULATORS
    if least <= tiles.accumulators <= MOST_ACCUMULATORS:
        return ""
    return (
        f"a tile of {tiles.block_m} x {tiles.block_n} on {tiles.warps} warps has {tiles.accumulators} accumulators "
        f"a thread: from {least} to {MOST_ACCUMULATORS}"
    )


def _shared(tiles: Tiles, gpu: Device) -> str:
    needed = tiles.shared_bytes
    if needed > gpu.shared_bytes:
        return f"needs {needed:,} bytes of shared memory of {gpu.shared_bytes:,}"
    if needed < LEAST_SHARED:
        return f"has {needed:,} bytes of operands in its stages: at least {LEAST_SHARED:,}"
    return ""


def _split(tiles: Tiles, m: int, n: int, k: int, gpu: Device) -> str:
    split = tiles.split_k
    if split == 1:
        return ""
    if m > MOST_SPLIT_M:
        return f"split_k {split} with m = {m:,}: k is split only up to m = {MOST_SPLIT_M}"
    most = MOST_SPLIT_WAVES * gpu.multiprocessors
    if (programs := tiles.programs(m, n)) > most:
        return f"split_k {split} makes {programs:,} programs: k is split only up to {most:,}, 4 a multiprocessor"
    if (steps := -(-k // tiles.block_k) // split) < LEAST_SPLIT_STEPS:
        return f"split_k {split} leaves {steps} steps of block_k {tiles.block_k} to a program: at least 4"
    return ""


def _group(tiles: Tiles, m: int) -> str:
    if tiles.group_m == 1:
        return ""
    if tiles.rows(m) == 1:
        return f"group_m {tiles.group_m} with one row of tiles: there is nothing to group"
    if tiles.split_k > 1:
        return f"group_m {tiles.group_m} with split_k {tiles.split_k}: where k is split group_m is 1"
    return ""
