"""Numeric constants of a policy: which of them may change, and how numbers are written."""

import ast
from collections.abc import Iterator

COUNTED = frozenset({"range", "arange", "enumerate", "islice", "pow", "randrange", "sample", "default_rng", "Random"})
"""What takes counts and seeds."""

SHAPED = frozenset({"reshape", "zeros", "ones", "empty", "eye", "transpose", "swapaxes", "expand_dims", "squeeze"})
"""What takes shapes and axes of arrays."""

_ALONG = frozenset(
    (
        *("sum", "mean", "std", "var", "prod", "cumsum", "cumprod", "any", "all", "argmax", "argmin", "argsort"),
        *("sort", "repeat", "tile", "take_along_axis", "put_along_axis", "concatenate", "stack", "flip", "roll"),
        *("partition", "argpartition", "split", "bincount", "lexsort", "norm", "full", "astype", "unique", "diff"),
    )
)
_METHODS = frozenset({"min", "max"})  # take axes as methods, and numbers as functions
_STRUCTURE = frozenset({"axis", "axes", "shape", "size", "minlength", "ndmin", "ddof", "kth", "k", "n", "seed"})
_LEAST, _MOST = 1e-12, 2**53  # beyond them a number is a mark, such as infinity, rather than a quantity


def number(node: ast.AST) -> float | None:
    """Returns the value of a numeric literal, with its sign; None for everything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = number(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        literal: float = node.value  # type: ignore[assignment]
        return literal if literal == 0 or _LEAST < abs(literal) < _MOST else None
    return None


def tunable(tree: ast.AST) -> list[ast.expr]:
    """Returns the numeric literals that are quantities, in the order of the source.

    Not among them: indices, counts of loops and digits, steps of counters, shapes and axes of arrays, exponents,
    keys, whatever stands in a signature, and numbers that something is compared with for equality.
    """
    return list(_quantities(tree))


def written(value: float) -> str:
    """Returns a number as a person would write it: integers whole, others to three significant digits."""
    return str(value) if isinstance(value, int) else repr(float(f"{value:.3g}"))


def is_power_of_two(value: float) -> bool:
    """Returns whether a number is an integer power of two from 4 on, such as sizes of tiles and tables are."""
    return isinstance(value, int) and value >= _LEAST_POWER and value & (value - 1) == 0


_LEAST_POWER = 4


_BARREN = (ast.Name, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
"""What has no part that is a number; most of a tree."""


def _quantities(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, _BARREN):
        return
    if isinstance(node, ast.expr) and number(node) is not None:
        yield node
        return
    for child in _children(node):
        yield from _quantities(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Subscript):
        yield node.value
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from node.body
    elif isinstance(node, ast.Lambda):
        yield node.body
    elif isinstance(node, ast.Dict):
        yield from node.values
    elif isinstance(node, ast.Call):
        yield from _arguments(node)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield node.left
    elif not _structural(node):
        yield from ast.iter_child_nodes(node)


def _arguments(call: ast.Call) -> Iterator[ast.AST]:
    function = call.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    if isinstance(function, ast.Attribute):
        yield function.value
    if name == "round":
        yield from call.args[:1]
    elif name not in COUNTED and name not in SHAPED:
        along = name in _ALONG or (name in _METHODS and isinstance(function, ast.Attribute))
        yield from (argument for argument in call.args if not (along and _is_fixed(argument)))
        yield from (keyword for keyword in call.keywords if keyword.arg not in _STRUCTURE)


def _is_fixed(node: ast.expr) -> bool:
    return number(node) is not None or isinstance(node, ast.Tuple | ast.List)


def _structural(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return not all(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops)
    if isinstance(node, ast.AugAssign):
        return number(node.value) == 1
    return isinstance(node, ast.JoinedStr | ast.pattern)
