"""Dataclasses read from plain JSON, strictly: each key known and there, each value of its type, each number finite.

No key is there twice, and every text can be written.  Files of ours may have been edited by hand, or come from anybody.
"""

import dataclasses
import difflib
import json
import math
import re
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from evolve.text import brief

Kind = TypeVar("Kind")
_HALF = re.compile("[\ud800-\udfff]")


class Unreadable(ValueError):  # noqa: N818 - whoever reads the file says what follows
    """The text is not what it should be; the message says where, what was expected and what came."""


def read(kind: type[Kind], text: str) -> Kind:
    """Returns the dataclass that a JSON text holds.

    Its fields are texts, numbers, truth values, dataclasses, tuples and dicts by text of these, or one of them or None.

    Raises:
        Unreadable: it holds none, or something else besides.
    """
    try:
        return of(kind, json.loads(text, parse_constant=_constant, object_pairs_hook=_pairs))
    except Unreadable:
        raise
    except (ValueError, RecursionError, OverflowError) as error:
        raise Unreadable(f"it is no JSON ({brief(str(error), 120)})") from None


def of(kind: type[Kind], value: object) -> Kind:
    """Returns the same of what JSON was read into."""
    made: Kind = _value(kind, value, "")
    return made


def _constant(name: str) -> Any:
    raise Unreadable(f"{name} is no finite number")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object, of which JSON would let the last of two equal keys count."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise Unreadable(f"the key {brief(max(keys, key=keys.count), 80)!r} is there twice")
    return made


def _value(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _object(kind, value, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:  # of one kind and None
        return None if value is None else _value(next(one for one in inner if one is not NoneType), value, where)
    if origin is tuple:
        items = _checked(list, value, where)
        return tuple(_value(inner[0], item, f"{where}[{index}]") for index, item in enumerate(items))
    if origin is not None:
        return {key: _value(inner[1], item, _below(where, key)) for key, item in _checked(dict, value, where).items()}
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 1 << 1000 else math.inf
    return _checked(kind, value, where)


def _object(kind: Any, value: Any, where: str) -> Any:
    known = _hints(kind)
    for key in _checked(dict, value, where):
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
            raise Unreadable(f"unknown key {_below(where, key)!r}; {hint}")
    missing = [name for name in known if name not in value]
    if missing:
        raise Unreadable(f"the key {_below(where, missing[0])!r} is missing")
    return kind(**{name: _value(inner, value[name], _below(where, name)) for name, inner in known.items()})


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _checked(kind: Any, value: Any, where: str) -> Any:
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        found = brief(json.dumps(value), 60)
        raise Unreadable(f"{where or 'the whole'} should be {_NAMES[kind]}, and is {found}")
    texts = value if kind is dict else (value,) if kind is str else ()
    if any(map(_HALF.search, texts)):
        raise Unreadable(f"{where or 'the whole'} holds half of a character, which no UTF-8 text can")
    return value


def _below(where: str, key: str) -> str:
    return brief(f"{where}.{key}" if where else key, 80)


_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
