"""Checks that a decision has exactly the type that a call asked for, before a simulator sees it.

Exact types only: ``True`` is no int, NaN is no float, and what a policy returned is never formatted.
"""

import math
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from evolve.problem import InvalidDecision, ProblemError
from evolve.sandbox import wire

Checker = Callable[[Any], bool]
Converter = Callable[[Any], Any]

_INT64 = range(-(1 << 63), 1 << 63)


def check(decision: Any, returns: Any) -> Any:
    """Returns the decision; a whole number where a float is wanted, also inside, becomes a float.

    Raises:
        InvalidDecision: it is not what the call asked for.
        ProblemError: ``returns`` is not a type that decisions can have.
    """
    accepts, convert = _compiled(returns)
    if not accepts(decision):
        raise InvalidDecision(f"expected {_name(returns)}, got {describe(decision)}{_odd_inside(decision, returns)}")
    return decision if convert is None else convert(decision)


def checker(returns: Any) -> Checker:
    """Returns a predicate for an annotation: plain types, list, dict, tuple, unions, Literal, ndarray.

    Raises:
        ProblemError: decisions cannot have that type.
    """
    return _compiled(returns)[0]


def describe(value: Any) -> str:
    """Returns a bounded description of an untrusted value that never runs code of its own."""
    kind = type(value)
    if kind in (bool, float, type(None)) or (kind is int and value in _INT64):
        return repr(value)
    if kind is str:
        shown = "".join(c if c.isprintable() else "?" for c in value[:40])
        return f"the text {shown!r}" if len(value) <= 40 else f"a text of {len(value)} characters"
    if kind in (list, dict):
        return f"a {kind.__name__} of {len(value)}"
    return f"a value of type {kind.__name__}"


def _odd_inside(decision: Any, returns: Any) -> str:
    """Returns what is wrong with a list or dict in words, where it can be named in a few."""
    if type(decision) not in (list, dict):
        return ""
    if flaw := _flaw(decision):
        return f", {flaw}"
    origin, inner = typing.get_origin(returns), typing.get_args(returns)
    if origin is not type(decision) or not inner:
        return ""
    accepts = checker(inner[-1])
    items = decision.items() if type(decision) is dict else enumerate(decision)
    odd = next(((key, value) for key, value in items if not accepts(value)), None)
    return "" if odd is None else f", with {describe(odd[1])} at {describe(odd[0])}"


def _flaw(decision: Any) -> str:
    """Returns what makes a decision one that no call can have asked for; empty where nothing does."""
    try:
        wire.check(decision)
    except wire.WireError as flaw:
        return str(flaw)
    return ""


def _compiled(returns: Any) -> tuple[Checker, Converter | None]:
    try:
        return _compile(returns)
    except TypeError:  # not hashable, so no type either
        raise _no_type(returns) from None


@cache
def _compile(returns: Any) -> tuple[Checker, Converter | None]:
    """Returns what accepts a decision, and what turns its whole numbers into floats where some can be."""
    if returns in _PLAIN:
        return _PLAIN[returns], float if returns is float else None
    origin, inner = typing.get_origin(returns), typing.get_args(returns)
    if origin is Literal:
        return _literal(inner), None
    if origin in (types.UnionType, typing.Union):
        return _union([_compile(option) for option in inner])
    if origin is tuple and Ellipsis in inner:
        return _list(_compile(inner[0]))
    if origin in _CONTAINERS:
        return _CONTAINERS[origin](*(_compile(item) for item in inner))
    if getattr(returns, "__name__", "") == "ndarray" or getattr(origin, "__name__", "") == "ndarray":
        return wire.is_finite_array, None
    raise _no_type(returns)


def _no_type(returns: Any) -> ProblemError:
    return ProblemError(
        f"returns={returns!r}: a decision is a bool, int, float, str, list, dict, tuple, Literal or ndarray"
    )


def _is_float(value: Any) -> bool:
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) <= 1 << 53)


def _is_plain(value: Any) -> bool:
    return not _flaw(value)


_PLAIN: dict[Any, Checker] = {
    Any: _is_plain,
    None: lambda value: value is None,
    type(None): lambda value: value is None,
    bool: lambda value: type(value) is bool,
    int: lambda value: type(value) is int and value in _INT64,
    float: _is_float,
    str: lambda value: type(value) is str,
    list: lambda value: type(value) is list and _is_plain(value),
    tuple: lambda value: type(value) is list and _is_plain(value),
    dict: lambda value: type(value) is dict and _is_plain(value),
}

_Compiled = tuple[Checker, Converter | None]


def _literal(options: tuple[Any, ...]) -> Checker:
    allowed = {(type(option), option) for option in options}
    if {kind for kind, _ in allowed} == {str}:
        texts = frozenset(options)
        return lambda value: type(value) is str and value in texts
    return lambda value: type(value) in (str, int, bool, type(None)) and (type(value), value) in allowed


def _union(options: list[_Compiled]) -> _Compiled:
    def convert(value: Any) -> Any:
        change = next(convert for accepts, convert in options if accepts(value))
        return value if change is None else change(value)

    return lambda value: any(accepts(value) for accepts, _ in options), _if_any(convert, *options)


def _list(item: _Compiled) -> _Compiled:
    accepts, change = item
    return (
        lambda value: type(value) is list and all(map(accepts, value)),
        None if change is None else lambda value: [change(part) for part in value],
    )


def _dict(key: _Compiled, item: _Compiled) -> _Compiled:
    (accepts_key, _), (accepts, change) = key, item
    return (
        lambda value: type(value) is dict and all(map(accepts_key, value)) and all(map(accepts, value.values())),
        None if change is None else lambda value: {name: change(part) for name, part in value.items()},
    )


def _tuple(*items: _Compiled) -> _Compiled:
    def accepts(value: Any) -> bool:
        return (
            type(value) is list
            and len(value) == len(items)
            and all(item(part) for (item, _), part in zip(items, value, strict=True))
        )

    def convert(value: Any) -> Any:
        return [part if change is None else change(part) for (_, change), part in zip(items, value, strict=True)]

    return accepts, _if_any(convert, *items)


def _if_any(convert: Converter, *parts: _Compiled) -> Converter | None:
    return convert if any(change is not None for _, change in parts) else None


_CONTAINERS: dict[Any, Callable[..., _Compiled]] = {list: _list, dict: _dict, tuple: _tuple}


def _name(returns: Any) -> str:
    if typing.get_origin(returns) is Literal:
        return "one of " + ", ".join(repr(option) for option in typing.get_args(returns))
    return getattr(returns, "__name__", str(returns)) if typing.get_origin(returns) is None else str(returns)
