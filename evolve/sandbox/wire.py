"""Frames of plain data between the judge and a sandboxed child.

A frame is a 4-byte little-endian length and that many bytes of msgpack.  Values are None, bool,
int64, finite float, str, list and dict with str or int keys; an array is an extension of a dtype,
a shape and exactly the bytes that these two imply.  Nothing is ever unpickled.
"""

import math
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    import numpy as np

HEADER = struct.Struct("<I")
MAX_FRAME_BYTES = (1 << 32) - 1
MAX_REPLY_BYTES = 8 << 20
MAX_ITEMS = 1 << 20
MAX_CONTAINERS = 1 << 18
MAX_DIMENSIONS = 8
MAX_DEPTH = 100
"""How deeply a decision may nest: far less than a packer bears, for a simulator may ask with what was decided."""

ARRAY = 1
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
_ARRAY_HEADER = struct.Struct("<BB")
_SMALL_BYTES = 1 << 10
"""Bodies up to this length need no limits but msgpack's own: no more items than bytes."""

_ALL_CONTAINERS = 1 << 23
"""Lists, dicts and arrays in all large bodies of one sender; empty ones take 64 bytes here and one there."""

_SLICE = 256
"""Pairs that are put into a dict without looking at the clock; they cannot collide for long."""

_PAIR_SECONDS = 0.5e-6
_HASHING_SECONDS = 0.5
"""CPU time that all dicts of one sender may take beyond ``_PAIR_SECONDS`` for each pair, which honest keys don't."""


class WireError(ValueError):
    """The bytes or the value are not what the protocol allows; the message says which rule."""


def pack(value: Any) -> bytes:
    """Returns the frame of ``value``.

    Raises:
        WireError: the value has no place on the wire.
    """
    try:
        body: bytes = _packer.pack(value)
    except OverflowError:
        raise WireError("an integer beyond 64 bits") from None
    except UnicodeEncodeError:
        raise WireError("a text that is not valid Unicode") from None
    except (TypeError, ValueError, RecursionError, struct.error) as error:
        raise WireError(f"not plain data: {error}") from None
    if len(body) > MAX_FRAME_BYTES:
        raise WireError("more than 4 GiB")
    return HEADER.pack(len(body)) + body


def unpack(body: bytes | memoryview, *, trusted: bool = False) -> Any:
    """Returns the value of a frame's body; unless ``trusted``, as a ``Reader`` does.

    Raises:
        WireError: it is not msgpack, nests too deeply, holds too many containers or an unknown extension.
    """
    if not trusted:
        return Reader().unpack(body)
    return _unpacked(body, {"strict_map_key": False, "ext_hook": _extension})


