"""The trusted side of the sandbox: starts children, asks them, kills them, and names what went wrong."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack

from evolve.sandbox import host, seccomp, wire, zygote
from evolve.types import EvolveError, Limits, Verdict

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_BOOT = "import sys; sys.path[:0] = sys.argv[2:]; from evolve.sandbox.zygote import main; main(sys.argv[1].split())"
_START_SECONDS = 60.0
_PIPE_BYTES = 60 << 10
_FAILURES = frozenset({Verdict.CRASHED, Verdict.INVALID, Verdict.OUT_OF_MEMORY, Verdict.FORBIDDEN})


class SandboxError(EvolveError):
    """The sandbox itself failed: a fault of ours or of the machine, never of a policy."""


class PolicyFailure(Exception):  # noqa: N818 - it carries a verdict
    """A policy did not answer as it should; ``case`` is the one it was answering, where known."""

    def __init__(self, verdict: Verdict, message: str, case: int | None = None) -> None:
        super().__init__(message)
        self.verdict, self.message, self.case = verdict, message, case


@dataclass(frozen=True, slots=True)
class Usage:
    """What the kernel accounted to a child that has ended."""

    cpu_seconds: float
    peak_mib: float


class Sandbox:
    """A zygote and the children it forks; one child is used at a time."""

    def __init__(self, extra_imports: tuple[str, ...] = ()) -> None:
        if not seccomp.supported():
            raise SandboxError(
                "the sandbox needs Linux on x86-64 (system-call filters); on other machines run evolve in "
                "a Linux virtual machine or container"
            )
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_START_SECONDS)
        self._process = _start_zygote(theirs, extra_imports)
        self._watchdog = _Watchdog()
        self._number = 0
        try:
            (_, self.zygote_pid, self.unprivileged), _ = self._receive()
        except SandboxError:
            self.close()
            raise

    def start(self, source: str, seeds: Sequence[int] = (), limits: Limits | None = None) -> "Child":
        """Returns a locked child that has loaded a policy; ``seeds[case]`` seeds what a case draws.

        Raises:
            PolicyFailure: the policy did not load.
            SandboxError: the child could not be started or locked.
        """
        limits = limits or Limits()
        child = Child(self, limits)
        try:
            child.load(source, seeds)
        except BaseException:
            child.close()
            raise
        return child

    def fork_and_exit(self) -> None:
        """Forks a child that ends at once and reaps it: what the price of a sandbox is compared with."""
        self.fork([], Limits(), zygote.FORK_ONLY)
        self.wait()

    def fork(self, descriptors: Sequence[int], limits: Limits, what: str = zygote.FORK) -> int:
        """Has the zygote fork; returns the child's pidfd."""
        self._number += 1
        message = msgpack.packb([what, self._number, astuple(limits)])
        try:
            socket.send_fds(self._control, [message], list(descriptors))
        except OSError as error:
            raise self._gone() from error
        (kind, number), pidfds = self._receive()
        if kind != "started" or number != self._number or len(pidfds) != 1:
            raise SandboxError("the sandbox's zygote answered out of turn")
        return pidfds[0]

    def wait(self) -> tuple[int, Usage]:
        """Waits for the child to be reaped; returns its wait status and usage."""
        (kind, number, status, cpu_seconds, peak_kib), _ = self._receive()
        if kind != "exited" or number != self._number:
            raise SandboxError("the sandbox's zygote answered out of turn")
        return status, Usage(cpu_seconds, peak_kib / 1024)

    @property
    def watchdog(self) -> "_Watchdog":
        """Keeps the deadlines of this sandbox's child."""
        return self._watchdog

    def close(self) -> None:
        """Ends the zygote and its children."""
        self._control.close()
        self._watchdog.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _receive(self) -> tuple[list[Any], list[int]]:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, zygote.MAX_MESSAGE, 1)
        except OSError as error:
            raise self._gone() from error
        if not message:
            raise self._gone()
        kind, *details = msgpack.unpackb(message)
        if kind == "broken":
            raise SandboxError(f"the sandbox's zygote failed: {details[0]}")
        return [kind, *details], descriptors

    def _gone(self) -> SandboxError:
        return SandboxError("the sandbox's zygote has ended; was it killed, or is the machine out of memory?")


