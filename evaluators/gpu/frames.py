"""Frames of plain data over pipes, between a bench and the processes that work for it.

A frame is a 4-byte little-endian length and that many bytes of msgpack: None, bool, int, float (NaN too), str and
lists of them.  Lengths are limited, reading ends at a deadline, and nothing is ever unpickled.
"""

import os
import select
import struct
import time
from collections.abc import Callable
from typing import Any

import msgpack

_HEADER = struct.Struct("<I")
MAX_BYTES = 64 << 10
"""No message here is longer than a few lines of text."""


class FrameError(Exception):
    """What came is no frame, or the other side has ended; the message says which."""


class Late(Exception):  # noqa: N818 - an event, not a fault
    """Nothing whole came in time."""


class Pipes:
    """The two ends that one side holds: what it reads from and what it writes to; it closes them."""

    def __init__(self, incoming: int, outgoing: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._incoming, self._outgoing, self._clock = incoming, outgoing, clock
        self._pending = b""

    def send(self, message: list[Any]) -> None:
        """Sends a message.

        Raises:
            FrameError: it is too long, or the other side has ended.
        """
        body: bytes = msgpack.packb(message)
        if len(body) > MAX_BYTES:
            raise FrameError(f"a message of {len(body):,} bytes; at most {MAX_BYTES:,} are sent")
        data = memoryview(_HEADER.pack(len(body)) + body)
        try:
            while data:
                data = data[os.write(self._outgoing, data) :]
        except OSError as error:
            raise FrameError(f"the other side has ended ({error.strerror})") from None

    def receive(self, seconds: float | None = None) -> list[Any]:
        """Returns the next message; waits for ever where no limit is given.

        Raises:
            Late: it is not all there after so many seconds.
            FrameError: it is no frame, or the other side has ended.
        """
        deadline = None if seconds is None else self._clock() + seconds
        size: int = _HEADER.unpack(self._take(_HEADER.size, deadline))[0]
        if size > MAX_BYTES:
            raise FrameError(f"a frame of {size:,} bytes; at most {MAX_BYTES:,} were expected")
        body = self._take(size, deadline)
        try:
            message = msgpack.unpackb(body)
        except (ValueError, TypeError, msgpack.UnpackException):
            raise FrameError("what is not msgpack") from None
        if not isinstance(message, list) or not message or not isinstance(message[0], str):
            raise FrameError("a frame that is not a list that begins with a word")
        return message

    def close(self) -> None:
        """Closes both ends."""
        for descriptor in {self._incoming, self._outgoing}:
            os.close(descriptor)
        self._incoming = self._outgoing = -1

    def _take(self, count: int, deadline: float | None) -> bytes:
        while len(self._pending) < count:
            self._wait(deadline)
            chunk = os.read(self._incoming, 1 << 16)
            if not chunk:
                raise FrameError("the other side has ended")
            self._pending += chunk
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken

    def _wait(self, deadline: float | None) -> None:
        """Waits until something can be read; with ``poll``, for ``select`` knows no descriptor above 1023."""
        poll = select.poll()
        poll.register(self._incoming, select.POLLIN)
        left = None if deadline is None else max(0.0, deadline - self._clock())
        if not poll.poll(None if left is None else left * 1000):
            raise Late
