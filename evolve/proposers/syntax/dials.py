"""The constants of a policy, taken out of it and put back with other values."""

import ast
from dataclasses import dataclass

from evolve import normal
from evolve.proposers.syntax.constants import number, tunable, written
from evolve.proposers.syntax.splice import ATOM, SIGN, Text, floor
from evolve.source import insist_on_shallow

Values = tuple[float, ...]
_MOST_VALUES = 500  # of a policy; one with more is a table, of which a few at a time tell nothing


@dataclass(frozen=True, slots=True)
class Dials:
    """A policy's source with the numeric literals that can be turned, in the order of the source."""

    text: Text
    tree: ast.Module
    nodes: list[ast.expr]
    values: Values
    skeleton: str

    def turned(self, values: Values) -> tuple[str, str]:
        """Returns the source with other constants, and what changed."""
        floors = self._floors()
        turned = [
            self.text.replaced(node, written(new), SIGN if new < 0 else ATOM, floors[id(node)])
            for node, old, new in zip(self.nodes, self.values, values, strict=True)
            if new != old
        ]
        edits = [edit for edit in turned if edit is not None]
        return self.text.apply(edits), "; ".join(edit.why for edit in edits)

    def like(self, source: str) -> bool:
        """Returns whether a source differs at most in these constants."""
        try:
            return dials(source).skeleton == self.skeleton
        except normal.SourceError:
            return False

    def _floors(self) -> dict[int, int]:
        """Returns how tightly each literal must bind where it stands."""
        chosen = {id(node) for node in self.nodes}
        return {
            id(child): floor(parent, child)
            for parent in ast.walk(self.tree)
            for child in ast.iter_child_nodes(parent)
            if isinstance(child, ast.expr) and id(child) in chosen
        }


def dials(source: str) -> Dials:
    """Returns the dials of a policy.

    Raises:
        SourceError: the source does not parse, is too deep, or has too many constants.
    """
    tree = normal.parse(source)
    insist_on_shallow(tree)
    nodes = tunable(tree)
    if len(nodes) > _MOST_VALUES:
        raise normal.SourceError(f"more than {_MOST_VALUES} constants")
    values = tuple(value for value in map(number, nodes) if value is not None)
    return Dials(Text(source), tree, nodes, values, normal.digest(tree, nodes))
