"""The text of a policy, read by us: whoever wrote it, reading costs a second at most and breaks nothing."""

import ast
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from evolve.types import EvolveError

MOST_CHARACTERS = 100_000
_MOST_PARTS = 100
_DEEPEST = 100
_IMPORTED = tuple(re.compile(rf"{word}\b([\w\s\\.,]*+)") for word in ("import", "from"))  # faster than one
_PART = re.compile(r"[\s\\]*+\w*+[\s\\]*+")


class SourceError(EvolveError):
    """The text is not Python that we can read; the message says why and, where known, on which line."""


def parse(source: str) -> ast.Module:
    """Returns the syntax tree of a policy.

    Raises:
        SourceError: for everything that can be wrong with a text, hostile ones included.
    """
    if len(source) > MOST_CHARACTERS:
        raise SourceError(f"a policy may have {MOST_CHARACTERS:,} characters; this one has {len(source):,}")
    if _has_endless_name(source):
        raise SourceError(f"a name of more than {_MOST_PARTS} parts")
    with _refusing("parsed"):
        return ast.parse(source)


def _has_endless_name(source: str) -> bool:
    """Says whether a name in an `import` goes on and on: for it the parser takes memory by its square."""
    return any(
        name.count(".") > _MOST_PARTS and _parts(name) > _MOST_PARTS
        for imported in _IMPORTED
        for names in imported.findall(source)
        if len(names) > 2 * _MOST_PARTS
        for name in names.split(",")
    )


def _parts(name: str) -> int:
    """Returns how many parts follow each other; in prose and tables there are blanks within them."""
    most = parts = 0
    for part in name.split("."):
        parts = parts + 1 if _PART.fullmatch(part) else 0
        most = max(most, parts)
    return most


def insist_on_compiling(tree: ast.Module, source: str) -> None:
    """Refuses what parses and is no Python, such as ``break`` outside a loop; spoils the tree.

    Raises:
        SourceError: it does not compile.
    """
    with _refusing("compiled"):
        whole = _Flat().visit(tree) if "finally" in source else tree
        compile(whole, "<policy>", "exec", dont_inherit=True)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turns all that Python says against a source into a SourceError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a policy's `"\d"` is no concern of ours
            yield
    except SyntaxError as broken:
        raise SourceError(f"line {broken.lineno or 1}: {broken.msg}") from None
    except (ValueError, OverflowError) as broken:
        raise SourceError(f"not source text: {broken}") from None
    except (RecursionError, MemoryError):
        raise SourceError(f"too deeply nested to be {what}") from None


def insist_on_shallow(tree: ast.Module) -> None:
    """Refuses what cannot be taken apart and written anew whatever else is on the stack.

    Raises:
        SourceError: the tree is too deep.
    """
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise SourceError("too deeply nested to be taken apart")


class _Flat(ast.NodeTransformer):
    """Moves each ``finally`` behind its ``try``.

    The compiler copies such a block to every way out of its ``try``, so that a page of them takes minutes
    and gigabytes.  The policy's own child has limits for that; we only look for errors.
    """

    def visit_Try(self, node: ast.Try) -> list[ast.stmt]:
        """Returns the statements to stand in its place."""
        self.generic_visit(node)
        after, node.finalbody = node.finalbody, []
        return [node, *after] if node.handlers else [*node.body, *after]

    def visit_TryStar(self, node: ast.TryStar) -> list[ast.stmt]:
        """Returns the statements to stand in its place."""
        self.generic_visit(node)
        after, node.finalbody = node.finalbody, []
        return [node, *after]
