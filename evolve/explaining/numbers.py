"""Numbers of a policy that might be any others: each with the ones that are tried in its place."""

import ast
from collections.abc import Collection
from dataclasses import dataclass

from evolve.proposers.syntax.constants import number, tunable, written
from evolve.proposers.syntax.splice import ATOM, SIGN, Edit, Text, floor
from evolve.source import SourceError, insist_on_shallow, parse

_MOST = 500
"""Of a policy; one with more is a table."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number at a place of a source, and edits that put others there, the double first."""

    line: int
    text: str
    others: tuple[Edit, ...]


def numbers(source: str, lines: Collection[int]) -> list[Number]:
    """Returns the numbers in some lines of a policy; none of what does not parse, is too deep, or is a table."""
    try:
        tree = parse(source)
        insist_on_shallow(tree)
    except SourceError:
        return []
    found = [node for node in tunable(tree) if node.lineno in lines]
    if len(found) > _MOST:
        return []
    text = Text(source)
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    return [
        Number(node.lineno, text.of(node), tuple(_others(text, node, floor(parents[id(node)], node)))) for node in found
    ]


def _others(text: Text, node: ast.expr, least: int) -> list[Edit]:
    value = number(node)
    assert value is not None  # it is one of the tunable ones
    kind = type(value)
    new = [other for other in dict.fromkeys((2 * value, kind(1), kind(0))) if other != value]
    edits = [text.replaced(node, written(other), SIGN if other < 0 else ATOM, least) for other in new]
    return [edit for edit in edits if edit is not None]
