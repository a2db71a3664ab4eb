"""What sort of value an expression has, guessed from how it and its names are used."""

import ast
import enum
from collections.abc import Iterable, Iterator, Mapping


class Kind(enum.Enum):
    """The sorts of value that mutation tells apart; everything else is UNKNOWN."""

    NUMBER = enum.auto()
    BOOLEAN = enum.auto()
    STRING = enum.auto()
    ARRAY = enum.auto()  # of numpy, of quantities
    INDICES = enum.auto()  # an array of whole numbers: positions, or an order
    UNKNOWN = enum.auto()


_NUMERIC = frozenset({"len", "sum", "abs", "round", "int", "float", "ceil", "floor", "sqrt", "log", "log2", "exp"})
_CALLS = {
    **dict.fromkeys(_NUMERIC, Kind.NUMBER),
    **dict.fromkeys(("bool", "any", "all", "isinstance", "hasattr", "startswith", "endswith"), Kind.BOOLEAN),
    **dict.fromkeys(("str", "repr", "join", "format"), Kind.STRING),
}
_NUMPY = frozenset({"np", "numpy"})
_INDEXING = frozenset({"argsort", "argmax", "argmin", "arange", "searchsorted", "argpartition", "nonzero", "lexsort"})
_REDUCING = frozenset({"sum", "mean", "max", "min", "std", "var", "prod", "any", "all", "median", "argmax", "argmin"})
_ELEMENTWISE = _NUMERIC | {"maximum", "minimum", "where", "square", "power", "float32", "float64", "int32", "int64"}
_KEEPING = frozenset({"tile", "repeat", "take_along_axis", "sort", "reshape", "transpose", "roll", "flip", "copy"})
_ONLY_ARRAYS = frozenset(
    ("shape", "astype", "reshape", "ravel", "argsort", "argmax", "argmin", "cumsum", "ndim", "dtype", "transpose")
)
_ARRAYS = (Kind.ARRAY, Kind.INDICES)
_TAKE_NUMBERS = _NUMERIC - {"len", "sum"}
_TELLING = (
    *(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.AugAssign, ast.BinOp, ast.Compare, ast.Call, ast.For),
    *(ast.comprehension, ast.If, ast.While, ast.IfExp, ast.BoolOp, ast.UnaryOp, ast.Attribute),
)
_ORDER = ast.Lt | ast.LtE | ast.Gt | ast.GtE

Kinds = Mapping[str, Kind]


def label(node: ast.AST) -> str | None:
    """Returns how a reference (``x``, ``self.x``, ``observation["x"]``, ``xs[i]``) is written; None for the rest."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = label(node.value)
        return None if base is None else f"{base}.{node.attr}"
    if isinstance(node, ast.Subscript):
        base, key = label(node.value), _key(node.slice)
        return None if base is None or key is None else f"{base}[{key}]"
    return None


def _key(node: ast.expr) -> str | None:
    if not isinstance(node, ast.Constant):
        return label(node)
    value = node.value
    return f'"{value}"' if isinstance(value, str) and value.isidentifier() else repr(value)


def kind(node: ast.AST, known: Kinds) -> Kind:
    """Returns the kind of an expression, given the kinds of references and of the policy's own functions."""
    if isinstance(node, ast.Constant):
        return _of_value(node.value)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return _of_reference(node, known)
    if isinstance(node, ast.BinOp):
        return _of_arithmetic(node, known)
    if isinstance(node, ast.UnaryOp):
        return Kind.BOOLEAN if isinstance(node.op, ast.Not) else _of_elements([node.operand], known, Kind.NUMBER)
    if isinstance(node, ast.Compare):
        return Kind.ARRAY if _is_array([node.left, *node.comparators], known) else Kind.BOOLEAN
    if isinstance(node, ast.BoolOp):
        return _common(node.values, known)
    if isinstance(node, ast.IfExp):
        return _common((node.body, node.orelse), known)
    return _of_call(node, known) if isinstance(node, ast.Call) else Kind.UNKNOWN


