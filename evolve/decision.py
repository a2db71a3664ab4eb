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

_INT64 = range(-(1 << 63), 1 << 63)


def check(decision: Any, returns: Any) -> Any:
    """Returns the decision; an int where a float is wanted becomes one.

    Raises:
        InvalidDecision: it is not what the call asked for.
        ProblemError: ``returns`` is not a type that decisions can have.
    """
    if not checker(returns)(decision):
        raise InvalidDecision(f"expected {_name(returns)}, got {describe(decision)}")
    return float(decision) if returns is float else decision


@cache
def checker(returns: Any) -> Checker:
    """Returns a predicate for an annotation: plain types, list, dict, tuple, unions, Literal, ndarray."""
    if returns in _PLAIN:
        return _PLAIN[returns]
    origin, inner = typing.get_origin(returns), typing.get_args(returns)
    if origin is Literal:
        return _literal(inner)
    if origin in (types.UnionType, typing.Union):
        return _any_of([checker(option) for option in inner])
    if origin in (list, dict, tuple):
        return _CONTAINERS[origin](*(checker(item) for item in inner if item is not Ellipsis))
    if getattr(returns, "__name__", "") == "ndarray":
        return wire.is_array
    raise ProblemError(f"returns={returns!r}: a decision is a bool, int, float, str, list, dict, Literal or ndarray")


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


def _is_float(value: Any) -> bool:
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) <= 1 << 53)


def _is_any(value: Any) -> bool:
    try:
        wire.check(value)
    except wire.WireError:
        return False
    return True


_PLAIN: dict[Any, Checker] = {
    Any: _is_any,
    None: lambda value: value is None,
    type(None): lambda value: value is None,
    bool: lambda value: type(value) is bool,
    int: lambda value: type(value) is int and value in _INT64,
    float: _is_float,
    str: lambda value: type(value) is str,
    list: lambda value: type(value) is list and _is_any(value),
    dict: lambda value: type(value) is dict and _is_any(value),
}


def _literal(options: tuple[Any, ...]) -> Checker:
    allowed = {(type(option), option) for option in options}
    if {kind for kind, _ in allowed} == {str}:
        texts = frozenset(options)
        return lambda value: type(value) is str and value in texts
    return lambda value: type(value) in (str, int, bool, type(None)) and (type(value), value) in allowed


def _any_of(options: list[Checker]) -> Checker:
    return lambda value: any(option(value) for option in options)


def _list_of(item: Checker) -> Checker:
    return lambda value: type(value) is list and all(map(item, value))


def _dict_of(key: Checker, item: Checker) -> Checker:
    return lambda value: type(value) is dict and all(map(key, value)) and all(map(item, value.values()))


def _tuple_of(*items: Checker) -> Checker:
    return lambda value: (
        type(value) is list
        and len(value) == len(items)
        and all(item(part) for item, part in zip(items, value, strict=True))
    )


_CONTAINERS: dict[Any, Callable[..., Checker]] = {list: _list_of, dict: _dict_of, tuple: _tuple_of}


def _name(returns: Any) -> str:
    if typing.get_origin(returns) is Literal:
        return "one of " + ", ".join(repr(option) for option in typing.get_args(returns))
    return getattr(returns, "__name__", str(returns)) if typing.get_origin(returns) is None else str(returns)
