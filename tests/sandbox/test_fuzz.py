"""Frames that a hostile child might send: whatever the bytes, the judge gets a legal decision or a named failure.

Two levels.  Bodies go through ``wire.unpack``, the reading of confessions and the check of decisions; whole
streams, with lies about their length, through the judge's end of a pipe.  ``make test`` sends ten thousand,
``make soak`` a million.
"""

import fcntl
import itertools
import math
import os
import random
import resource
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgpack
import numpy as np
import pytest

from evolve.judge.decision import check
from evolve.problem import InvalidDecision
from evolve.sandbox import Child, PolicyFailure, wire
from evolve.sandbox.failure import MAX_MESSAGE, reported
from evolve.sandbox.watchdog import Watchdog
from evolve.types import Limits, Verdict

FRAMES, MANY_FRAMES = 10_000, 1_000_000
LARGE_FRAMES, MANY_LARGE_FRAMES = 15, 300
STREAMS, MANY_STREAMS = 2_000, 100_000

FACTOR = 30
"""Bytes of memory that a byte of a frame may cost: ``wire.unpack`` promises it."""

OVERHEAD_BYTES = 16 << 20
SECONDS_A_FRAME = 0.25  # of CPU; no frame here took more than 0.02
SECONDS_A_MEBIBYTE = 2.0

RETURNS = (
    Any,
    None,
    bool,
    int,
    float,
    str,
    list,
    dict,
    tuple,
    list[int],
    list[list[float]],
    dict[str, int],
    dict[int, list[bool]],
    tuple[int, str],
    tuple[int, ...],
    int | None,
    float | list[float] | None,
    Literal["spot", "on_demand", 1, None],
    np.ndarray,
)
VERDICTS = tuple(Verdict)
LENGTHS = (0, 1, 2, 15, 16, 31, 32, 255, 256, 65_535, 65_536, 2**20, 2**20 + 1, 2**31 - 1, 2**31, 2**32 - 1)


def grown(rng: random.Random, depth: int = 0) -> Any:
    """Returns a value such as policies answer, or one that only looks like it."""
    kind = rng.choice((7, 8, 8, 10, 11)) if depth == 0 and rng.randrange(2) else rng.randrange(12 if depth < 5 else 8)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice([0, 1, -1, 2**31, -(2**63), 2**63 - 1, 2**64 - 1, rng.randrange(1000)])
    if kind == 2:
        return rng.choice([0.0, -0.0, 1.5, math.nan, math.inf, -math.inf, 5e-324, 1.7e308])
    if kind == 3:
        return "".join(rng.choices("a\x1b\0\u202eß\U0001f600\"'", k=rng.randrange(40)))
    if kind == 4:
        return rng.randbytes(rng.randrange(20))
    if kind == 5:
        return array(rng)
    if kind == 6:
        return rng.choice([msgpack.Timestamp(rng.randrange(2**34)), msgpack.ExtType(rng.randrange(128), b"\0" * 4)])
    if kind == 7:
        return [None, rng.choice([None, 0, -1, 10**9, "0", 2.5]), rng.choice([*VERDICTS, "FINE", None]), "why\x1b[2J"]
    if kind == 8:
        return [grown(rng, depth + 1) for _ in range(rng.randrange(5))]
    if kind == 9:
        return [rng.randrange(9)] * rng.choice([3, 300])
    keys = (rng.choice(["a", "b", 1, True, -5, 2.5, None, b"k", (1,), 2**63]) for _ in range(rng.randrange(4)))
    return {key: grown(rng, depth + 1) for key in keys}


def array(rng: random.Random) -> msgpack.ExtType:
    """Returns an array as it travels, of which some part may be a lie."""
    shape = [rng.choice([0, 1, 2, 3, 2**32 - 1]) for _ in range(rng.choice([0, 1, 1, 2, 9, 200]))]
    kind = rng.choice([*range(len(wire.DTYPES)), 99])
    head = struct.pack(f"<BB{len(shape)}I", kind, rng.choice([len(shape), 1, 255]), *shape)
    return msgpack.ExtType(wire.ARRAY, head + rng.randbytes(rng.choice([0, 1, 4, 8, 24, 72])))


def packed(value: Any) -> bytes:
    return msgpack.packb(value, strict_types=False, use_bin_type=True)


