"""Wrong decisions with too few, too many, repeated or emptied elements: lists, dicts and arrays."""

import copy
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from evolve.conformance.way import Change, Kind, Unfit, Way, containers, leaves, pick, put
from evolve.sandbox import wire


def somewhere(change: Callable[[Any, Random], Any], *, inside: bool = False) -> Change:
    """Changes the decision itself, if it is a list or dict with elements, or one inside it."""

    def changed(decision: Any, _: Sequence[Any], random: Random) -> Any:
        found = [(path, item) for path, item in containers(decision) if item and bool(path) is inside]
        path, item = pick(found, random)
        return put(decision, path, change(item, random))

    return changed


def _kept(count: Callable[[int], int]) -> Callable[[Any, Random], Any]:
    def change(items: Any, random: Random) -> Any:
        kept = sorted(random.sample(range(len(items)), count(len(items))))
        whole = _listed(items)
        chosen = [whole[index] for index in kept]
        return dict(chosen) if type(items) is dict else chosen

    return change


def _listed(items: Any) -> Any:
    """Returns the elements of a list, or the pairs of a dict."""
    return list(items.items()) if type(items) is dict else items


def _one_more(items: Any, random: Random) -> Any:
    if type(items) is list:
        return [*items, random.choice(items)]
    key, value = random.choice(list(items.items()))
    return {**items, (key + "'" if type(key) is str else max(k for k in items if type(k) is int) + 1): value}


def _one_twice(items: Any, random: Random) -> Any:
    keys = list(range(len(items)) if type(items) is list else items)
    if len(keys) < 2:
        raise Unfit
    one, other = random.sample(keys, 2)
    items[one] = copy.deepcopy(items[other])
    return items


def _all_alike(which: Callable[[list[Any], Random], Any]) -> Callable[[Any, Random], Any]:
    def change(items: Any, random: Random) -> Any:
        value = which(list(items.values()) if type(items) is dict else items, random)
        if type(items) is dict:
            return {key: copy.deepcopy(value) for key in items}
        return [copy.deepcopy(value) for _ in items]

    return change


def _emptied(items: Any, _: Random) -> Any:
    return type(items)()


def _parts_emptied(items: Any, _: Random) -> Any:
    parts = [value for _, value in _listed(items)] if type(items) is dict else items
    if not any(type(part) in (list, dict) and part for part in parts):
        raise Unfit
    empty = [type(part)() if type(part) in (list, dict) else part for part in parts]
    return dict(zip(items, empty, strict=True)) if type(items) is dict else empty


def _together(*, empty: bool) -> Callable[[Any, Random], Any]:
    """Puts the elements of all lists among the parts into the first of these; the others are then empty, or gone."""

    def change(items: Any, _: Random) -> Any:
        keys = [key for key, part in (items.items() if type(items) is dict else enumerate(items)) if type(part) is list]
        if len(keys) < 2:
            raise Unfit
        items[keys[0]] = [element for key in keys for element in items[key]]
        for key in reversed(keys[1:]):
            items[key] = []
            if not empty:
                del items[key]
        return items

    return change


def _key_unknown(items: Any, random: Random) -> Any:
    if type(items) is not dict:
        raise Unfit
    key = random.choice(list(items))
    return {(_UNKNOWN[type(key)] if old == key else old): value for old, value in items.items()}


