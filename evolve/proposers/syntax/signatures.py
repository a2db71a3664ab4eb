"""The functions and methods of a policy, and the arguments that they take."""

import ast
from collections.abc import Iterator


def signatures(tree: ast.Module) -> dict[str, str]:
    """Returns the arguments of every function of the module and of every method, by qualified name."""
    return {name: ast.dump(function.args) for name, function in named_functions(tree)}


def named_functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yields the functions of the module and its classes' methods with their qualified names."""
    for node in tree.body:
        yield from ((name, function) for function, name in _functions(node))


def _functions(node: ast.stmt) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node, node.name
    elif isinstance(node, ast.ClassDef):
        for inner in node.body:
            for function, name in _functions(inner):
                yield function, f"{node.name}.{name}"
