"""What a policy may import: a fixed list of the standard library, numpy, and what its problem names.

The zygote loads all of it beforehand, for a locked child can open no file.
"""

import ast
from collections.abc import Iterator

STANDARD = (
    "abc",
    "array",
    "bisect",
    "cmath",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "random",
    "re",
    "statistics",
    "string",
    "time",
    "types",
    "typing",
    "warnings",
)

NUMPY = (
    "numpy",
    "numpy.char",
    "numpy.dtypes",
    "numpy.exceptions",
    "numpy.fft",
    "numpy.lib",
    "numpy.lib.array_utils",
    "numpy.lib.mixins",
    "numpy.lib.scimath",
    "numpy.lib.stride_tricks",
    "numpy.linalg",
    "numpy.ma",
    "numpy.polynomial",
    "numpy.random",
    "numpy.rec",
    "numpy.strings",
    "numpy.typing",
)

_ALWAYS = ("__future__", "collections.abc")


class ForbiddenImport(ImportError):  # noqa: N818 - it reads as what it is
    """A policy imports what it may not; the message names what it may."""


def preloaded(extra: tuple[str, ...]) -> tuple[str, ...]:
    """Returns every module the zygote imports for policies of a problem with these ``imports``."""
    return (*STANDARD, *NUMPY, *_ALWAYS, *extra)


def check(name: str, extra: tuple[str, ...]) -> None:
    """Refuses a module unless it, or its top-level package, is on the list.

    Raises:
        ForbiddenImport: it is not.
    """
    top, tops = _top(name), {_top(module) for module in extra}
    if top not in STANDARD and top not in ("numpy", "__future__") and top not in tops:
        may = ", ".join(("numpy", *extra, *STANDARD))
        raise ForbiddenImport(f"policies may not import {top[:60]!r}; they may import: {may}")


def _top(name: str) -> str:
    return name.partition(".")[0]


def imported(tree: ast.Module) -> Iterator[str]:
    """Yields the name of every module that a policy's source imports, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
