"""Which names a piece of code binds and reads, and which are certainly bound once it has run."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator


def names_in(node: ast.AST) -> frozenset[str]:
    """Returns the names that an expression or statement reads and does not bind itself, as in a comprehension."""
    read: set[str] = set()
    bound: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            (read if isinstance(inner.ctx, ast.Load) else bound).add(inner.id)
        elif isinstance(inner, ast.arg):
            bound.add(inner.arg)
    return frozenset(read - bound) if isinstance(node, ast.expr) else frozenset(read)


def certain(block: Iterable[ast.stmt]) -> set[str]:
    """Returns the names that are bound for certain after a block has run to its end."""
    names: set[str] = set()
    for statement in block:
        names |= bound_by(statement)
    return names


def bound_by(statement: ast.stmt) -> set[str]:
    """Returns the names that are bound for certain after a statement."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return set() if statement.value is None else set(stored(targets))
    if isinstance(statement, ast.If):
        branches = [certain(block) for block in (statement.body, statement.orelse) if not leaves(block)]
        return set.intersection(*branches) if branches else set()
    if isinstance(statement, ast.With):
        return certain(statement.body)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    named = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return {statement.name} if named else set()  # type: ignore[attr-defined]


def stored(targets: Iterable[ast.AST]) -> Iterator[str]:
    """Yields the names that assignment to the targets binds."""
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def definitions(node: ast.AST) -> dict[str, ast.expr]:
    """Returns the values of the names that are assigned exactly once within a node, and by a plain assignment."""
    values: dict[str, ast.expr] = {}
    times = Counter(stored([node]))
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign):
            values.update(_pairs(inner.targets[0], inner.value))
    return {name: value for name, value in values.items() if times[name] == 1}


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, its)


def leaves(block: list[ast.stmt]) -> bool:
    """Returns whether a block never runs past its end: it returns, raises, breaks or continues."""
    last = block[-1] if block else None
    if isinstance(last, ast.If):
        return leaves(last.body) and leaves(last.orelse)
    return isinstance(last, ast.Return | ast.Raise | ast.Break | ast.Continue)


def introduced(node: ast.AST) -> Iterator[str]:
    """Yields the names that a `with` or an exception handler binds for its own block."""
    if isinstance(node, ast.With | ast.AsyncWith):
        yield from stored(item.optional_vars for item in node.items if item.optional_vars is not None)
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