def spoilt(rng: random.Random, body: bytes) -> bytes:
    """Returns a body with bytes changed, left out, repeated or put in."""
    spoilt = bytearray(body)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(spoilt) + 1)
        how = rng.randrange(5)
        if how == 0 and at < len(spoilt):
            spoilt[at] = rng.randrange(256)
        elif how == 1:
            del spoilt[at : at + rng.randrange(1, 9)]
        elif how == 2:
            spoilt[at:at] = spoilt[at : at + 30] * rng.randrange(1, 20)
        elif how == 3:
            spoilt[at:at] = header(rng)
        else:
            spoilt[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(spoilt)


def header(rng: random.Random) -> bytes:
    """Returns the beginning of a list, dict, text, bytes or extension that claims a length."""
    length = rng.choice(LENGTHS)
    kind, size = rng.choice([(0xDC, 2), (0xDD, 4), (0xDE, 2), (0xDF, 4), (0xD9, 1), (0xDA, 2), (0xDB, 4), (0xC4, 1)])
    if rng.randrange(4) == 0:
        kind, size = rng.choice([(0xC5, 2), (0xC6, 4), (0xC7, 1), (0xC8, 2), (0xC9, 4), (0xC1, 1), (0xD8, 1)])
    return bytes([kind]) + (length % (1 << 8 * size)).to_bytes(size, "big")


def crafted(rng: random.Random) -> bytes:
    """Returns a body that was thought out: deep, wide, colliding, or of broken text."""
    count = rng.choice([10, 300, 3000])
    return rng.choice(
        [
            lambda: b"\x91" * count + b"\0",
            lambda: b"\x81\xa1a" * count + b"\0",
            lambda: (b"\xdd" + struct.pack(">I", 2**20)) * min(count, 600),
            lambda: (b"\xdf" + struct.pack(">I", 2**20)) * min(count, 600),
            lambda: packed([[]] * count),
            lambda: packed([{}] * count),
            lambda: packed(dict.fromkeys(range(count))),
            lambda: b"\xde" + struct.pack(">H", count) + packed("a") * 2 * count,
            lambda: b"\xde" + struct.pack(">H", count) + b"".join(timestamp(i) + b"\0" for i in range(count)),
            lambda: b"\xde" + struct.pack(">H", count) + b"".join(packed(i * (2**61 - 1)) + b"\0" for i in range(8)),
            lambda: b"\x82" + packed(2**61 - 1) + b"\0" + packed(0) + b"\0",
            lambda: b"\xa4\xff\xfe\xed\xa0",
            lambda: b"\xa3\xed\xa0\x80",
            lambda: packed(msgpack.ExtType(-1 % 128, rng.randbytes(12))),
            lambda: b"\xc7\x0c\xff" + rng.randbytes(12),
            lambda: packed([None, 0, "CRASHED", "x" * 60_000]),
            lambda: packed([None, 0, "CRASHED", "0x" + "f" * 60_000]),
        ]
    )()


def timestamp(number: int) -> bytes:
    return b"\xc7\x0c\xff" + struct.pack(">Iq", 0, number)


def body(rng: random.Random) -> bytes:
    how = rng.randrange(8)
    if how == 0:
        return rng.randbytes(rng.randrange(120))
    if how == 1:
        return crafted(rng)
    if how == 2:
        return spoilt(rng, crafted(rng))
    if how == 3:
        return packed(grown(rng))
    return spoilt(rng, packed(grown(rng)))


def small(rng: random.Random) -> list[bytes]:
    """Returns values of a few bytes, of which many must not become too large."""
    short = b"\x90 \x80 \x91\0 \x81\0\0 \xa1a \xc0 \xcd\x03\xe8 \xd4\x01\0 \xc4\x01a \xcb????????".split(b" ")
    return [*short, packed(2**64 - 1), packed(array(rng)), packed(no_array()), packed("a" * 200), timestamp(7)]


def no_array() -> msgpack.ExtType:
    return msgpack.ExtType(wire.ARRAY, struct.pack("<BB", 1, 0) + b"\0")


def large(rng: random.Random, unit: bytes) -> bytes:
    """Returns a body of the greatest length allowed, of many small values."""
    size = wire.MAX_REPLY_BYTES
    width = rng.choice([15, 1000, 2**20])
    row = b"\xdd" + struct.pack(">I", width) + unit * width
    if rng.randrange(2):
        row = b"\xdf" + struct.pack(">I", width) + b"".join(packed(i) + unit for i in range(min(width, 100_000)))
    rows = max(1, size // len(row))
    return (b"\xdd" + struct.pack(">I", rows) + row * rows)[:size]


def judged(data: bytes, returns: Any) -> str:
    """Takes a body as the judge takes an answer; returns what became of it."""
    try:
        value = wire.unpack(data)
    except wire.WireError as error:
        if str(error) == "more than memory holds":
            raise MemoryError from error
        return "no frame"
    failure = reported(value)
    assert failure.verdict is not Verdict.OK
    assert failure.message.isprintable()
    assert len(failure.message) <= MAX_MESSAGE
    legal = [accepted(value, wanted) for wanted in (returns, list, dict)]
    return "legal" if any(legal) else "refused"


def accepted(value: Any, returns: Any) -> bool:
    try:
        insist_on_plain(check(value, returns))
    except InvalidDecision as refused:
        assert len(str(refused)) < 500
        return False
    return True


def insist_on_plain(value: Any) -> None:
    """A legal decision holds nothing but what the contract names."""
    todo = [value]
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind is list:
            todo += item
        elif kind is dict:
            assert {type(key) for key in item} <= {str, int}
            todo += item.values()
        elif kind is np.ndarray:
            assert item.dtype.name in wire.DTYPES
            assert np.isfinite(item).all()
        else:
            assert item is None or kind in (bool, str, int, float)
            assert kind is not float or math.isfinite(item)
            assert kind is not int or -(2**63) <= item < 2**63


def swift(work: Callable[[], str], about: bytes) -> str:
    """Does what must take little time: again, where others, or the collector of garbage, may have taken it."""
    for _ in range(3):
        start = time.process_time()
        came = work()
        if time.process_time() - start < SECONDS_A_FRAME:
            return came
    raise AssertionError(about[:200].hex())


def fuzz_bodies(rng: random.Random, frames: int) -> dict[str, int]:
    """Returns how many frames came to what."""
    came: dict[str, int] = {}
    returns = itertools.cycle(RETURNS)
    for _ in range(frames):
        data = body(rng)
        what = swift(partial(judged, data, next(returns)), data)
        came[what] = came.get(what, 0) + 1
    return came


def fuzz_memory(rng: random.Random, frames: int) -> None:
    """Judges each frame in a process that has only so much memory for it; to be run where there are no threads."""
    for unit in itertools.islice(itertools.cycle(small(rng)), frames):
        data, returns = large(rng, unit), rng.choice(RETURNS)
        pid = os.fork()
        if pid == 0:
            allowed = mapped() + FACTOR * len(data) + OVERHEAD_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
            os._exit(has_memory_for(data, returns))
        _, status, used = os.wait4(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, (len(data), returns, data[:100].hex())
        assert used.ru_utime + used.ru_stime < SECONDS_A_FRAME + SECONDS_A_MEBIBYTE * len(data) / 2**20


def mapped() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * resource.getpagesize()


def has_memory_for(data: bytes, returns: Any) -> int:
    """Returns 0 if a frame is judged without an error, 1 if there is not enough memory, 2 otherwise."""
    try:
        judged(data, returns)
    except MemoryError:
        return 1
    except BaseException:  # noqa: BLE001
        return 2
    return 0


class Impostor:
    """A sandbox whose children are bytes: what a test writes to ``replies`` is what the judge hears."""

    NONCE = 2**63 + 12345

    def __init__(self) -> None:
        gone = os.posix_spawn("/bin/true", ["true"], {})
        self._pidfd = os.pidfd_open(gone)
        os.waitpid(gone, 0)
        self.watchdog, self.nonces = Watchdog(), itertools.repeat(self.NONCE)
        self.replies = -1

    def fork(self, descriptors: tuple[int, int, int], limits: Limits) -> int:
        self.replies = os.dup(descriptors[1])
        fcntl.fcntl(self.replies, fcntl.F_SETPIPE_SZ, 1 << 20)
        return os.dup(self._pidfd)

    def say(self, data: bytes) -> None:
        assert os.write(self.replies, data) == len(data)

    def hang_up(self) -> None:
        os.close(self.replies)
        self.replies = -1

    def wait(self) -> tuple[int, float]:
        return 0, 0.0

    def close(self) -> None:
        self.watchdog.close()
        os.close(self._pidfd)


@pytest.fixture
def impostor():
    impostor = Impostor()
    yield impostor
    impostor.close()


def stream(rng: random.Random) -> bytes:
    """Returns what a child might send in answer to a call: right, or wrong in length, number, order or content."""
    nonce = rng.choice([Impostor.NONCE] * 9 + [0, None, 1.5])
    answer = packed([nonce, [grown(rng) for _ in range(rng.choice([1, 1, 1, 1, 0, 2]))]])
    sent = wire.HEADER.pack(len(answer)) + answer
    how = rng.randrange(9)
    if how == 0:
        return sent
    if how == 1:
        return sent[: rng.randrange(len(sent))]
    if how == 2:
        return sent + rng.choice([b"\0", sent, rng.randbytes(30)])
    if how == 3:
        lie = rng.choice(
            [0, 1, len(answer) - 1, len(answer) + 1, wire.MAX_REPLY_BYTES, wire.MAX_REPLY_BYTES + 1, 2**32 - 1]
        )
        return wire.HEADER.pack(max(0, lie)) + answer
    if how == 4:
        return spoilt(rng, sent)
    if how == 5:
        return rng.randbytes(rng.randrange(60))
    other = body(rng)[: 1 << 19]
    confession = packed(
        [None, rng.choice([0, None, -7]), rng.choice(VERDICTS), "why\x1b]0;x\x07" * rng.choice([1, 99])]
    )
    data = rng.choice([other, confession, packed([]), packed([Impostor.NONCE, other])])
    return wire.HEADER.pack(len(data)) + data


def answered(impostor: Impostor, data: bytes, returns: Any, at_load: bool) -> str:
    """Drives a child that says ``data`` where an answer is due; returns what became of it."""
    opened = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    child = Child(impostor, Limits())  # type: ignore[arg-type]
    start_fork = impostor.fork

    def fork(descriptors: tuple[int, int, int], limits: Limits) -> int:
        pidfd = start_fork(descriptors, limits)
        impostor.say(b"L" + (data if at_load else wire.pack([])))
        if at_load:
            impostor.hang_up()
        return pidfd

    impostor.fork = fork  # type: ignore[method-assign]
    try:
        child.load("pass", [0])
        if at_load:
            return "loaded"
        impostor.say(data)
        impostor.hang_up()
        (decision,) = child.ask([(0, "guess", [1])])
        insist_on_plain(check(decision, returns))
    except PolicyFailure as failure:
        assert failure.verdict is not Verdict.OK
        assert failure.message.isprintable()
        return f"failed: {failure.message}"
    except InvalidDecision:
        return "refused"
    finally:
        impostor.fork = start_fork  # type: ignore[method-assign]
        child.close()
        if impostor.replies >= 0:
            impostor.hang_up()
        assert len(os.listdir("/proc/self/fd")) == opened  # noqa: PTH208
    return "legal"


def fuzz_streams(rng: random.Random, impostor: Impostor, streams: int) -> dict[str, int]:
    came: dict[str, int] = {}
    returns = itertools.cycle(RETURNS)
    for number in range(streams):
        data, wanted = stream(rng), Any if number % 2 else next(returns)
        what = swift(partial(answered, impostor, data, wanted, at_load=number % 5 == 0), data)
        came[what.partition(":")[0]] = came.get(what.partition(":")[0], 0) + 1
    return came


def test_no_frame_does_more_than_be_refused_or_be_a_legal_decision():
    came = fuzz_bodies(random.Random(1), FRAMES)
    assert sum(came.values()) == FRAMES
    assert min(came[what] for what in ("no frame", "refused", "legal")) > FRAMES // 50


@pytest.mark.soak
def test_a_million_frames_do_no_more():
    assert sum(fuzz_bodies(random.Random(2), MANY_FRAMES).values()) == MANY_FRAMES


def alone(seed: int, frames: int) -> None:
    subprocess.run([sys.executable, __file__, str(seed), str(frames)], check=True)


def test_no_frame_takes_more_memory_than_promised():
    alone(3, LARGE_FRAMES)


@pytest.mark.soak
def test_hundreds_of_frames_take_no_more_memory_than_promised():
    alone(4, MANY_LARGE_FRAMES)


def test_no_stream_of_bytes_does_more_than_fail_or_be_an_answer(impostor):
    came = fuzz_streams(random.Random(5), impostor, STREAMS)
    assert sum(came.values()) == STREAMS
    assert min(came[what] for what in ("legal", "failed", "refused")) > STREAMS // 100


@pytest.mark.soak
def test_a_hundred_thousand_streams_do_no_more(impostor):
    assert sum(fuzz_streams(random.Random(6), impostor, MANY_STREAMS).values()) == MANY_STREAMS


def test_a_stream_that_announces_gigabytes_has_no_memory_set_aside_for_it(impostor):
    tracemalloc.start()
    try:
        for size in (2**32 - 1, wire.MAX_REPLY_BYTES + 1, wire.MAX_REPLY_BYTES):
            what = answered(impostor, wire.HEADER.pack(size) + b"\xc0" * 1000, Any, at_load=False)
            assert what.startswith(
                "failed: the decisions take more than" if size > wire.MAX_REPLY_BYTES else "failed: "
            )
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    fuzz_memory(random.Random(int(sys.argv[1])), int(sys.argv[2]))
