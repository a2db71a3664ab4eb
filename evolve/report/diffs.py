"""Differences of policies in a terminal."""

import ast
from dataclasses import dataclass

from evolve import text
from evolve.report import paint
from evolve.report.columns import side_by_side
from evolve.report.sides import Side
from evolve.source import SourceError, insist_on_shallow, parse

_CODE_ONLY = "code only: both sides are written anew from their syntax trees, without comments and docstrings"
_LINE_ENDS = "line ends are not compared: the texts have others, which are the same to Python"
_COLOURS = {"+": paint.ADDED, "-": paint.REMOVED, "@": paint.PLACE}


@dataclass(frozen=True, slots=True)
class Difference:
    """How one policy differs from another; ``diff`` is empty where it does not, ``note`` says what was compared."""

    old: str
    new: str
    diff: str
    note: str = ""


def difference(
    old: Side, new: Side, *, code: bool = False, width: int | None = None, colour: bool = False
) -> Difference:
    """Returns how ``new`` differs from ``old``: as a unified diff, or in two columns of together ``width``.

    ``code`` leaves out what does not count as code, unless a side does not parse.
    """
    sources, note = (old.source, new.source), ""
    if code:
        try:
            sources, note = (_code(old), _code(new)), _CODE_ONLY
        except SourceError as error:
            note = f"{text.brief(str(error), 300)}; so this is the difference of the texts"
    if width is None:
        diff = unified(*sources, old.name, new.name, colour=colour)
    else:
        diff = side_by_side(*sources, old.name, new.name, width, colour=colour)
    if not diff and sources[0] != sources[1]:
        note = "; ".join([*([note] if note else []), _LINE_ENDS])
    return Difference(old.name, new.name, diff, note)


def describe(found: Difference) -> str:
    """Returns a difference with its note, or that there is none."""
    note = [found.note] if found.note else []
    return "\n".join([*note, found.diff or f"{found.old} and {found.new} are the same"])


def unified(old: str, new: str, old_name: str, new_name: str, *, colour: bool = False) -> str:
    """Returns a unified diff of two policies; empty when they are equal but for line ends."""
    return "\n".join(_painted(line) if colour else line for line in text.unified(old, new, old_name, new_name))


def _painted(line: str) -> str:
    colour = _COLOURS.get(line[:1])
    return line if colour is None else paint.painted(line, colour)


def _code(side: Side) -> str:
    """Returns a policy written anew from its syntax tree, without docstrings.

    Raises:
        SourceError: it does not parse, or cannot be written.
    """
    try:
        tree = parse(side.source)
        insist_on_shallow(tree)
        return ast.unparse(_WithoutDocstrings().visit(tree)) + "\n"
    except (SourceError, ValueError) as error:  # a number of more digits than Python writes
        raise SourceError(f"{side.name} cannot be written anew ({error})") from None


class _WithoutDocstrings(ast.NodeTransformer):
    """Takes the docstrings out of a tree."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._bare(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._bare(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._bare(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._bare(node)

    def _bare(self, node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])
        return node