def _of_value(value: object) -> Kind:
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, int | float):
        return Kind.NUMBER
    return Kind.STRING if isinstance(value, str) else Kind.UNKNOWN


def _of_arithmetic(node: ast.BinOp, known: Kinds) -> Kind:
    sides = kind(node.left, known), kind(node.right, known)
    if Kind.STRING in sides:
        return Kind.STRING
    list_like = isinstance(node.left, ast.List | ast.Tuple | ast.ListComp | ast.Set | ast.Dict)
    return Kind.UNKNOWN if list_like else _of_elements([node.left, node.right], known, Kind.NUMBER)


def _of_reference(node: ast.Name | ast.Attribute | ast.Subscript, known: Kinds) -> Kind:
    found = known.get(label(node) or "", Kind.UNKNOWN)
    if found is not Kind.UNKNOWN or isinstance(node, ast.Name):
        return found
    base = kind(node.value, known)
    if isinstance(node, ast.Attribute):
        return base if node.attr == "T" and base in _ARRAYS else Kind.UNKNOWN
    partial = any(isinstance(part, ast.Slice) for part in ast.walk(node.slice))
    return base if partial and base in _ARRAYS else Kind.UNKNOWN


def _is_array(nodes: Iterable[ast.AST], known: Kinds) -> bool:
    return any(kind(node, known) in _ARRAYS for node in nodes)


def _of_elements(nodes: Iterable[ast.AST], known: Kinds, otherwise: Kind) -> Kind:
    """Returns what elementwise arithmetic of these gives."""
    kinds = {kind(node, known) for node in nodes}
    if Kind.ARRAY in kinds:
        return Kind.ARRAY
    return Kind.INDICES if Kind.INDICES in kinds else otherwise


def _of_numpy(node: ast.Call, function: ast.Attribute, known: Kinds) -> Kind | None:
    """Returns what a call of numpy's, or of an array's method, gives; None for other calls."""
    name = function.attr
    ours = isinstance(function.value, ast.Name) and function.value.id in _NUMPY
    base = Kind.UNKNOWN if ours else kind(function.value, known)
    if not ours and base not in _ARRAYS and name not in _ONLY_ARRAYS:
        return None
    whole = len(node.args) == ours and not node.keywords
    if name in _REDUCING and whole:
        return Kind.NUMBER
    if name in _INDEXING or _to_integers(node):
        return Kind.INDICES
    if ours and name in _KEEPING:
        return Kind.INDICES if node.args and kind(node.args[0], known) is Kind.INDICES else Kind.ARRAY
    if ours and name in _ELEMENTWISE:
        return _of_elements(node.args, known, Kind.NUMBER)
    if name in ("item", "tolist", "sort", "fill"):
        return Kind.UNKNOWN
    return Kind.ARRAY if ours or name == "astype" or base not in _ARRAYS else base


def _to_integers(node: ast.Call) -> bool:
    types = [*node.args[-1:], *(keyword.value for keyword in node.keywords if keyword.arg == "dtype")]
    names = [part.id if isinstance(part, ast.Name) else getattr(part, "attr", "") for part in types]
    return any(name in ("int", "int64", "int32", "intp") for name in names)


def _of_call(node: ast.Call, known: Kinds) -> Kind:
    name = called(node)
    if isinstance(node.func, ast.Attribute):
        found = _of_numpy(node, node.func, known)
        if found is not None:
            return found
    if name in known:
        return known[name]
    if name in ("min", "max") and len(node.args) > 1:
        return _common(node.args, known)
    return _CALLS.get(name, Kind.UNKNOWN)


def called(node: ast.Call) -> str:
    """Returns the last name of what is called: ``ceil`` for ``math.ceil(x)``; empty when there is none."""
    function = node.func
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _common(nodes: Iterable[ast.expr], known: Kinds) -> Kind:
    kinds = {kind(node, known) for node in nodes}
    return kinds.pop() if len(kinds) == 1 else Kind.UNKNOWN


