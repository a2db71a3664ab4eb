"""A policy taken apart: its functions, statements and expressions, and the names in scope at each of them."""

import ast
from dataclasses import dataclass, field
from functools import cached_property

from evolve import normal
from evolve.proposers.syntax.constants import COUNTED, SHAPED, number, tunable
from evolve.proposers.syntax.kinds import Kind, called, infer, kind, label
from evolve.proposers.syntax.scope import (
    ambiguous,
    bound_by,
    certain,
    definitions,
    everything,
    introduced,
    items_bound,
    meanings,
    names_in,
    unresolved,
)
from evolve.proposers.syntax.signatures import named_functions, signatures
from evolve.proposers.syntax.splice import Edit, Text, floor
from evolve.source import insist_on_shallow

_NO_NAMES: frozenset[str] = frozenset()
_MOST_BOUND = 500_000
"""Names bound at all the statements of a policy, counted at each: some 50 MB."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that can be read in a function: a name, an attribute or an item, and the names it needs."""

    text: str
    kind: Kind
    needs: frozenset[str]


@dataclass(slots=True, eq=False)
class Function:
    """A function or method of a policy (or the module or a class body, without a ``call``) and what it reads.

    ``definitions`` are the values of the names that it assigns once and for all, ``ignored`` the
    parameters that it never reads.  ``ambiguous`` are the names that several loops and comprehensions
    bind to items of different things: of those that hold at a place, the names ``bound`` there say which.
    """

    name: str
    parameters: tuple[str, ...]
    kinds: dict[str, Kind]
    references: dict[str, Reference] = field(default_factory=dict)
    returned: list["Site"] = field(default_factory=list)
    definitions: dict[str, ast.expr] = field(default_factory=dict)
    ignored: frozenset[str] = _NO_NAMES
    ambiguous: frozenset[str] = _NO_NAMES

    @property
    def call(self) -> str:
        """The name that it is called by: ``choose`` for ``Policy.choose``."""
        return self.name.rpartition(".")[2]

    @property
    def positional(self) -> tuple[str, ...]:
        """The parameters without ``self``."""
        return self.parameters[1:] if self.parameters[:1] == ("self",) else self.parameters


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A place where an expression stands, and the names certainly bound there."""

    node: ast.expr
    parent: ast.AST
    function: Function
    bound: frozenset[str]

    @property
    def kind(self) -> Kind:
        """What sort of value stands here."""
        return kind(self.node, self.function.kinds)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A statement of a function, the block that it stands in, and the names certainly bound before it."""

    node: ast.stmt
    block: list[ast.stmt]
    index: int
    function: Function
    bound: frozenset[str]


class Anatomy:
    """The parts of one policy.

    Raises:
        SourceError: the source does not parse, or is too deep or too large to be taken apart.
    """

    def __init__(self, source: str) -> None:
        self.tree = normal.parse(source)
        insist_on_shallow(self.tree)
        self.key = normal.digest(self.tree)
        self.source = source
        self.text = Text(source)
        self.signatures = signatures(self.tree)
        self.module_names = frozenset(certain(self.tree.body))
        self.sites: list[Site] = []
        self.places: list[Place] = []
        self.functions: list[Function] = []
        _Walk(self).module()
        quantities = set(map(id, tunable(self.tree)))
        self.sites = [site for site in self.sites if number(site.node) is None or id(site.node) in quantities]
        self.numbers = [site for site in self.sites if id(site.node) in quantities]
        self.by_kind: dict[Kind, list[Site]] = {known: [] for known in Kind}
        for site in self.sites:
            if site.function.call:
                self.by_kind[site.kind].append(site)

    @cached_property
    def unresolved(self) -> set[str]:
        """The names that it reads although nothing seems to bind them."""
        return unresolved(self.tree)

    def put(self, site: Site, text: str, binding: int) -> Edit | None:
        """Returns the edit that puts an expression at a site; None if it would change nothing."""
        return self.text.replaced(site.node, text, binding, floor(site.parent, site.node))


