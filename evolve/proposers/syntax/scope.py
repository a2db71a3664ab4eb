"""Which names a piece of code binds and reads, and which are certainly bound once it has run."""

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence


def everything(node: ast.AST) -> list[ast.AST]:
    """Returns a node and all nodes below it, as `ast.walk` yields them but for operators and contexts."""
    found = [node]
    for one in found:  # which grows meanwhile
        found += children(one)
    return found


def children(node: ast.AST) -> list[ast.AST]:
    """Returns the nodes right below a node, but for operators and contexts."""
    below: list[ast.AST] = []
    for name in _fields(type(node)):
        value = getattr(node, name, None)
        if value.__class__ is list:
            below += [part for part in value if isinstance(part, ast.AST)]
        elif isinstance(value, ast.AST):
            below.append(value)
    return below


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = () if kind is ast.Constant else tuple(name for name in kind._fields if name not in _BARE)
        _FIELDS[kind] = fields
    return fields


_FIELDS: dict[type, tuple[str, ...]] = {}
_BARE = frozenset({"ctx", "op", "ops", "id", "attr", "asname", "kind", "type_comment", "lineno"})


def names_in(node: ast.AST) -> frozenset[str]:
    """Returns the names that an expression or statement reads and does not bind itself, as in a comprehension."""
    read: set[str] = set()
    bound: set[str] = set()
    for inner in everything(node):
        if isinstance(inner, ast.Name):
            (read if isinstance(inner.ctx, ast.Load) else bound).add(inner.id)
        elif isinstance(inner, ast.arg):
            bound.add(inner.arg)
    return frozenset(read - bound) if isinstance(node, ast.expr) else frozenset(read)


def certain(block: Iterable[ast.stmt]) -> set[str]:
    """Returns the names that are bound for certain after a block has run to its end."""
    names: set[str] = set()
    for statement in block:
        names |= bound_by(statement)
    return names


def bound_by(statement: ast.stmt) -> set[str]:
    """Returns the names that are bound for certain after a statement."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return set() if statement.value is None else set(stored(targets))
    if isinstance(statement, ast.If):
        branches = [certain(block) for block in (statement.body, statement.orelse) if not leaves(block)]
        return set.intersection(*branches) if branches else set()
    if isinstance(statement, ast.With):
        return certain(statement.body)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    named = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return {statement.name} if named else set()  # type: ignore[attr-defined]


def stored(targets: Iterable[ast.AST]) -> Iterator[str]:
    """Yields the names that assignment to the targets binds."""
    for target in targets:
        for node in everything(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def ambiguous(function: ast.AST) -> frozenset[str]:
    """Returns the names that loops and comprehensions of a function bind to items of different things."""
    sources: dict[str, set[str]] = {}
    for node in everything(function):
        if isinstance(node, ast.For | ast.comprehension):
            for name in stored([node.target]):
                sources.setdefault(name, set()).add(_item(name, node.iter))
    return frozenset(name for name, items in sources.items() if len(items) > 1)


def items_bound(
    bound: frozenset[str], target: ast.expr, source: ast.expr, told_apart: frozenset[str]
) -> frozenset[str]:
    """Returns what is bound where a target holds the items of a source, and what those of its names mean."""
    names = frozenset(stored([target]))
    apart = names & told_apart
    return (
        ((bound - meanings(apart, bound)) | names | {_item(name, source) for name in apart}) if apart else bound | names
    )


def meanings(names: Iterable[str], bound: Iterable[str]) -> frozenset[str]:
    """Returns what ambiguous names mean at a place."""
    marks = tuple(f"{name} in " for name in names)
    return frozenset(mark for mark in bound if mark.startswith(marks)) if marks else frozenset()


def _item(name: str, source: ast.expr) -> str:
    return f"{name} in {form(source)}"


def form(node: ast.AST) -> str:
    """Returns the same text for nodes that differ only in layout; of one that has none, the place where it stands."""
    try:
        return ast.dump(node)
    except ValueError:  # an integer of more digits than Python writes
        return f"line {getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}"


def definitions(node: ast.AST) -> dict[str, ast.expr]:
    """Returns the values of the names that are assigned exactly once within a node, by a plain assignment.

    Not among them are those that are changed later, such as a list that is filled.
    """
    values: dict[str, ast.expr] = {}
    times, filled = Counter[str](), set[str]()
    for inner in everything(node):
        if isinstance(inner, ast.Assign):
            values.update(_pairs(inner.targets[0], inner.value))
        elif isinstance(inner, ast.Name):
            times[inner.id] += isinstance(inner.ctx, ast.Store)
        elif (container := _filled(inner)) is not None:
            filled |= names_in(container)
    return {name: value for name, value in values.items() if times[name] == 1 and name not in filled}


def _filled(node: ast.AST) -> ast.expr | None:
    """Returns what items are put into here, or taken out of."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FILLING:
        return node.func.value
    return node.value if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) else None


