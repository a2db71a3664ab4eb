"""What every policy that is made from another must keep: it compiles, and is called as its parent is."""

import ast

from evolve import normal
from evolve.proposers.syntax.anatomy import Anatomy
from evolve.proposers.syntax.signatures import signatures
from evolve.source import insist_on_compiling


def accepted(parent: Anatomy, source: str, *others: Anatomy) -> bool:
    """Returns whether a child compiles, has its parent's signatures and differs from it and from the others."""
    return sound(parent, source, *others) is not None


def sound(parent: Anatomy, source: str, *others: Anatomy) -> ast.Module | None:
    """Returns the tree of a child that is accepted, else None."""
    if source == parent.source:
        return None
    try:
        tree = normal.parse(source)
        key = normal.digest(tree)
        if key in (parent.key, *(other.key for other in others)) or signatures(tree) != parent.signatures:
            return None
        insist_on_compiling(tree, source)
    except normal.SourceError:
        return None
    return tree


def size(tree: ast.AST) -> int:
    """Returns how many nodes a tree has; layout and comments do not count."""
    return sum(1 for _ in ast.walk(tree))