_UNKNOWN: dict[type, Any] = {str: "no such thing", int: 1 << 62}
_KEPT = {
    "one element missing": _kept(lambda size: size - 1),
    "half of the elements missing": _kept(lambda size: size // 2),
    "all elements but one missing": _kept(lambda size: 1 if size > 1 else 0),
}
SIZES = [
    *(Way(Kind.MISSING, about, somewhere(change)) for about, change in _KEPT.items()),
    *(Way(Kind.MISSING, f"in a part of it {about}", somewhere(change, inside=True)) for about, change in _KEPT.items()),
    Way(Kind.MISSING, "empty", somewhere(_emptied)),
    Way(Kind.EMPTY, "one part of it empty", somewhere(_emptied, inside=True)),
    Way(Kind.EMPTY, "all parts of it empty", somewhere(_parts_emptied)),
    Way(Kind.EXTRA, "one element too many", somewhere(_one_more)),
    Way(Kind.EXTRA, "in a part of it one element too many", somewhere(_one_more, inside=True)),
    Way(Kind.DUPLICATE, "one element in place of another", somewhere(_one_twice)),
    Way(Kind.DUPLICATE, "in a part of it one element in place of another", somewhere(_one_twice, inside=True)),
    Way(Kind.DUPLICATE, "its first element in place of all", somewhere(_all_alike(lambda items, _: items[0]))),
    Way(Kind.DUPLICATE, "its last element in place of all", somewhere(_all_alike(lambda items, _: items[-1]))),
    Way(
        Kind.DUPLICATE,
        "any one element in place of all",
        somewhere(_all_alike(lambda items, random: random.choice(items))),
    ),
    Way(Kind.TOGETHER, "all its parts put into one, the others empty", somewhere(_together(empty=True))),
    Way(Kind.TOGETHER, "all its parts put into one", somewhere(_together(empty=False))),
    Way(Kind.UNKNOWN, "a key that is not there", somewhere(_key_unknown)),
]


def _array(change: Callable[[Any, Random], Any]) -> Change:
    def changed(decision: Any, _: Sequence[Any], random: Random) -> Any:
        path, array = pick([leaf for leaf in leaves(decision) if wire.is_array(leaf[1])], random)
        if not array.ndim or not array.size:
            raise Unfit
        return put(decision, path, change(array, random))

    return changed


def _filled(value: float, kind: str, *, every: bool) -> Callable[[Any, Random], Any]:
    """Sets one value of an array of numbers of that kind, ``i`` or ``f``, or every one."""

    def change(array: Any, random: Random) -> Any:
        if array.dtype.kind != kind or array.dtype.itemsize < 4:
            raise Unfit
        changed = array.copy()
        changed.reshape(-1)[slice(None) if every else random.randrange(array.size)] = value
        return changed

    return change


def _fills(number: Kind, kind: str, *values: float) -> list[Way]:
    return [
        Way(number, f"{value:g} {where}", _array(_filled(value, kind, every=every)))
        for value in values
        for where, every in (("in one place", False), ("throughout", True))
    ]


def _row_twice(array: Any, random: Random) -> Any:
    if len(array) < 2:
        raise Unfit
    one, other = random.sample(range(len(array)), 2)
    array[one] = array[other]
    return array


ARRAYS = [
    Way(Kind.TYPE, "an array without dimensions", _array(lambda array, _: array.reshape(-1)[0:1].reshape(()))),
    Way(Kind.TYPE, "an array with one dimension more", _array(lambda array, _: array[None])),
    Way(Kind.TYPE, "an array of float64", _array(lambda array, _: array.astype("float64"))),
    Way(Kind.TYPE, "an array of bool", _array(lambda array, _: array.astype("bool"))),
    Way(Kind.TYPE, "a list in place of an array", _array(lambda array, _: array.tolist())),
    Way(Kind.MISSING, "one row missing", _array(lambda array, _: array[:-1])),
    Way(Kind.MISSING, "half of the rows missing", _array(lambda array, _: array[: len(array) // 2])),
    Way(Kind.MISSING, "no rows", _array(lambda array, _: array[:0])),
    Way(Kind.EXTRA, "one row too many", _array(lambda array, _: array[[*range(len(array)), 0]])),
    Way(Kind.DUPLICATE, "one row in place of another", _array(_row_twice)),
    Way(Kind.DUPLICATE, "its first row in place of all", _array(lambda array, _: array[[0] * len(array)])),
    *_fills(Kind.UNKNOWN, "i", -1, 2**30),
    *_fills(Kind.RANGE, "f", -1, 0, 1e30),
    *_fills(Kind.OTHER, "i", 0),
]
