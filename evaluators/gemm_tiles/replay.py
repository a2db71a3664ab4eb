"""The recorded table of this problem: what it must hold, where it is, and the cases that are made from it."""

import ast
import hashlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from evaluators.gemm_tiles.space import VALUES, legal
from evaluators.gpu import store
from evaluators.gpu.bench import Device, Shape
from evaluators.gpu.sweep import Plan
from evaluators.gpu.table import Row, Table
from evolve.problem import Unready
from workloads.llm_layers import PRODUCTS, Product

NAME = "gemm_tiles"
COLUMNS = ("m", "n", "k", "dtype")
DTYPES = ("bf16", "fp16")
"""A type's place is its number in a shape."""


@dataclass(frozen=True)
class Case:
    """A product, with the recorded times of its configurations; None: they are measured now."""

    product: Product
    recorded: Row | None

    @property
    def shape(self) -> Shape:
        """The product as a bench knows it."""
        return shape_of(self.product)


def shape_of(product: Product) -> Shape:
    """Returns the product as a bench and a table know it."""
    return product.m, product.n, product.k, DTYPES.index(product.dtype)


def plan(device: Device) -> Plan:
    """Returns what is recorded on a device: every legal configuration of every product."""
    return Plan(
        problem=NAME,
        columns=COLUMNS,
        knobs=tuple(VALUES),
        legal={
            shape_of(product): [tiles.configuration for tiles in legal(product.m, product.n, product.k, device)]
            for products in PRODUCTS.values()
            for product in products
        },
        kernel=kernel_digest(),
        engine=importlib.metadata.version("evolve"),
    )


def kernel_digest() -> str:
    """Returns a hash of the code that is timed, whatever its comments and docstrings say."""
    tree = ast.parse(Path(__file__).with_name("kernel.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef):
            node.body = [step for step in node.body if not _is_text(step)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _is_text(step: ast.stmt) -> bool:
    return isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)


def table() -> Table:
    """Returns the table to replay.

    Raises:
        Unready: there is none, or it lacks some of what may be chosen.
        TableError: it cannot be used.
    """
    file = store.find(NAME)
    if file is None:
        raise Unready(
            f"{NAME} replays recorded times, and no table of them has been recorded here: run "
            f"`evolve gpu record {NAME}` on a machine with an NVIDIA GPU, or have {store.VARIABLE} name a "
            "recorded file; `--cases live` measures on this machine's GPU and needs none"
        )
    about = file.stat()
    return _checked(file, about.st_mtime_ns, about.st_size)


def replayed(products: Sequence[Product], known: Table) -> list[Case]:
    """Returns products with their recorded times."""
    return [Case(product, known.row(shape_of(product))) for product in products]


@lru_cache(maxsize=4)
def _checked(file: Path, changed: int, size: int) -> Table:  # noqa: ARG001 - a file that has changed is read again
    """Returns the table in a file, which must hold all that may be chosen.

    Raises:
        Unready: it was recorded for other products or rules, or in part.
        TableError: it holds no table.
    """
    known = store.load(file, NAME)
    wanted = plan(known.device).legal
    recorded = {shape: known.row(shape).timings for shape in known.shapes}
    whole = [shape for shape, tiles in wanted.items() if recorded.get(shape, {}).keys() >= set(tiles)]
    if len(whole) < len(wanted):
        raise Unready(
            f"{file} covers {len(whole)} of the {len(wanted)} products of {NAME}, and scores need all: "
            f"record it again with `evolve gpu record {NAME}`"
        )
    return known
