"""Frames: what they carry, what they refuse, and that no bytes can harm the reader."""

import random
import resource
import struct
import time
import tracemalloc
from datetime import UTC, datetime

import msgpack
import numpy as np
import pytest

from evolve.sandbox import wire


def carried(value):
    frame = wire.pack(value)
    assert wire.HEADER.unpack_from(frame)[0] == len(frame) - wire.HEADER.size
    return wire.unpack(frame[wire.HEADER.size :])


def extension(kind: int, dimensions: int, shape: tuple[int, ...], data: bytes = b"", code: int = wire.ARRAY) -> bytes:
    content = struct.pack(f"<BB{len(shape)}I", kind, dimensions, *shape) + data
    return msgpack.packb(msgpack.ExtType(code, content))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        2**63 - 1,
        -(2**63),
        0.5,
        -1e300,
        "",
        "naïve ✓",
        [],
        {},
        [1, [2, [3]]],
        {"a": {1: [None]}},
    ],
)
def test_plain_values_arrive_as_they_were_sent(value):
    arrived = carried(value)
    assert arrived == value
    assert type(arrived) is type(value)
    wire.check(arrived)


def test_a_tuple_arrives_as_a_list():
    assert carried((1, (2, 3))) == [1, [2, 3]]


@pytest.mark.parametrize("dtype", wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_arrays_of_every_type_arrive_writable_with_their_shape(dtype, shape):
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    arrived = carried(array)
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    assert np.array_equal(arrived, array)
    arrived[...] = 1


def test_arrays_of_another_byte_order_or_layout_arrive_equal():
    array = np.arange(12, dtype=">f8").reshape(3, 4)[:, ::2]
    assert np.array_equal(carried(array), array)


def test_numpy_scalars_arrive_as_plain_numbers():
    arrived = carried([np.int32(3), np.float64(0.5), np.bool_(True)])
    assert arrived == [3, 0.5, True]
    assert [type(item) for item in arrived] == [int, float, bool]


class Liar(int):
    """An integer that claims to be equal to everything."""

    def __eq__(self, other):
        return True

    __hash__ = int.__hash__

    def __int__(self):
        return 42

    __index__ = __int__


def test_a_lying_integer_arrives_as_the_number_it_is():
    arrived = carried(Liar(7))
    assert type(arrived) is int
    assert arrived == 7


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_list_inside_itself_cannot_be_sent():
    endless: list = []
    endless.append(endless)
    with pytest.raises(wire.WireError):
        wire.pack(endless)


@pytest.mark.parametrize(
    "value",
    [
        10**400,
        2**64,
        {1, 2},
        (x for x in "abc"),
        object(),
        1j,
        "\ud800",
        datetime(2020, 1, 1, tzinfo=UTC),
        np.longdouble(1),
        np.array([1j]),
        np.array(["text"]),
        np.array([object()]),
        np.zeros((1,) * 9),
        np.broadcast_to(np.int8(0), (0, 2**33)),
        nested(3000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_data_cannot_be_sent(value):
    with pytest.raises(wire.WireError):
        wire.pack(value)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        2**63,
        b"bytes",
        {2.5: 1},
        {None: 1},
        {2**63: 1},
        [{"deep": [b""]}],
        msgpack.Timestamp(0),
    ],
    ids=repr,
)
def test_what_msgpack_carries_beyond_the_contract_is_refused(value):
    with pytest.raises(wire.WireError):
        wire.check(carried(value))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_array_that_is_not_finite_is_refused(value):
    with pytest.raises(wire.WireError):
        wire.check(carried([np.array([1.0, value])]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x01\x01",
        b"\x91",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xa1\xff",
        b"\x81\x90\x01",
        b"\x91" * 5000 + b"\x01",
        msgpack.packb(msgpack.ExtType(5, b"")),
        msgpack.packb(msgpack.ExtType(wire.ARRAY, b"")),
        msgpack.packb(msgpack.ExtType(wire.ARRAY, b"\x00")),
        extension(len(wire.DTYPES), 1, (0,)),
        extension(0, 9, (1,) * 9, b"\0"),
        extension(1, 2, (1,)),
        extension(1, 1, (2,), b"\0"),
        extension(4, 1, (1,), b"\0" * 7),
        extension(1, 4, (2**32 - 1,) * 4),
        extension(1, 8, (0,) + (2**32 - 1,) * 7),
    ],
    ids=lambda body: body[:8].hex() or "nothing",
)
def test_bytes_that_are_no_frame_are_refused(body):
    with pytest.raises(wire.WireError):
        wire.unpack(body)


def test_a_bool_array_holds_nothing_but_zeros_and_ones():
    array = wire.unpack(extension(0, 1, (3,), b"\x00\x01\x07"))
    assert array.tolist() == [False, True, True]
    assert array.view(np.uint8).max() == 1


def test_a_body_of_empty_lists_is_refused_before_it_fills_memory():
    body = (b"\xdd" + struct.pack(">I", 1_000_000) + b"\x90" * 1_000_000) * 7
    body = b"\x97" + body
    tracemalloc.start()
    try:
        with pytest.raises(wire.WireError, match="lists, dicts and arrays"):
            wire.unpack(body)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body) + (64 << 20)
    finally:
        tracemalloc.stop()


def test_nested_lists_that_claim_to_be_long_do_not_exhaust_the_reader():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    body = (b"\xdd" + struct.pack(">I", wire.MAX_ITEMS)) * 400
    with pytest.raises(wire.WireError):
        wire.unpack(body + b"\0" * (4 << 20))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_no_garbage_does_more_than_be_refused():
    rng = random.Random(0)
    sample = wire.pack([None, {"a": [1.5, np.arange(3), True], 7: "text"}, [[], {}], 2**62])[wire.HEADER.size :]
    survived = 0
    for number in range(6000):
        if number % 2:
            body = rng.randbytes(rng.randrange(80))
        else:
            mutable = bytearray(sample)
            for _ in range(rng.randrange(1, 6)):
                mutable[rng.randrange(len(mutable))] = rng.randrange(256)
            body = bytes(mutable[: rng.randrange(1, len(mutable) + 1)])
        try:
            wire.check(wire.unpack(body))
            survived += 1
        except wire.WireError:
            pass
    assert 0 < survived < 6000


def test_keys_that_could_be_made_to_collide_are_refused_before_they_are_hashed():
    clashing = b"".join(b"\xc7\x0c\xff" + struct.pack(">Iq", 0, seconds) + b"\x00" for seconds in range(20_000))
    start = time.monotonic()
    with pytest.raises(wire.WireError, match="neither str nor int"):
        wire.unpack(b"\xdf" + struct.pack(">I", 20_000) + clashing)
    assert time.monotonic() - start < 1.0


def test_a_reply_of_nothing_but_tiny_arrays_is_refused():
    array = wire.pack(np.zeros((), dtype="int8"))[wire.HEADER.size :]
    with pytest.raises(wire.WireError, match="more than"):
        wire.unpack(b"\xdd" + struct.pack(">I", 500_000) + array * 500_000)


def deep(depth: int) -> bytes:
    return b"\x91" * depth + b"\x01"


def test_decisions_nest_no_deeper_than_what_can_be_asked_with():
    wire.check(wire.unpack(deep(wire.MAX_DEPTH)))
    wire.check([[1, {"a": 2}]] * 1000)
    with pytest.raises(wire.WireError, match="nested more than"):
        wire.check(wire.unpack(deep(wire.MAX_DEPTH + 1)))


def colliding(bits: int) -> list[int]:
    """Returns integers that a table of 2**bits cells can barely hold, half of which pass most of the others."""
    size = 1 << bits
    first = [0]
    while len(first) < size // 3:
        first.append((5 * first[-1] + 1) % size)
    cell = np.full(size, -1)
    cell[first] = np.arange(len(first))
    late, start = [], size
    while sum(map(len, late)) < size // 3 - 2:
        keys = np.arange(start, start := start + (1 << 20))
        keys, at, rest = (part[cell[keys % size] >= 0] for part in (keys, keys % size, keys))
        while rest.any():
            rest = rest >> 5
            at = (5 * at + rest + 1) % size
            keys, at, rest = (part[cell[at] >= 0] for part in (keys, at, rest))
        late.append(keys[cell[at] < len(first) // 4])
    return first + np.concatenate(late)[: size // 3 - 2].tolist()


def test_integers_that_collide_are_refused_before_they_take_long():
    body = wire.pack([dict.fromkeys(colliding(13), 0), 0])[wire.HEADER.size :]
    one, many = body[1:-1], 400
    start = time.thread_time()
    with pytest.raises(wire.WireError, match="keys collide"):
        wire.unpack(b"\xdc" + struct.pack(">H", many) + one * many)
    assert time.thread_time() - start < 4.0  # about 30 without


def test_what_collides_adds_up_over_the_bodies_of_one_sender():
    body = wire.pack(dict.fromkeys(colliding(13), 0))[wire.HEADER.size :]
    reader = wire.Reader()
    with pytest.raises(wire.WireError, match="keys collide"):
        for _ in range(400):
            reader.unpack(body)


@pytest.mark.parametrize("step", [1, 4096, 2**43 + 1])
def test_large_dicts_of_integers_without_malice_arrive_in_their_order(step):
    keys = list(range(0, 100_000 * step, step))[::-1]
    assert list(carried(dict.fromkeys(keys, 1))) == keys


def test_empty_lists_add_up_over_the_bodies_of_one_sender(monkeypatch):
    monkeypatch.setattr(wire, "_ALL_CONTAINERS", 5_000)
    reader, body = wire.Reader(), wire.pack([[]] * 2_000)[wire.HEADER.size :]
    for _ in range(2):
        assert len(reader.unpack(body)) == 2_000
    with pytest.raises(wire.WireError, match="more than 5000 lists"):
        reader.unpack(body)