class _Walk:
    """Visits a policy once and notes its parts."""

    def __init__(self, anatomy: Anatomy) -> None:
        self._anatomy = anatomy
        self._kinds: dict[str, Kind] = {}
        self._bound = 0

    def module(self) -> None:
        tree = self._anatomy.tree
        for name, function in named_functions(tree):
            self._kinds[name.rpartition(".")[2]] = _returned_kind(function)
        top = Function("", (), infer_module(tree, self._kinds), definitions=definitions(tree))
        self._anatomy.functions.append(top)
        self._kinds.update(top.kinds)
        self._block(tree.body, top, _NO_NAMES)
        self._share_attributes()

    def _share_attributes(self) -> None:
        """Lets every method read the attributes that ``__init__`` sets."""
        methods = [function for function in self._anatomy.functions if "." in function.name]
        kept = {text: known for f in methods for text, known in f.kinds.items() if text.startswith("self.")}
        set_first = {text for f in methods if f.name.endswith(".__init__") for text in f.kinds if text in kept}
        for function in methods:
            if "self" not in function.parameters or function.name.endswith(".__init__"):
                continue
            for text in sorted(set_first):
                function.references.setdefault(text, Reference(text, kept[text], frozenset({"self"})))
                if function.kinds.get(text, Kind.UNKNOWN) is Kind.UNKNOWN:
                    function.kinds[text] = kept[text]

    def _block(self, block: list[ast.stmt], function: Function, bound: frozenset[str]) -> None:
        for index, statement in enumerate(block):
            self._bound += len(bound)
            if self._bound > _MOST_BOUND:
                raise normal.SourceError("too large to be taken apart")
            self._anatomy.places.append(Place(statement, block, index, function, bound))
            self._statement(statement, function, bound)
            bound |= bound_by(statement)

    def _statement(self, node: ast.stmt, function: Function, bound: frozenset[str]) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._function(node, function, bound)
        elif isinstance(node, ast.ClassDef):
            inner = Function(f"{node.name}.", (), function.kinds)
            self._block(node.body, inner, _NO_NAMES)
        elif isinstance(node, ast.For | ast.While):
            self._loop(node, function, bound)
        elif not _is_docstring(node):
            self._parts(node, function, bound)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, outer: Function, bound: frozenset[str]) -> None:
        parameters = tuple(argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg))
        name = f"{outer.name.rstrip('.')}.{node.name}" if outer.name else node.name
        function = Function(name, parameters, infer(node, self._kinds), definitions=definitions(node))
        self._anatomy.functions.append(function)
        function.ignored = _ignored(node, parameters)
        function.ambiguous = ambiguous(node)
        self._block(node.body, function, bound | set(parameters))

    def _loop(self, node: ast.For | ast.While, function: Function, bound: frozenset[str]) -> None:
        self._expression(node.iter if isinstance(node, ast.For) else node.test, node, function, bound)
        within = items_bound(bound, node.target, node.iter, function.ambiguous) if isinstance(node, ast.For) else bound
        self._block(node.body, function, within)
        self._block(node.orelse, function, bound)

    def _parts(self, node: ast.AST, function: Function, bound: frozenset[str]) -> None:
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self._block(value, function, bound | set(introduced(node)))
            elif name not in ("target", "targets", "annotation", "pattern", "names", "optional_vars", "type", "exc"):
                for part in value if isinstance(value, list) else [value]:
                    self._part(part, node, function, bound)

    def _part(self, part: object, parent: ast.AST, function: Function, bound: frozenset[str]) -> None:
        if isinstance(part, ast.expr):
            self._expression(part, parent, function, bound)
        elif isinstance(part, ast.AST):
            self._parts(part, function, bound)

    def _expression(self, node: ast.expr, parent: ast.AST, function: Function, bound: frozenset[str]) -> None:
        if isinstance(node, ast.JoinedStr | ast.Starred | ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            return  # positions inside an f-string are unreliable; the others are rare in policies
        if not isinstance(node, ast.GeneratorExp):  # whose parentheses may be those of a call
            site = Site(node, parent, function, bound)
            self._anatomy.sites.append(site)
            if isinstance(parent, ast.Return):
                function.returned.append(site)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            self._reference(node, function, bound)
        elif number(node) is None:
            self._operands(node, function, bound)

    def _operands(self, node: ast.expr, function: Function, bound: frozenset[str]) -> None:
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            bound = self._comprehension(node.generators, function, bound)
        elif isinstance(node, ast.Lambda):
            bound |= {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and label(node.func.value) is None:
            self._expression(node.func.value, node.func, function, bound)
        for name, value in ast.iter_fields(node):
            if name not in ("func", "keys", "slice", "generators", "args") or (name == "args" and _takes_values(node)):
                for part in value if isinstance(value, list) else [value]:
                    self._part(part, node, function, bound)

    def _comprehension(
        self, clauses: list[ast.comprehension], function: Function, bound: frozenset[str]
    ) -> frozenset[str]:
        for clause in clauses:
            self._expression(clause.iter, clause, function, bound)
            bound = items_bound(bound, clause.target, clause.iter, function.ambiguous)
            for test in clause.ifs:
                self._expression(test, clause, function, bound)
        return bound

    def _reference(self, node: ast.expr, function: Function, bound: frozenset[str]) -> None:
        text = label(node)
        if text is None:
            return
        needs = names_in(node)
        meant = meanings(needs & function.ambiguous, bound)
        where = " ".join([text, *sorted(meant)])
        if where not in function.references:
            known = function.kinds.get(text, Kind.UNKNOWN)
            function.references[where] = Reference(text, known, needs | meant)


def _ignored(node: ast.AST, parameters: tuple[str, ...]) -> frozenset[str]:
    used = {inner.id for inner in everything(node) if isinstance(inner, ast.Name)}
    return frozenset(parameters) - used


def infer_module(tree: ast.Module, known: dict[str, Kind]) -> dict[str, Kind]:
    """Returns the kinds of the names that the module assigns, besides those known already."""
    simple = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    return infer(ast.Module(body=list(simple), type_ignores=[]), known)


def _returned_kind(function: ast.AST) -> Kind:
    values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    kinds = {kind(value, {}) for value in values} - {Kind.UNKNOWN}
    return kinds.pop() if len(kinds) == 1 else Kind.UNKNOWN


def _takes_values(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and called(node) not in COUNTED and called(node) not in SHAPED


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
