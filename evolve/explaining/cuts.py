"""Places of a policy that might do nothing: statements, branches, operands; each with the edit that removes it."""

import ast
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evolve.proposers.syntax.splice import Edit, Text, floor, precedence, short
from evolve.source import SourceError, insist_on_shallow, parse

_SIDES = {ast.Add: 2, ast.Mult: 2, ast.Sub: 1, ast.Div: 1, ast.FloorDiv: 1}
"""Operators of which an operand may do nothing: either of the two, or only the second."""


_MANY = 6
"""Statements of a block of which many are tried at once, before each of them."""


@dataclass(frozen=True, slots=True)
class Cut:
    """An edit that takes something out of a source; ``text`` is what, and ``line`` where it begins."""

    edit: Edit
    kind: str
    line: int
    text: str


def cuts(source: str, lines: Collection[int]) -> Iterator[Cut]:
    """Yields what might be taken out of some lines of a policy: statements first, the outer before the inner.

    Nothing of what does not parse, or is too deep.
    """
    try:
        tree = parse(source)
        insist_on_shallow(tree)
    except SourceError:
        return
    places, nodes = _Places(tree, Text(source), lines), list(ast.walk(tree))
    ways = places.statements, places.branches, places.operands
    yield from (cut for way in ways for node in nodes for cut in way(node))


class _Places:
    """Yields the cuts at a node that touch only the lines of interest."""

    def __init__(self, tree: ast.Module, text: Text, lines: Collection[int]) -> None:
        self._text, self._lines = text, lines
        self._parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def statements(self, node: ast.AST) -> Iterator[Cut]:
        for block in _blocks(node):
            yield from self._runs(block)
            for statement in block if len(block) > 1 else ():
                span = self._text.lines(statement)
                if span is not None and self._ours(statement) and not _is_idle(statement):
                    yield Cut(Edit(*span, "", ""), "statement", statement.lineno, self._head(statement))

    def _runs(self, block: Sequence[ast.stmt]) -> Iterator[Cut]:
        """Yields halves and quarters of a block that is long and all of interest."""
        spans = [span for span in map(self._text.lines, block) if span is not None]
        if (
            len(block) < _MANY
            or len(spans) < len(block)
            or not all(map(self._ours, block))
            or any(map(_is_idle, block))
        ):
            return
        for parts in (2, 4):
            ends = [len(block) * part // parts for part in range(parts + 1)]
            for begin, end in pairwise(ends):
                text = f"{self._head(block[begin])} ... ({end - begin} statements)"
                yield Cut(Edit(spans[begin][0], spans[end - 1][1], "", ""), "statements", block[begin].lineno, text)

    def branches(self, node: ast.AST) -> Iterator[Cut]:
        if isinstance(node, ast.If):
            yield from self._without_else(node)
            yield from self._without_test(node)
        elif isinstance(node, ast.IfExp) and self._ours(node):
            yield from self._one_of(node, node.body, node.orelse, "branch")

    def operands(self, node: ast.AST) -> Iterator[Cut]:
        if isinstance(node, ast.BoolOp):
            yield from self._one_less(node, node.values, "condition")
        elif isinstance(node, ast.Call) and _is_extreme(node):
            yield from self._one_less(node, node.args, "limit")
        elif isinstance(node, ast.BinOp) and self._ours(node):
            yield from list(self._one_of(node, node.left, node.right, "operand"))[: _SIDES.get(type(node.op), 0)]

    def _without_else(self, node: ast.If) -> Iterator[Cut]:
        spans = [self._text.lines(statement) for statement in (node.body[-1], *node.orelse)]
        if node.orelse and all(map(self._ours, node.orelse)) and spans[0] is not None and spans[-1] is not None:
            edit = Edit(spans[0][1], spans[-1][1], "", "")
            yield Cut(edit, "branch", node.orelse[0].lineno, f"else: {self._head(node.orelse[0])}")

    def _without_test(self, node: ast.If) -> Iterator[Cut]:
        span = self._text.lines(node)
        if span is None or not self._ours(node.test) or self._is_elif(node):
            return
        for kept, kind in ((node.body, "test that always holds"), (node.orelse, "test that never holds")):
            text = self._dedented(node, kept)
            if text is not None:
                yield Cut(Edit(*span, text, ""), kind, node.lineno, self._head(node))

    def _dedented(self, node: ast.If, block: Sequence[ast.stmt]) -> str | None:
        """Returns a branch as it stands where its `if` does; None where it cannot be moved line by line."""
        spans = [span for span in map(self._text.lines, block) if span is not None]
        if not spans or len(spans) < len(block) or self._is_elif(block[0]) or any(map(_has_long_text, block)):
            return None
        moved = textwrap.dedent(self._text.slice(spans[0][0], spans[-1][1]))
        return textwrap.indent(moved, self._text.indent(node) or "")

    def _one_less(self, node: ast.expr, values: Sequence[ast.expr], kind: str) -> Iterator[Cut]:
        if len(values) == 2 and self._ours(node):
            yield from self._one_of(node, values[0], values[1], kind)
        spans = [self._text.parentheses(value) or (self._text.start(value), self._text.end(value)) for value in values]
        for index, value in enumerate(values) if len(values) > 2 else ():
            begin, end = (spans[index - 1][1], spans[index][1]) if index else (spans[0][0], spans[1][0])
            if self._ours(value):
                yield Cut(Edit(begin, end, "", ""), kind, value.lineno, short(self._text.of(value)))

    def _one_of(self, node: ast.expr, first: ast.expr, second: ast.expr, kind: str) -> Iterator[Cut]:
        """Yields the node without its second part, and without its first."""
        least = floor(self._parents[id(node)], node)
        for kept, gone in ((first, second), (second, first)):
            edit = self._text.replaced(node, self._text.of(kept), precedence(kept), least)
            if edit is not None:
                yield Cut(edit, kind, gone.lineno, short(self._text.of(gone)))

    def _ours(self, node: ast.expr | ast.stmt) -> bool:
        return all(line in self._lines for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))

    def _head(self, node: ast.stmt) -> str:
        return short(self._text.of(node).partition("\n")[0])

    def _is_elif(self, node: ast.stmt) -> bool:
        return self._text.of(node).startswith("elif")


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _is_idle(statement: ast.stmt) -> bool:
    """Says whether a statement is no code, or cannot be cut out by its lines."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    return isinstance(statement, ast.Pass) or bool(getattr(statement, "decorator_list", None))


def _is_extreme(call: ast.Call) -> bool:
    named = isinstance(call.func, ast.Name) and call.func.id in ("min", "max")
    return named and not call.keywords and not any(isinstance(value, ast.Starred) for value in call.args)


def _has_long_text(block: ast.stmt) -> bool:
    """Says whether a string goes over several lines: it must not be indented otherwise."""
    return any(
        isinstance(node, ast.Constant | ast.JoinedStr)
        and node.lineno != node.end_lineno
        and not isinstance(getattr(node, "value", ""), int | float)
        for node in ast.walk(block)
    )
