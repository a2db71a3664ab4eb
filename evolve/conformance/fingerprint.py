"""Fingerprints of cases, whatever they are made of, to see whether two are equal or one was changed."""

import copyreg
import hashlib
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from evolve.catalog import OF_A_FILE
from evolve.sandbox import wire

Blank = Callable[[str], bool]
_PLAIN = (type(None), bool, int, float, complex, bytes)
_NAMED = (type, FunctionType, BuiltinFunctionType, ModuleType)


class Incomparable(Exception):  # noqa: N818 - nothing failed
    """The value holds something that cannot be looked into, such as a generator or an open file."""


def fingerprint(value: Any, blank: Blank = lambda _: False) -> str | None:
    """Returns a hash of all that a value consists of, or None if it cannot be looked into.

    ``blank`` says which texts count as nothing, such as a label that holds the name of a split.
    """
    try:
        return _Print(blank).of(value)
    except (Incomparable, RecursionError):
        return None


class _Print:
    """Walks through a value and hashes what it meets."""

    def __init__(self, blank: Blank) -> None:
        self._blank = blank
        self._pieces: list[bytes] = []
        self._above: set[int] = set()

    def of(self, value: Any) -> str:
        self._add(value)
        return hashlib.sha256(b"\0".join(self._pieces)).hexdigest()

    def _add(self, value: Any) -> None:
        kind = type(value)
        if kind is str:
            self._pieces.append(b"" if self._blank(value) else b"str " + value.encode("utf-8", "surrogatepass"))
        elif kind in _PLAIN:
            self._pieces.append(f"{kind.__name__} {value!r}".encode())
        elif isinstance(value, _NAMED):
            self._pieces.append(f"{kind.__name__} {getattr(value, '__qualname__', None) or value!r}".encode())
        elif wire.is_array(value) and value.dtype.kind != "O":
            self._pieces.append(f"array {value.dtype} {value.shape} ".encode() + value.tobytes())
        elif id(value) in self._above:
            self._pieces.append(b"above")
        else:
            self._pieces.append(f"{_module(kind)}.{kind.__qualname__}".encode())
            self._above.add(id(value))
            self._add_parts(value)
            self._above.discard(id(value))

    def _add_parts(self, value: Any) -> None:
        if isinstance(value, (set, frozenset)):
            parts: Any = sorted(_Print(self._blank).of(item) for item in value)
        elif type(value) in (list, tuple):
            parts = value
        elif type(value) is dict:
            parts = [part for item in value.items() for part in item]
        else:
            parts = _state(value)
        self._pieces.append(b"%d" % len(parts))
        for part in parts:
            self._add(part)


def _module(kind: type) -> str:
    """Returns where a class is defined; for a file outside of packages nothing, for the name is made from its path."""
    return "" if kind.__module__.startswith(OF_A_FILE) else kind.__module__


def _state(value: Any) -> list[Any]:
    """Returns what `pickle` would keep of an object."""
    try:
        reducer = copyreg.dispatch_table.get(type(value))
        reduced = reducer(value) if reducer else value.__reduce_ex__(4)
    except Exception as error:
        raise Incomparable from error
    if isinstance(reduced, str):
        return [reduced]
    _, arguments, *more = reduced
    state, items, pairs = [*more[:3], None, None, None][:3]
    return [arguments, state, *(items or ()), *(part for pair in pairs or () for part in pair)]
