"""Ways to decide wrongly: each makes a wrong decision of a legal one.

They know nothing of any problem.  A list or dict can lack an element, have one too many or one twice; a
number can be negative, huge or the name of nothing; and anything can be of another type.
"""

import copy
import math
import typing
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Literal

from evolve.conformance.elements import ARRAYS, SIZES, somewhere
from evolve.conformance.way import Change, Kind, Unfit, Way, containers, leaves, pick, put


def ways(returns: Any) -> list[Way]:
    """Returns all ways to decide wrongly where decisions have that type."""
    return [*_TYPES, *SIZES, *_NUMBERS, *_TEXTS, *ARRAYS, *_ORDERS, *_choices(returns)]


def foreign(value: Any, returns: Any) -> bool:
    """Says whether a value can be no decision of a type, for types so plain that there is no doubt."""
    if type(value) is float and not math.isfinite(value):
        return True
    if type(value) is int and not -(1 << 63) <= value < 1 << 63:
        return True
    origin = typing.get_origin(returns) or returns
    if origin is Literal:
        return type(value) not in {type(option) for option in typing.get_args(returns)}
    allowed = _ALLOWED.get(origin) if isinstance(origin, type) else None
    return allowed is not None and type(value) not in allowed


def loose(returns: Any) -> bool:
    """Says whether a type leaves open what decisions consist of."""
    return returns in (Any, list, dict, tuple) or any(loose(part) for part in typing.get_args(returns))


_ALLOWED = {int: (int,), float: (float, int), bool: (bool,), str: (str,), list: (list,), dict: (dict,), tuple: (list,)}


# Values of another type, as the whole decision and in place of one value in it.


def _whole(value: Any) -> Change:
    return lambda *_: copy.deepcopy(value)


def _inner(value: Any) -> Change:
    def change(decision: Any, _: Sequence[Any], random: Random) -> Any:
        path = pick([leaf for leaf in leaves(decision) if leaf[0]], random)[0]
        return put(decision, path, copy.deepcopy(value))

    return change


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


_JUNK: dict[str, Any] = {
    "None": None,
    "True": True,
    "0": 0,
    "0.5": 0.5,
    'the text "5"': "5",
    "NaN": math.nan,
    "infinity": math.inf,
    "2**63": 1 << 63,
    "[]": [],
    "{}": {},
    "[None]": [None],
    "a dict in a list": [{"0": [0, "a", None]}],
    "twenty nested lists": _nested(20),
}
_TYPES = [
    *(Way(Kind.TYPE, f"{name} as the decision", _whole(value)) for name, value in _JUNK.items()),
    *(Way(Kind.TYPE, f"{name} in place of one value", _inner(value)) for name, value in _JUNK.items()),
]


# Numbers and texts that name nothing or are far too large.


def _value(kind: type, make: Callable[[Any, Sequence[Any]], Any], *, every: bool = False) -> Change:
    """Changes one value of a type in the decision, or every one."""

    def change(decision: Any, arguments: Sequence[Any], random: Random) -> Any:
        found = [(path, value) for path, value in leaves(decision) if type(value) is kind]
        for path, value in found if every and found else [pick(found, random)]:
            decision = put(decision, path, make(value, arguments))
        return decision

    return change


def _constant(value: Any) -> Callable[[Any, Sequence[Any]], Any]:
    """Returns what makes the same value of every other."""
    return lambda *_: value


def _beyond(_: Any, arguments: Sequence[Any]) -> int:
    """Returns the first index that lies outside every list of the question."""
    return max((len(item) for _, item in containers(list(arguments))), default=1)


def _numbers(kind: type, number: Kind, about: str, make: Callable[[Any, Sequence[Any]], Any]) -> list[Way]:
    return [
        Way(number, f"{about} in place of one number", _value(kind, make)),
        Way(number, f"{about} in place of every number", _value(kind, make, every=True)),
    ]


_NUMBERS = [
    *_numbers(int, Kind.UNKNOWN, "-1", _constant(-1)),
    *_numbers(int, Kind.UNKNOWN, "2**62", _constant(1 << 62)),
    *_numbers(int, Kind.UNKNOWN, "-2**63", _constant(-(1 << 63))),
    *_numbers(int, Kind.RANGE, "the first index beyond", _beyond),
    *_numbers(int, Kind.OTHER, "0", _constant(0)),
    *_numbers(float, Kind.RANGE, "a negative number", lambda value, _: -abs(value) - 1.0),
    *_numbers(float, Kind.RANGE, "1e300", _constant(1e300)),
    *_numbers(float, Kind.RANGE, "1e-300", _constant(1e-300)),
    *_numbers(float, Kind.RANGE, "0.0", _constant(0.0)),
]
_TEXTS = [
    Way(Kind.UNKNOWN, "an unknown text", _value(str, _constant("no such thing"))),
    Way(Kind.UNKNOWN, "unknown texts throughout", _value(str, _constant("no such thing"), every=True)),
    Way(Kind.UNKNOWN, "a text of control characters", _value(str, _constant("\x1b[2J\x00\n"))),
    Way(Kind.UNKNOWN, "an empty text", _value(str, _constant(""))),
]


# Decisions that may well be legal: a bound must hold for them too.


def _from_question(choose: Callable[..., Any]) -> Change:
    """Decides for the least or largest of what the decision was chosen from, as far as the question shows it."""

    def change(decision: Any, arguments: Sequence[Any], _: Random) -> Any:
        if type(decision) not in (int, str):
            raise Unfit
        for _path, options in containers(list(arguments)):
            alike = [option for option in options if type(option) is type(decision)]
            if decision in alike:
                return choose(alike)
        raise Unfit

    return change


def _reordered(order: Callable[[list[Any], Random], list[Any]]) -> Change:
    def change(items: Any, random: Random) -> Any:
        if type(items) is not list:
            raise Unfit
        return order(items, random)

    return somewhere(change)


def _exchanged(items: list[Any], random: Random) -> list[Any]:
    if len(items) < 2:
        raise Unfit
    one, other = random.sample(range(len(items)), 2)
    items[one], items[other] = items[other], items[one]
    return items


_ORDERS = [
    Way(Kind.OTHER, "two elements exchanged", _reordered(_exchanged)),
    Way(Kind.OTHER, "the opposite order", _reordered(lambda items, _: items[::-1])),
    Way(Kind.OTHER, "another order", _reordered(lambda items, random: random.sample(items, len(items)))),
    Way(Kind.OPTION, "the smallest that there is", _from_question(min)),
    Way(Kind.OPTION, "the largest that there is", _from_question(max)),
]


def _choices(returns: Any) -> list[Way]:
    """Returns a way for each value that decisions can have, where the type lists them."""
    options = (True, False) if returns is bool else typing.get_args(returns)
    if returns is not bool and typing.get_origin(returns) is not Literal:
        return []
    return [Way(Kind.OPTION, repr(option), _whole(option)) for option in options]