def infer(function: ast.AST, known: Kinds) -> dict[str, Kind]:
    """Returns the kinds of the references of a function: what they are used as, then what is assigned to them."""
    nodes = [node for node in ast.walk(function) if isinstance(node, _TELLING)]
    found = dict(known)
    for _ in range(2):
        _find_arrays(nodes, found)
    for _ in range(2):  # a second look knows what the first one learnt
        for node in nodes:
            for reference, guess in _hints(node, found):
                name = label(reference)
                if name is not None and guess is not Kind.UNKNOWN and found.get(name, Kind.UNKNOWN) is Kind.UNKNOWN:
                    found[name] = guess
    for node in nodes:
        for test in _tests(node):
            name = label(test)
            if name is not None and found.get(name, Kind.UNKNOWN) is Kind.UNKNOWN:
                found[name] = Kind.BOOLEAN
    return found


def _find_arrays(nodes: Iterable[ast.AST], found: dict[str, Kind]) -> None:
    """Learns which names hold arrays; first of all, for arithmetic does not tell them from numbers."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in _ONLY_ARRAYS:
            base = label(node.value)
            if base is not None and base not in _NUMPY:
                found.setdefault(base, Kind.ARRAY)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for one, guess in _assigned(target, node.value, found):
                    name = label(one)
                    if name is not None and guess in _ARRAYS:
                        found.setdefault(name, guess)


def _hints(node: ast.AST, known: Kinds) -> Iterator[tuple[ast.AST, Kind]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _assigned(target, node.value, known)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield from _assigned(node.target, node.value, known)
    elif isinstance(node, ast.AugAssign):
        yield from _both(node.target, node.value, known)
    elif isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Mod):
        yield from _both(node.left, node.right, known)
    elif isinstance(node, ast.Compare):
        yield from _compared(node, known)
    elif isinstance(node, ast.Call):
        yield from _passed(node)
        yield from _ordered(node)
    elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Call):
        yield node.target, Kind.NUMBER if called(node.iter) == "range" else Kind.UNKNOWN


def _assigned(target: ast.AST, value: ast.expr, known: Kinds) -> Iterator[tuple[ast.AST, Kind]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, its, known)
        return
    yield target, kind(value, known)
    yield value, known.get(label(target) or "", Kind.UNKNOWN)


def _both(left: ast.expr, right: ast.expr, known: Kinds) -> Iterator[tuple[ast.AST, Kind]]:
    lists = isinstance(left, ast.List | ast.Tuple) or isinstance(right, ast.List | ast.Tuple)
    if not lists and not {Kind.STRING, *_ARRAYS} & {kind(left, known), kind(right, known)}:
        yield left, Kind.NUMBER
        yield right, Kind.NUMBER


def _compared(node: ast.Compare, known: Kinds) -> Iterator[tuple[ast.AST, Kind]]:
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        if isinstance(operator, _ORDER):
            if not isinstance(left, ast.Tuple) and not isinstance(right, ast.Tuple):
                yield from _both(left, right, known)
        elif isinstance(operator, ast.In | ast.NotIn):
            if isinstance(right, ast.Tuple | ast.List | ast.Set) and right.elts:
                yield left, kind(right.elts[0], known)
        else:
            yield left, kind(right, known)
            yield right, kind(left, known)


def _passed(node: ast.Call) -> Iterator[tuple[ast.AST, Kind]]:
    name = called(node)
    if name in _TAKE_NUMBERS or (name in ("min", "max") and len(node.args) > 1):
        for argument in node.args:
            yield argument, Kind.NUMBER


def _ordered(node: ast.Call) -> Iterator[tuple[ast.AST, Kind]]:
    """Yields what things are ordered by, and what is summed up."""
    for keyword in node.keywords:
        if keyword.arg == "key" and isinstance(keyword.value, ast.Lambda):
            body = keyword.value.body
            yield from ((part, Kind.NUMBER) for part in (body.elts if isinstance(body, ast.Tuple) else [body]))
    if called(node) == "sum" and node.args and isinstance(node.args[0], ast.GeneratorExp | ast.ListComp):
        yield node.args[0].elt, Kind.NUMBER


def _tests(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield node.test
    elif isinstance(node, ast.BoolOp):
        yield from node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
