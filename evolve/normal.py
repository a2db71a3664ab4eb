"""The normal form of a policy: two policies that differ only in looks have the same key."""

import ast
import builtins
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from evolve.source import MOST_CHARACTERS, SourceError, parse

__all__ = ["MOST_CHARACTERS", "SourceError", "digest", "key", "parse"]

_KEPT = frozenset(dir(builtins))
_SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


def key(source: str) -> str:
    """Returns a hash that equal policies share, however they are formatted, commented and name their locals.

    Raises:
        SourceError: the source does not parse.
    """
    return digest(parse(source))


def digest(tree: ast.Module, ignoring: Iterable[ast.expr] = ()) -> str:
    """Returns the key of a tree; expressions in ``ignoring`` count as equal to each other.

    Raises:
        SourceError: the tree is too deep.
    """
    form = _Form(ignoring)
    try:
        form.visit(tree)
    except RecursionError:
        raise SourceError("too deeply nested to be compared") from None
    text = "\0".join(form.finished())
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class _Form:
    """Writes a tree as tokens, with names of locals replaced by the order of their appearance.

    A name counts as local when functions bind it and nothing else could mean it: the module, a class
    body, an import, a ``global`` statement, a keyword argument or the built-ins.  Locals are numbered
    for each outermost function, so the renaming is one-to-one wherever a name could be seen.
    """

    def __init__(self, ignoring: Iterable[ast.expr]) -> None:
        self._ignored = {id(node) for node in ignoring}
        self._tokens: list[str] = []
        self._names: list[tuple[int, int, str]] = []  # index of the token, function, name
        self._bound: set[str] = set()
        self._kept: set[str] = set(_KEPT)
        self._function = 0  # of the outermost function around; 0: none
        self._functions = 0
        self._outside = True  # directly in the module or a class body, whose names others can see
        self._special: dict[type[ast.AST], Callable[[Any], None]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.arg: self._argument,
            ast.Constant: self._constant,
            ast.Expr: self._expression,
            ast.Pass: self._nothing,
            ast.FunctionDef: self._definition,
            ast.AsyncFunctionDef: self._definition,
            ast.Lambda: self._inside,
            ast.ClassDef: self._class,
        }

    def visit(self, node: ast.AST) -> None:
        if self._ignored and id(node) in self._ignored:
            self._tokens.append("ignored")
            return
        special = self._special.get(type(node))
        if special is None:
            self._plain(node)
        else:
            special(node)

    def finished(self) -> list[str]:
        """Returns the tokens with every local's name replaced by its number in its function."""
        if "*" in self._kept:  # an import of all names of a module, each of which may mean its own
            return self._tokens
        numbers: dict[tuple[int, str], str] = {}
        local = self._bound - self._kept
        for index, function, name in self._names:
            if name in local:
                self._tokens[index] = numbers.setdefault((function, name), f"#{len(numbers)}")
        return self._tokens

    def _plain(self, node: ast.AST) -> None:
        self._tokens.append(type(node).__name__)
        values = node.__dict__
        for field in _fields(type(node)):
            value = values.get(field)
            if isinstance(value, ast.AST):
                self.visit(value)
            elif isinstance(value, list):
                self._list(value)
            else:
                self._atom(value)

    def _list(self, values: list[object]) -> None:
        self._tokens.append("[")
        for value in values:
            if isinstance(value, ast.AST):
                self.visit(value)
            else:
                self._atom(value)
        self._tokens.append("]")

    def _atom(self, value: object) -> None:
        if isinstance(value, str):
            self._kept.add(value)  # keyword, import, `global`, capture: never renamed
        self._tokens.append(f"={value}")

    def _name(self, node: ast.Name) -> None:
        self._see(node.id, bound=not isinstance(node.ctx, ast.Load))

    def _attribute(self, node: ast.Attribute) -> None:
        self._tokens.append(f"Attribute {node.attr}")
        self.visit(node.value)

    def _argument(self, node: ast.arg) -> None:
        self._see(node.arg, bound=True)
        self._atom(None) if node.annotation is None else self.visit(node.annotation)

    def _see(self, name: str, *, bound: bool) -> None:
        if self._outside:
            self._kept.add(name)
        elif bound:
            self._bound.add(name)
        self._names.append((len(self._tokens), self._function, name))
        self._tokens.append(f"name {name}")  # a node may be called the same

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        # Decimal digits of a huge integer are refused by Python; hexadecimal ones never are.
        self._tokens.append(f"int {value:x}" if type(value) is int else f"{type(value).__name__} {value!r}")

    def _expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # else a docstring, or as idle as one
            self._plain(node)

    def _nothing(self, node: ast.Pass) -> None:
        """`pass` means nothing."""

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._see(node.name, bound=True)
        self._list([*node.decorator_list])
        self._inside(node)

    def _inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        outer = self._function, self._outside
        self._outside = False
        if self._function == 0:
            self._functions += 1
            self._function = self._functions
        self._tokens.append(type(node).__name__)
        self.visit(node.args)
        if isinstance(node, ast.Lambda):
            self.visit(node.body)
        else:
            self._list([*node.body, node.returns])
        self._function, self._outside = outer

    def _class(self, node: ast.ClassDef) -> None:
        self._kept.add(node.name)
        outer, self._outside = self._outside, True
        self._plain(node)
        self._outside = outer


_FIELDS: dict[type, tuple[str, ...]] = {}


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(field for field in kind._fields if field not in _SKIPPED_FIELDS)
    return fields