def _start_zygote(control: socket.socket, extra_imports: tuple[str, ...]) -> subprocess.Popen[bytes]:
    paths = [str(Path(entry).resolve()) for entry in sys.path if entry]

    def place_control() -> None:
        os.dup2(control.fileno(), zygote.CONTROL)
        os.set_inheritable(zygote.CONTROL, True)

    command = [sys.executable, "-s", "-P", "-B", "-c", _BOOT, " ".join(extra_imports), *paths]
    process = subprocess.Popen(
        command,
        env=_ENVIRONMENT,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(control.fileno(), zygote.CONTROL),
        preexec_fn=place_control,  # noqa: PLW1509 - only dup2, before any thread of ours runs there
    )
    control.close()
    return process


class Child:
    """One sandboxed policy: load, ask, close.  Every failure is a ``PolicyFailure`` with its verdict."""

    def __init__(self, sandbox: Sandbox, limits: Limits) -> None:
        self._sandbox, self._limits = sandbox, limits
        self._output = os.memfd_create("output", os.MFD_CLOEXEC)
        self._requests, self._replies, self._pidfd = -1, -1, -1
        self._ended: tuple[int, Usage] | None = None
        self._killed_for = ""

    @property
    def usage(self) -> Usage:
        """CPU and memory of a closed child."""
        if self._ended is None:
            raise ValueError("a child's usage is known once it is closed")
        return self._ended[1]

    @property
    def pidfd(self) -> int:
        """The descriptor that the watchdog kills by."""
        return self._pidfd

    def load(self, source: str, seeds: Sequence[int]) -> None:
        """Forks the child and hands it the policy."""
        requests, self._requests = os.pipe2(os.O_CLOEXEC)
        self._replies, replies = os.pipe2(os.O_CLOEXEC)
        frame = _frame_of_source(source, seeds)
        early = len(frame) <= _PIPE_BYTES  # then the pipe holds it before the child is born
        try:
            if early:
                self._write(frame)
            self._pidfd = self._sandbox.fork((requests, replies, self._output), self._limits)
        finally:
            os.close(requests)
            os.close(replies)
        self._sandbox.watchdog.watch(self, self._limits.wall_seconds)
        self._expect_lock()
        if not early:
            self._write(frame)
        self._receive(None)

    def ask(self, calls: Sequence[tuple[int, str, Sequence[Any]]]) -> list[Any]:
        """Returns one decision for each ``(case, function, arguments)``, in order.

        Raises:
            PolicyFailure: the policy failed on one of them.
        """
        nonce = secrets.randbits(62)
        watchdog = self._sandbox.watchdog
        watchdog.expect_answer_within(self._limits.call_seconds)
        self._write(wire.pack((nonce, calls)))
        reply = self._receive(nonce)
        watchdog.expect_answer_within(None)
        if type(reply) is not list or len(reply) != len(calls):
            raise PolicyFailure(Verdict.FORBIDDEN, "the child answered another number of calls than it was asked")
        return reply

    def close(self) -> str:
        """Kills and reaps the child; returns what it printed, at most ``host.MAX_PRINTED_BYTES``."""
        if self._output < 0:
            return ""
        self._end()
        printed = os.pread(self._output, host.MAX_PRINTED_BYTES, 0)
        os.close(self._output)
        self._output = -1
        return printed.decode("utf-8", "replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def kill(self, why: str = "") -> None:
        """Kills the child at once; ``why`` is what the verdict will say."""
        self._killed_for = self._killed_for or why
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself

    def _end(self) -> None:
        for descriptor in (self._requests, self._replies):
            if descriptor >= 0:
                os.close(descriptor)
        self._requests = self._replies = -1
        if self._pidfd >= 0:
            self._sandbox.watchdog.forget()
            self.kill()
            self._ended = self._sandbox.wait()
            os.close(self._pidfd)
            self._pidfd = -1

    def _expect_lock(self) -> None:
        if os.read(self._replies, 1) != host.LOCKED:
            if self._killed_for:
                raise PolicyFailure(Verdict.TIMED_OUT, self._killed_for)
            raise SandboxError(
                f"a child could not be locked: {os.pread(self._output, 500, 0).decode('utf-8', 'replace')}"
            )

    def _write(self, frame: bytes) -> None:
        try:
            sent = os.write(self._requests, frame)
            while sent < len(frame):
                sent += os.write(self._requests, frame[sent:])
        except BrokenPipeError:
            raise self._death() from None

    def _receive(self, nonce: int | None) -> Any:
        """Reads one frame: ``[]`` after loading, ``[nonce, decisions]``, or a failure of four items."""
        data = os.read(self._replies, 1 << 16)
        while len(data) < wire.HEADER.size:
            data += self._more()
        size = wire.HEADER.unpack_from(data)[0]
        if size > wire.MAX_REPLY_BYTES:
            raise PolicyFailure(Verdict.INVALID, f"the decisions take more than {wire.MAX_REPLY_BYTES >> 20} MiB")
        size += wire.HEADER.size
        if len(data) < size:
            data = self._rest(data, size)
        if len(data) > size:
            raise PolicyFailure(Verdict.FORBIDDEN, "the child sent more than its answer")
        try:
            reply = wire.unpack(data[wire.HEADER.size :])
        except wire.WireError as error:
            raise PolicyFailure(Verdict.FORBIDDEN, f"the child sent {error}") from None
        if nonce is not None and type(reply) is list and len(reply) == 2 and reply[0] == nonce:
            return reply[1]
        if nonce is None and reply == []:
            return reply
        raise _reported(reply)

    def _rest(self, data: bytes, size: int) -> bytes:
        chunks, got = [data], len(data)
        while got < size:
            chunks.append(self._more())
            got += len(chunks[-1])
        return b"".join(chunks)

    def _more(self) -> bytes:
        chunk = os.read(self._replies, 1 << 20)
        if not chunk:
            raise self._death()
        return chunk

    def _death(self) -> PolicyFailure:
        """Reaps a child that has closed its pipe and says why it ended."""
        self._end()
        assert self._ended is not None
        status, usage = self._ended
        if self._killed_for:
            return PolicyFailure(Verdict.TIMED_OUT, self._killed_for)
        if os.WIFEXITED(status):
            return PolicyFailure(Verdict.CRASHED, f"exited with status {os.WEXITSTATUS(status)} instead of answering")
        number = os.WTERMSIG(status)
        if number == signal.SIGSYS:
            return PolicyFailure(Verdict.FORBIDDEN, "made a system call that no policy needs, and was killed")
        if number in (signal.SIGXCPU, signal.SIGKILL) and usage.cpu_seconds > 0.9 * self._limits.cpu_seconds:
            return PolicyFailure(Verdict.TIMED_OUT, f"used up {self._limits.cpu_seconds:g} s of CPU")
        if number == signal.SIGKILL:
            return PolicyFailure(Verdict.CRASHED, "closed its pipe instead of answering")
        return PolicyFailure(Verdict.CRASHED, f"was killed by {signal.Signals(number).name}")


def _frame_of_source(source: str, seeds: Sequence[int]) -> bytes:
    try:
        return wire.pack([source, list(seeds)])
    except wire.WireError:  # surrogates have no UTF-8
        raise PolicyFailure(Verdict.CRASHED, "the source is not valid Unicode text") from None


def _reported(reply: Any) -> PolicyFailure:
    """Turns a child's report of an exception into a failure; its text is data from a stranger."""
    if type(reply) is list and len(reply) == 4 and type(reply[2]) is str and type(reply[3]) is str:
        case = reply[1] if type(reply[1]) is int else None
        if reply[0] is None and reply[2] in _FAILURES:
            return PolicyFailure(Verdict(reply[2]), printable(reply[3]), case)
    return PolicyFailure(Verdict.FORBIDDEN, "the child answered a call that was not asked")


def printable(text: str) -> str:
    """Returns at most 300 characters of text from a policy, on one line and without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[: host.MAX_MESSAGE]).strip()


class _Watchdog:
    """A thread that kills the child when its wall time or the time of one call is over."""

    _TICK_SECONDS = 0.02

    def __init__(self) -> None:
        self._child: Child | None = None
        self._wall_deadline = self._call_deadline = float("inf")
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sandbox watchdog", daemon=True)
        self._thread.start()

    def watch(self, child: Child, wall_seconds: float) -> None:
        self._wall_seconds = wall_seconds
        self._wall_deadline = time.monotonic() + wall_seconds
        self._call_deadline = float("inf")
        self._child = child
        self._awake.set()

    def expect_answer_within(self, seconds: float | None) -> None:
        self._call_deadline = float("inf") if seconds is None else time.monotonic() + seconds

    def forget(self) -> None:
        with self._lock:  # afterwards the pidfd may be closed
            self._child = None
            self._awake.clear()

    def close(self) -> None:
        self._closed = True
        self._awake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            self._awake.wait()
            with self._lock:
                self._check()
            time.sleep(self._TICK_SECONDS)

    def _check(self) -> None:
        if self._child is None:
            return
        now = time.monotonic()
        if now > self._call_deadline:
            self._child.kill("did not answer a call in time")
        elif now > self._wall_deadline:
            self._child.kill(f"was not done after {self._wall_seconds:g} s")
