"""Edits of source text by the positions of its syntax tree; all text outside an edit stays as it is."""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

(
    LOWEST,
    CALL,
    CONDITIONAL,
    OR,
    AND,
    NOT,
    COMPARISON,
    BIT_OR,
    BIT_XOR,
    BIT_AND,
    SHIFT,
    SUM,
    PRODUCT,
    SIGN,
    POWER,
    ATOM,
) = range(16)
_BINARY: dict[type[ast.operator], int] = {
    ast.BitOr: BIT_OR,
    ast.BitXor: BIT_XOR,
    ast.BitAnd: BIT_AND,
    ast.LShift: SHIFT,
    ast.RShift: SHIFT,
    ast.Add: SUM,
    ast.Sub: SUM,
    ast.Pow: POWER,
}
_NEWLINE = re.compile(rb"\r\n|\r|\n")
_WORD = re.compile(rb"[\w\x80-\xff]")
_BLANK = b" \t\f"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the bytes from ``start`` to ``end`` by ``text``; ``why`` is its line in the rationale."""

    start: int
    end: int
    text: str
    why: str

    def overlaps(self, other: "Edit") -> bool:
        """Returns whether both would change the same place; insertions at one place do."""
        return (self.start < other.end and other.start < self.end) or self.start == other.start


class Text:
    """Source text addressed by nodes of its tree; offsets are in bytes of its UTF-8 form."""

    def __init__(self, source: str) -> None:
        self.data = source.encode()
        self._lines = [0, *(match.end() for match in _NEWLINE.finditer(self.data))]

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Returns where a node begins."""
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Returns where a node ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.expr | ast.stmt) -> str:
        """Returns the code of a node, without parentheses around it."""
        return self.data[self.start(node) : self.end(node)].decode()

    def slice(self, start: int, end: int) -> str:
        """Returns the code between two offsets."""
        return self.data[start:end].decode()

    def replaced(self, node: ast.expr, text: str, binding: int, least: int) -> Edit | None:
        """Returns the edit that puts an expression in the place of a node; None if it would change nothing.

        Parentheses are added, kept or taken away as the expression's ``binding`` and the ``least`` one
        that may stand there without them demand.
        """
        old, around = self.of(node), self.parentheses(node)
        if text == old:
            return None
        why = change(node.lineno, old, text)
        if around is None:
            return Edit(self.start(node), self.end(node), wrapped(text, binding, least), why)
        removable = binding >= least > CALL and "\n" not in text and not self._glued(*around)
        return Edit(*around, text, why) if removable else Edit(self.start(node), self.end(node), text, why)

    def _glued(self, start: int, end: int) -> bool:
        """Returns whether words would meet without the parentheses from start to end: `not(x)`, `(x)if y`."""
        neighbours = self.data[max(start - 1, 0) : start], self.data[end : end + 1]
        return any(_WORD.match(neighbour) for neighbour in neighbours)

    def parentheses(self, node: ast.expr) -> tuple[int, int] | None:
        """Returns where the parentheses begin and end that hold the node and nothing else."""
        before, after = self.data[: self.start(node)].rstrip(), self.data[self.end(node) :]
        rest = after.lstrip()
        if not before.endswith(b"(") or not rest.startswith(b")"):
            return None
        return len(before) - 1, self.end(node) + len(after) - len(rest) + 1

    def indent(self, statement: ast.stmt) -> str | None:
        """Returns the white space before a statement, or None when it does not begin its line."""
        before = self.data[self._lines[statement.lineno - 1] : self.start(statement)]
        return None if before.strip(_BLANK) else before.decode()

    def line(self, statement: ast.stmt) -> int:
        """Returns where the first line of a statement begins."""
        return self._lines[statement.lineno - 1]

    def lines(self, statement: ast.stmt) -> tuple[int, int] | None:
        """Returns the whole lines of a statement, or None when it shares them with other code."""
        end_line = statement.end_lineno or statement.lineno
        stop = self._lines[end_line] if end_line < len(self._lines) else len(self.data)
        rest = self.data[self.end(statement) : stop].strip()
        if self.indent(statement) is None or (rest and not rest.startswith(b"#")):
            return None
        return self.line(statement), stop

    def apply(self, edits: Iterable[Edit]) -> str:
        """Returns the source with all edits made; they must not overlap."""
        pieces, position = [], 0
        for edit in sorted(edits, key=lambda edit: edit.start):
            pieces += [self.data[position : edit.start], edit.text.encode()]
            position = edit.end
        return b"".join([*pieces, self.data[position:]]).decode()


def change(line: int, old: str, new: str) -> str:
    """Returns the rationale of a replacement."""
    return f"line {line}: `{short(old)}` becomes `{short(new)}`"


def short(text: str, most: int = 70) -> str:
    """Returns code on one line, cut to what a rationale can hold."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def precedence(node: ast.expr) -> int:
    """Returns how tightly the outermost operator of an expression binds; larger is tighter."""
    if isinstance(node, ast.BinOp):
        return _BINARY.get(type(node.op), PRODUCT)
    if isinstance(node, ast.BoolOp):
        return AND if isinstance(node.op, ast.And) else OR
    if isinstance(node, ast.UnaryOp):
        return NOT if isinstance(node.op, ast.Not) else SIGN
    if isinstance(node, ast.Compare):
        return COMPARISON
    if isinstance(node, ast.IfExp):
        return CONDITIONAL
    loose = (ast.Lambda, ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Starred, ast.Await)
    return LOWEST if isinstance(node, loose) else ATOM


def floor(parent: ast.AST, child: ast.expr) -> int:
    """Returns the least precedence that may stand in the child's place without parentheses."""
    if isinstance(parent, ast.BinOp):
        own = precedence(parent)
        if own == POWER:
            return ATOM if child is parent.left else SIGN
        return own if child is parent.left else own + 1
    if isinstance(parent, ast.BoolOp | ast.UnaryOp):
        return precedence(parent)
    if isinstance(parent, ast.Compare):
        return COMPARISON + 1
    if isinstance(parent, ast.IfExp):
        return CONDITIONAL if child is parent.orelse else OR
    if isinstance(parent, ast.comprehension):
        return OR
    if isinstance(parent, ast.Call | ast.keyword):
        return CALL  # whose parentheses must stay
    return ATOM if isinstance(parent, ast.Attribute | ast.Await) else CONDITIONAL


def wrapped(text: str, binding: int, least: int) -> str:
    """Returns an expression with parentheses when it binds more loosely than its place needs."""
    return text if binding >= least else f"({text})"