_FILLING = frozenset({"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "discard", "clear"})


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, its)


def leaves(block: list[ast.stmt]) -> bool:
    """Returns whether a block never runs past its end: it returns, raises, breaks or continues."""
    last = block[-1] if block else None
    if isinstance(last, ast.If):
        return leaves(last.body) and leaves(last.orelse)
    return isinstance(last, ast.Return | ast.Raise | ast.Break | ast.Continue)


def introduced(node: ast.AST) -> Iterator[str]:
    """Yields the names that a `with` or an exception handler binds for its own block."""
    if isinstance(node, ast.With | ast.AsyncWith):
        yield from stored(item.optional_vars for item in node.items if item.optional_vars is not None)
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name


def is_overwritten(name: str, block: Sequence[ast.stmt]) -> bool:
    """Returns whether a block binds a name anew before it reads it."""
    for statement in block:
        mentions = [node for node in ast.walk(statement) if isinstance(node, ast.Name) and node.id == name]
        if mentions:
            plain = isinstance(statement, ast.Assign)
            return plain and all(isinstance(node.ctx, ast.Store) for node in mentions)
    return False


def unresolved(tree: ast.Module) -> set[str]:
    """Returns the names that are read where nothing of that name has been bound before them.

    Within a function its own names must be bound above the place that reads them, in whatever branch;
    those around it anywhere.
    """
    found: set[str] = set()
    _resolve(tree.body, frozenset(_bound_in(tree.body)) | _KNOWN, {}, found)
    return found


_KNOWN = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_NEVER = 1 << 60


def _resolve(parts: Iterable[ast.AST], around: frozenset[str], own: dict[str, int], found: set[str]) -> None:
    """Finds the names in these parts that neither what is around binds nor, above the place, their own function."""
    for part in parts:
        if isinstance(part, ast.Name):
            if isinstance(part.ctx, ast.Load) and part.id not in around and own.get(part.id, _NEVER) > part.lineno:
                found.add(part.id)
        elif isinstance(part, _FUNCTIONS):
            _resolve_within(part, around | own.keys(), found)
            outside = [] if isinstance(part, ast.Lambda) else part.decorator_list
            _resolve([*part.args.defaults, *outside], around, own, found)
        elif isinstance(part, ast.ClassDef):
            for statement in part.body:  # whose names its methods do not see
                inside = {} if isinstance(statement, _FUNCTIONS) else _bound_in(part.body)
                _resolve([statement], around | own.keys(), inside, found)
        elif isinstance(part, _COMPREHENSIONS):
            _resolve(children(part), around | set(stored([part])), own, found)
        else:
            _resolve(children(part), around, own, found)


def _resolve_within(function: ast.AST, around: frozenset[str], found: set[str]) -> None:
    assert isinstance(function, _FUNCTIONS)
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    own = _bound_in(body)
    taken = {argument.arg for argument in everything(function.args) if isinstance(argument, ast.arg)}
    _resolve(body, (around - own.keys()) | taken, own, found)


def _bound_in(parts: Iterable[ast.AST]) -> dict[str, int]:
    """Returns the names that these parts bind, but not within functions and comprehensions, and their first lines."""
    lines: dict[str, int] = {}
    todo = list(parts)
    for node in todo:  # which grows meanwhile
        for name in _binds(node):
            lines[name] = min(node.lineno, lines.get(name, _NEVER))  # type: ignore[attr-defined]
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, *_COMPREHENSIONS)):
            todo += children(node)
    return lines


def _binds(node: ast.AST) -> Iterable[str]:
    """Returns the names that a node itself binds; names declared global or nonlocal count from there on."""
    if isinstance(node, ast.Name):
        return () if isinstance(node.ctx, ast.Load) else (node.id,)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (node.name,)
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, ast.Global | ast.Nonlocal):
        return node.names
    return (node.name,) if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name else ()