class Reader:
    """Unpacks what one stranger sends; what is cheap to send and costly to hold or to hash adds up over its bodies.

    Memory stays within some 30 times the length of a large body, and 64 times that of a small one.
    """

    def __init__(self) -> None:
        self._all_left, self._left = _ALL_CONTAINERS, 0
        self._hashing_seconds = _HASHING_SECONDS
        self._small = {"strict_map_key": False, "ext_hook": _extension, "object_pairs_hook": self._dict}
        self._large = {
            "strict_map_key": False,
            "max_array_len": MAX_ITEMS,
            "max_map_len": MAX_ITEMS,
            "list_hook": self._count,
            "object_pairs_hook": lambda pairs: self._dict(self._count(pairs)),
            "ext_hook": lambda code, data: self._count(_extension(code, data)),
        }

    def unpack(self, body: bytes | memoryview) -> Any:
        """Returns the value of a body.

        Raises:
            WireError: as ``unpack`` does, or all bodies together hold too many containers or keys that collide.
        """
        if len(body) <= _SMALL_BYTES:
            return _unpacked(body, self._small)
        self._left = may = min(MAX_CONTAINERS, self._all_left)
        value = _unpacked(body, self._large)
        self._all_left -= may - self._left
        return value

    def _count(self, container: Any) -> Any:
        """Refuses a body that is mostly empty lists, dicts and arrays: a few bytes each there, 64 and more here."""
        self._left -= 1
        if self._left < 0:
            at_once = self._all_left > MAX_CONTAINERS
            raise WireError(f"more than {MAX_CONTAINERS if at_once else _ALL_CONTAINERS} lists, dicts and arrays")
        return container

    def _dict(self, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        """Looks at the keys before they are hashed: those of msgpack's timestamps can be made to collide."""
        for key, _ in pairs:
            if type(key) is not str and type(key) is not int:
                raise WireError("a dict whose keys are neither str nor int")
        return dict(pairs) if len(pairs) <= _SLICE else self._large_dict(pairs)

    def _large_dict(self, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        """Builds a dict with an eye on the clock.

        Integers are their own hashes, so whoever chooses them can have each new key pass all others, and many
        thousands would take minutes in one go.  No rule for keys is as tight as the time that they take: only a
        slice is put in at once, and between two the watchdog has its turn.
        """
        found: dict[Any, Any] = {}
        for start in range(0, len(pairs), _SLICE):
            began = time.thread_time()
            found.update(pairs[start : start + _SLICE])
            self._hashing_seconds -= max(0.0, time.thread_time() - began - _SLICE * _PAIR_SECONDS)
            if self._hashing_seconds < 0:
                raise WireError("dicts whose keys collide")
        return found


def _unpacked(body: bytes | memoryview, how: dict[str, Any]) -> Any:
    try:
        return msgpack.unpackb(body, **how)
    except WireError:
        raise
    except MemoryError:
        raise WireError("more than memory holds") from None
    except (ValueError, TypeError, RecursionError, OverflowError, msgpack.UnpackException):
        raise WireError("what is not plain data") from None


def check(value: Any) -> None:
    """Refuses what msgpack knows and the contract does not: bytes, timestamps, NaN, huge integers, deep nesting.

    Raises:
        WireError: naming the first offence.
    """
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise WireError(f"lists and dicts nested more than {MAX_DEPTH} deep")
        level, depth = _below(level), depth + 1


def _below(level: list[Any]) -> list[Any]:
    """Returns what a level of lists and dicts holds, once it is checked itself."""
    below: list[Any] = []
    for item in level:
        kind = type(item)
        if kind is list:
            below.extend(item)
        elif kind is dict:
            if any(type(key) is not str and not _is_int64(key) for key in item):
                raise WireError("a dict whose keys are neither str nor int")
            below.extend(item.values())
        elif not _is_scalar(item) and not is_finite_array(item):
            raise WireError(f"a value that is not plain data, of type {kind.__name__}")
    return below


def _is_scalar(item: Any) -> bool:
    kind = type(item)
    return item is None or kind is bool or kind is str or (kind is float and math.isfinite(item)) or _is_int64(item)


def _is_int64(item: Any) -> bool:
    return type(item) is int and -(1 << 63) <= item < 1 << 63


def is_array(value: Any) -> bool:
    """Says whether a value is a numpy array, without importing numpy for it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def is_finite_array(value: Any) -> bool:
    """Says whether a value is an array that came over the wire and holds neither NaN nor infinity."""
    return is_array(value) and (value.dtype.kind != "f" or bool(sys.modules["numpy"].isfinite(value).all()))


def _plain(value: Any) -> Any:
    """Turns numpy's scalars into numbers and its arrays into extensions; msgpack's ``default``."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    if is_array(value):
        return _pack_array(value)
    if isinstance(value, int):
        raise OverflowError  # msgpack asks here before it gives up
    raise TypeError(f"a value of type {type(value).__name__}")


def _pack_array(array: "np.ndarray[Any, Any]") -> msgpack.ExtType:
    if array.dtype.name not in DTYPES or array.ndim > MAX_DIMENSIONS or array.nbytes > MAX_FRAME_BYTES:
        raise TypeError(f"an array of {array.dtype.name} with {array.ndim} dimensions and {array.nbytes} bytes")
    shape = struct.pack(f"<{array.ndim}I", *array.shape)
    head = _ARRAY_HEADER.pack(DTYPES.index(array.dtype.name), array.ndim)
    return msgpack.ExtType(ARRAY, head + shape + array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())


def _extension(code: int, data: bytes) -> Any:
    if code != ARRAY or len(data) < _ARRAY_HEADER.size:
        raise WireError("an unknown extension")
    kind, dimensions = _ARRAY_HEADER.unpack_from(data)
    start = _ARRAY_HEADER.size + 4 * dimensions
    if kind >= len(DTYPES) or dimensions > MAX_DIMENSIONS or len(data) < start:
        raise WireError("an array with a broken header")
    import numpy as np

    shape = struct.unpack_from(f"<{dimensions}I", data, _ARRAY_HEADER.size)
    dtype = np.dtype(DTYPES[kind]).newbyteorder("<")
    if math.prod(shape) * dtype.itemsize != len(data) - start:
        raise WireError("an array whose shape and length differ")
    flat = np.frombuffer(data, dtype, offset=start)
    if DTYPES[kind] == "bool":
        flat = flat.view(np.uint8) != 0  # a bool of any other byte than 0 and 1 would lie
    return flat.reshape(shape).astype(DTYPES[kind])


_packer = msgpack.Packer(default=_plain)  # begins anew after every value, also after one it refused
