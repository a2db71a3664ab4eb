"""Expressions and statements of one policy, rewritten so that they can stand in another."""

import ast
import builtins
import copy
import re

from evolve.proposers.syntax.anatomy import Anatomy, Function, Place, Site
from evolve.proposers.syntax.kinds import label
from evolve.proposers.syntax.scope import meanings, names_in, stored
from evolve.proposers.syntax.splice import precedence

_BUILTINS = frozenset(dir(builtins))
_DEEPEST = 4  # definitions within definitions
_LONGEST = 240
_SIMPLE_QUOTES = re.compile(r"'(\w*)'")


class _MisfitError(Exception):
    """The donor's code needs a name that its new place does not have."""


def expression(donor: Anatomy, site: Site, policy: Anatomy, place: Site | Place) -> tuple[str, int] | None:
    """Returns the text and precedence of a donor's expression for a place in a policy.

    Parameters are matched by position between functions of one name.  A name that the place lacks is
    replaced by its definition in the donor.  None when some name is left without a meaning.
    """
    try:
        node = _Rewriter(donor, site, policy, place).visit(copy.deepcopy(site.node))
        text = unparsed(node)
    except (_MisfitError, RecursionError, ValueError):  # the last of integers too large to be written
        return None
    assert isinstance(node, ast.expr)
    return None if len(text) > _LONGEST else (text, precedence(node))


def statement(donor: Anatomy, taken: Place, policy: Anatomy, place: Place) -> str | None:
    """Returns the text of a donor's statement, not indented, for a place in a policy; None as above."""
    if policy.module_names & set(stored([taken.node])):
        return None  # would turn a name of the module into a local
    loops = [node.target for node in ast.walk(taken.node) if isinstance(node, ast.For)]
    rewriter = _Rewriter(donor, taken, policy, place, frozenset(stored(loops)))
    try:
        return unparsed(rewriter.visit(copy.deepcopy(taken.node)))
    except (_MisfitError, RecursionError, ValueError):  # the last of integers too large to be written
        return None


def unparsed(node: ast.AST) -> str:
    """Returns code for a tree, with double quotes where that is safe."""
    text = ast.unparse(node)
    return text if '"' in text or "\\" in text else _SIMPLE_QUOTES.sub(r'"\1"', text)


class _Rewriter(ast.NodeTransformer):
    def __init__(
        self,
        donor: Anatomy,
        taken: Site | Place,
        policy: Anatomy,
        place: Site | Place,
        own: frozenset[str] = frozenset(),
    ) -> None:
        function, told_apart = taken.function, taken.function.ambiguous | place.function.ambiguous
        self._foreign = {name for name in told_apart if meanings([name], taken.bound) != meanings([name], place.bound)}
        self._definitions = {**donor.functions[0].definitions, **function.definitions}
        self._renamed = _matched(function, place.function)
        self._parameters = frozenset(function.parameters)
        self._scope = place.bound | policy.module_names | own
        self._attributes = place.function.references
        self._depth = 0
        self._inner: frozenset[str] = own

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda):
            outer, self._inner = self._inner, self._inner | _own_names(node)
            result = self.generic_visit(node)
            self._inner = outer
            return result
        visited: ast.AST = super().visit(node)
        return visited

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "self" and label(node) not in self._attributes:
            raise _MisfitError
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if isinstance(node.target, ast.Name) and node.target.id not in self._scope:
            raise _MisfitError
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        name = node.id
        if name in self._inner or not isinstance(node.ctx, ast.Load):
            return node
        if name in self._renamed:
            return ast.Name(self._renamed[name], ast.Load())
        if name in self._foreign:
            raise _MisfitError
        if name in self._scope and name not in self._parameters:
            return node
        return self._defined(name)

    def _defined(self, name: str) -> ast.AST:
        value = self._definitions.get(name)
        if value is not None and self._depth < _DEEPEST:
            self._depth += 1
            result = self.visit(copy.deepcopy(value))
            self._depth -= 1
            return result
        if name in _BUILTINS and name not in self._parameters:
            return ast.Name(name, ast.Load())
        raise _MisfitError


def _matched(function: Function, other: Function) -> dict[str, str]:
    if function.call != other.call:
        return {}
    pairs = dict(zip(function.positional, other.positional, strict=False))
    return {**pairs, "self": "self"} if "self" in function.parameters and "self" in other.parameters else pairs


def _own_names(node: ast.AST) -> frozenset[str]:
    everything = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    arguments = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
    return frozenset(everything | arguments) - names_in(node)
