"""Numeric constants of a policy: which of them may change, and how numbers are written."""

import ast
from collections.abc import Iterator

_COUNTED = frozenset({"range", "enumerate", "islice", "pow"})
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

    Not among them: indices, counts of loops and digits, exponents, keys, whatever stands in a
    signature, and numbers that something is compared with for equality.
    """
    return list(_quantities(tree))


def written(value: float) -> str:
    """Returns a number as a person would write it: integers whole, others to three significant digits."""
    return str(value) if isinstance(value, int) else repr(float(f"{value:.3g}"))


def _quantities(node: ast.AST) -> Iterator[ast.expr]:
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
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name == "round":
        yield from call.args[:1]
    elif name not in _COUNTED:
        yield from call.args
        yield from call.keywords


def _structural(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return not all(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops)
    return isinstance(node, ast.JoinedStr | ast.pattern)
