"""Frames of plain data between the judge and a sandboxed child.

A frame is a 4-byte little-endian length and that many bytes of msgpack.  Values are None, bool,
int64, finite float, str, list and dict with str or int keys; an array is an extension of a dtype,
a shape and exactly the bytes that these two imply.  Nothing is ever unpickled.
"""

import math
import struct
import sys
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    import numpy as np

HEADER = struct.Struct("<I")
MAX_REPLY_BYTES = 8 << 20
MAX_ITEMS = 1 << 20
MAX_DIMENSIONS = 8

ARRAY = 1
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
_ARRAY_HEADER = struct.Struct("<BB")


class WireError(ValueError):
    """The bytes or the value are not what the protocol allows; the message says which rule."""


def pack(value: Any) -> bytes:
    """Returns the frame of ``value``.

    Raises:
        WireError: the value has no place on the wire.
    """
    try:
        body = msgpack.packb(value, default=_plain)
    except OverflowError:
        raise WireError("an integer beyond 64 bits") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"not plain data: {error}") from None
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> Any:
    """Returns the value of a frame's body; memory stays within a small multiple of its length.

    Raises:
        WireError: it is not msgpack, nests too deeply or holds an unknown extension.
    """
    try:
        return msgpack.unpackb(
            body,
            strict_map_key=False,
            ext_hook=_extension,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
        )
    except WireError:
        raise
    except (ValueError, TypeError, RecursionError, OverflowError, msgpack.UnpackException):
        raise WireError("not a msgpack value") from None


def check(value: Any) -> None:
    """Refuses what msgpack knows and the contract does not: bytes, timestamps, NaN, huge integers.

    Raises:
        WireError: naming the first offence.
    """
    todo = [value]
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind is float:
            if not math.isfinite(item):
                raise WireError("a number that is not finite")
        elif kind is int:
            if not -(1 << 63) <= item < 1 << 63:
                raise WireError("an integer beyond 64 bits")
        elif kind is list:
            todo.extend(item)
        elif kind is dict:
            if any(type(key) is not str and type(key) is not int for key in item):
                raise WireError("a dict whose keys are neither str nor int")
            todo.extend(item.values())
        elif not (item is None or kind is bool or kind is str or is_array(item)):
            raise WireError(f"a value of type {kind.__name__}")


def is_array(value: Any) -> bool:
    """Says whether a value is a numpy array, without importing numpy for it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def _plain(value: Any) -> Any:
    """Turns numpy's scalars into numbers and its arrays into extensions; msgpack's ``default``."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    if is_array(value):
        return _pack_array(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _pack_array(array: "np.ndarray[Any, Any]") -> msgpack.ExtType:
    if array.dtype.name not in DTYPES or array.ndim > MAX_DIMENSIONS:
        raise TypeError(f"an array of {array.dtype.name} with {array.ndim} dimensions")
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
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(DTYPES[kind])
