"""One sandboxed policy as the judge sees it: load, ask, close.

The judge's end of the two pipes.  It never blocks for longer than the watchdog allows, never holds
more than a bounded answer, and trusts nothing that it reads.
"""

import contextlib
import fcntl
import os
import select
import signal
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from evolve.sandbox import failure, host, kernel, wire
from evolve.sandbox.failure import Ending, PolicyFailure, SandboxError
from evolve.types import Limits, Verdict

if TYPE_CHECKING:
    from evolve.sandbox.launcher import Sandbox

_LOCK_SECONDS = 60.0
"""How long a machine may take to lock a child before the sandbox counts as broken."""

MAX_ANSWERS_BYTES = 128 << 20
"""What a child may send in its life: the judge's time to read and check it is charged to nobody."""

_LINGER_SECONDS = 0.1
"""How long a child that has closed its pipe may take to end by itself."""


class Child:
    """One sandboxed policy.  Every failure of it is a ``PolicyFailure`` with its verdict."""

    def __init__(self, sandbox: "Sandbox", limits: Limits) -> None:
        self._sandbox, self._watchdog, self._limits = sandbox, sandbox.watchdog, limits
        self._output = kernel.memfd_create("output")
        self._requests, self._replies, self._pidfd = -1, -1, -1
        self._ending: Ending | None = None
        self._killed_for = ""
        self._left_bytes = MAX_ANSWERS_BYTES
        self._reader = wire.Reader()
        self._waited = 0.0

    @property
    def cpu_seconds(self) -> float:
        """CPU time that the kernel charged to a closed child; none if it was never started.

        Raises:
            ValueError: it is not closed yet.
        """
        if self._output >= 0:
            raise ValueError("the CPU time of a child is known once it is closed")
        return self._ending.cpu_seconds if self._ending else 0.0

    @property
    def waited_seconds(self) -> float:
        """How long the judge has waited for this child."""
        return self._waited

    def load(self, source: str, seed: int) -> None:
        """Starts the child and hands it the policy; to be called once.

        Raises:
            PolicyFailure: the policy did not load.
            SandboxError: the child could not be started or locked.
        """
        frame = _frame_of_source(source, seed)
        early = self._start(frame)
        self._watchdog.guard(self)
        self._watchdog.expect_answer_within(_LOCK_SECONDS, "could not be locked in time")
        if os.read(self._replies, 1) != host.LOCKED:
            raise SandboxError(f"a child could not be locked: {failure.printable(self._printed())}")
        self._watchdog.guard(self, self._limits.wall_seconds)
        self._watchdog.expect_answer_within(self._limits.call_seconds, self._late("load"))
        if not early:
            self._write(frame)
        reply = self._receive()
        self._watchdog.answered()
        if reply != []:
            raise failure.reported(reply)

    def ask(self, calls: Sequence[tuple[int, str, Sequence[Any]]]) -> list[Any]:
        """Returns one decision for each ``(case, function, arguments)``, in order; types are not checked.

        Raises:
            PolicyFailure: the policy failed on one of them.
            WireError: an argument has no place on the wire; nothing was asked.
        """
        nonce = next(self._sandbox.nonces)
        frame = wire.pack((nonce, calls))
        self._watchdog.expect_answer_within(self._limits.call_seconds, self._late("answer"))
        self._write(frame)
        reply = self._receive()
        self._watchdog.answered()
        if type(reply) is not list or len(reply) != 2 or type(reply[0]) is not int or reply[0] != nonce:
            raise failure.reported(reply)
        decisions = reply[1]
        if type(decisions) is not list or len(decisions) != len(calls):
            raise PolicyFailure(Verdict.FORBIDDEN, "the child answered another number of calls than it was asked")
        return decisions

    def close(self) -> str:
        """Kills and reaps the child; returns what it printed, at most ``host.MAX_PRINTED_BYTES``.

        Raises:
            SandboxError: the zygote has ended, and the child with it.
        """
        if self._output < 0:
            return ""
        try:
            self._end()
            return self._printed()
        finally:
            os.close(self._output)
            self._output = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def kill(self, why: str = "") -> None:
        """Kills the child at once; ``why`` is what its verdict, TIMED_OUT, will say."""
        self._killed_for = self._killed_for or why
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            kernel.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _start(self, frame: bytes) -> bool:
        """Forks the child; returns whether the frame, if the pipe can hold it, awaits it there already."""
        requests, self._requests = os.pipe2(os.O_CLOEXEC)
        self._replies, replies = os.pipe2(os.O_CLOEXEC)
        early = len(frame) <= fcntl.fcntl(requests, fcntl.F_GETPIPE_SZ)
        try:
            if early:
                os.write(self._requests, frame)
            self._pidfd = self._sandbox.fork((requests, replies, self._output), self._limits)
        finally:
            os.close(requests)
            os.close(replies)
        return early

    def _end(self, linger_seconds: float = 0.0) -> None:
        """Closes the pipes, kills the child unless it ends by itself in time, and has it reaped."""
        for descriptor in (self._requests, self._replies):
            if descriptor >= 0:
                os.close(descriptor)
        self._requests = self._replies = -1
        if self._pidfd < 0:
            return
        try:
            by_itself = linger_seconds > 0 and _readable(self._pidfd, linger_seconds)
            self._waited = self._watchdog.release()
            self.kill()
        finally:
            os.close(self._pidfd)
            self._pidfd = -1
        self._ending = Ending(*self._sandbox.wait(), by_itself)

    def _write(self, frame: bytes) -> None:
        try:
            sent = os.write(self._requests, frame)
            while sent < len(frame):
                sent += os.write(self._requests, memoryview(frame)[sent:])
        except BrokenPipeError:  # it has ended or reads no more; it may have said why
            if not _readable(self._replies, _LINGER_SECONDS):
                raise self._death() from None

    def _receive(self) -> Any:
        """Reads exactly one frame, which is all there may be; what was decided before may have left no memory."""
        try:
            return self._reader.unpack(memoryview(self._frame())[wire.HEADER.size :])
        except (wire.WireError, MemoryError) as error:
            what = "more than memory holds" if isinstance(error, MemoryError) else error
            raise PolicyFailure(Verdict.INVALID, f"returned {what}") from None

    def _frame(self) -> bytes:
        data = os.read(self._replies, 1 << 14)
        while len(data) < wire.HEADER.size:
            data += self._more(1 << 14)
        size = wire.HEADER.unpack_from(data)[0]
        if size > wire.MAX_REPLY_BYTES:
            raise PolicyFailure(
                Verdict.INVALID, f"the decisions take more than {wire.MAX_REPLY_BYTES >> 20} MiB, or are none"
            )
        self._left_bytes -= size
        if self._left_bytes < 0:
            raise PolicyFailure(Verdict.INVALID, f"all decisions take more than {MAX_ANSWERS_BYTES >> 20} MiB")
        return data if len(data) == wire.HEADER.size + size else self._rest(data, wire.HEADER.size + size)

    def _rest(self, data: bytes, size: int) -> bytes:
        whole = bytearray(data)
        while len(whole) < size:
            whole += self._more(min(size - len(whole) + 1, 1 << 20))
        if len(whole) > size:
            raise PolicyFailure(Verdict.FORBIDDEN, "the child sent more than its answer")
        return bytes(whole)

    def _more(self, at_most: int) -> bytes:
        chunk = os.read(self._replies, at_most)
        if not chunk:
            raise self._death()
        return chunk

    def _death(self) -> PolicyFailure:
        """Reaps a child that has closed a pipe and says why it ended."""
        self._end(_LINGER_SECONDS)
        assert self._ending is not None
        if self._killed_for:
            return PolicyFailure(Verdict.TIMED_OUT, self._killed_for)
        return failure.death(self._ending, self._limits)

    def _late(self, what: str) -> str:
        return f"did not {what} within {self._limits.call_seconds:g} s"

    def _printed(self) -> str:
        return os.pread(self._output, host.MAX_PRINTED_BYTES, 0).decode("utf-8", "replace")


def _readable(descriptor: int, within_seconds: float) -> bool:
    """Says whether a pipe has something or its end to read, or the process of a pidfd has ended."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1e3 * within_seconds))


def _frame_of_source(source: str, seed: int) -> bytes:
    try:
        return wire.pack([source, seed])
    except wire.WireError:  # surrogates have no UTF-8
        raise PolicyFailure(Verdict.CRASHED, "the source is not valid Unicode text") from None
