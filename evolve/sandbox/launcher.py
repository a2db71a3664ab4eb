"""Starts a guard and its zygote and has that fork children; the judge's end of their control socket."""

import os
import platform
import socket
import struct
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack

from evolve.sandbox import advice, kernel, zygote
from evolve.sandbox.child import Child
from evolve.sandbox.failure import SandboxError
from evolve.sandbox.watchdog import Watchdog
from evolve.types import MINIMUM, Layer, Limits

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""All that a zygote, and so a policy, finds in its environment."""

# Until the guard can watch the judge, the kernel does: prctl(2), PR_SET_PDEATHSIG.
_BOOT = (
    "import ctypes, os, sys; control, judge, layers, imports, *paths = sys.argv[1:]; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(judge) or os._exit(0); sys.path[:0] = paths; "
    "from evolve.sandbox import guard; guard.main(int(control), int(judge), layers, imports)"
)
_PATIENCE_SECONDS = 60.0
"""How long a zygote may take to start, to fork or to reap before it is taken for dead."""


class Sandbox:
    """A zygote and the children it forks, one at a time.

    Of ``layers`` those are put up that the machine allows: ``layers`` says which stand, ``missing`` why the others
    do not.  ``unsafe`` does without the minimum: whoever asks for that vouches for every policy.

    Raises:
        SandboxError: this machine cannot sandbox, the minimum does not stand, or a module of ``extra_imports``
            cannot be imported.
    """

    def __init__(
        self, extra_imports: tuple[str, ...] = (), *, layers: Collection[Layer] = tuple(Layer), unsafe: bool = False
    ) -> None:
        if platform.system() != "Linux":
            raise SandboxError(advice.another_system(platform.system()))
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_PATIENCE_SECONDS)
        self._errors = kernel.memfd_create("errors")
        self._number = 0
        self.nonces = _nonces()
        self._process = _start_guard(theirs, self._errors, extra_imports, layers)
        self.watchdog = Watchdog()
        try:
            self.zygote_pid, self.layers, self.missing = self._begin()
            if not unsafe and not self.layers >= MINIMUM:
                raise SandboxError(advice.below_the_minimum(self.missing))
        except BaseException:
            self.close()
            raise

    def _begin(self) -> tuple[int, frozenset[Layer], dict[Layer, str]]:
        """Waits for the zygote; returns its number, what stands and what does not."""
        (_, pid), _ = self._next("forked")
        (_, standing, missing), _ = self._next("ready")
        return pid, frozenset(map(Layer, standing)), {Layer(name): why for name, why in missing.items()}

    def start(self, source: str, seed: int = 0, limits: Limits | None = None) -> Child:
        """Returns a locked child that has loaded a policy; ``seed`` is where what each case draws begins.

        Raises:
            PolicyFailure: the policy did not load.
            SandboxError: the child could not be started or locked.
        """
        child = Child(self, limits or Limits())
        try:
            child.load(source, seed)
        except BaseException:
            child.close()
            raise
        return child

    def fork_and_exit(self, *, locked: bool = False) -> float:
        """Forks a child that ends at once, or once it is locked, and reaps it; returns its CPU seconds.

        What the price of a sandbox is compared with.
        """
        pipes = [self._errors] * 3 if locked else []
        os.close(self.fork(pipes, Limits(), zygote.FORK_AND_LOCK if locked else zygote.FORK_ONLY))
        return self.wait()[1]

    def fork(self, descriptors: Sequence[int], limits: Limits, what: str = zygote.FORK) -> int:
        """Has the zygote fork; returns the child's pidfd.

        Raises:
            SandboxError: the zygote has ended.
        """
        self._number += 1
        try:
            socket.send_fds(self._control, [msgpack.packb([what, self._number, astuple(limits)])], list(descriptors))
        except OSError as error:
            raise self._gone() from error
        return self._expect("started")[1][0]

    def wait(self) -> tuple[int, float]:
        """Waits for the child to be reaped; returns its wait status and CPU seconds.

        Raises:
            SandboxError: the zygote has ended.
        """
        (_, _, status, cpu_seconds), _ = self._expect("exited")
        return status, float(cpu_seconds)

    def close(self) -> None:
        """Ends the zygote and its children."""
        self._control.close()
        self.watchdog.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _expect(self, kind: str) -> tuple[list[Any], list[int]]:
        """Receives a message about the present child; drops those about one that an exception left behind."""
        return self._next(kind, self._number)

    def _next(self, *beginning: Any) -> tuple[list[Any], list[int]]:
        """Receives messages until one begins like that."""
        while True:
            message, descriptors = self._receive()
            if message[: len(beginning)] == list(beginning):
                return message, descriptors
            for descriptor in descriptors:
                os.close(descriptor)

    def _receive(self) -> tuple[list[Any], list[int]]:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, zygote.MAX_MESSAGE, 1)
        except OSError as error:
            raise self._gone() from error
        if not data:
            raise self._gone()
        message = msgpack.unpackb(data)
        if message[0] == "broken":
            raise SandboxError(f"the sandbox cannot begin: {message[1]}")
        return message, descriptors

    def _gone(self) -> SandboxError:
        said = os.pread(self._errors, 1 << 16, 0).decode("utf-8", "replace").strip().splitlines()[-1:]
        why = said[0] if said else "was it killed, or is the machine out of memory?"
        return SandboxError(f"the sandbox's zygote has ended: {why}")


def _nonces() -> Iterator[int]:
    """Yields numbers that nobody can foresee: what an answer must carry to be one."""
    while True:
        yield from struct.unpack("<512Q", os.urandom(4096))


def _start_guard(
    control: socket.socket, errors: int, extra_imports: tuple[str, ...], layers: Collection[Layer]
) -> subprocess.Popen[bytes]:
    paths = [str(Path(entry).resolve()) for entry in sys.path if entry]
    arguments = [str(control.fileno()), str(os.getpid()), " ".join(layers), " ".join(extra_imports), *paths]
    try:
        return subprocess.Popen(
            [sys.executable, "-s", "-P", "-B", "-c", _BOOT, *arguments],
            env=ENVIRONMENT if Layer.ENVIRONMENT in layers else {**os.environ, **ENVIRONMENT},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=(control.fileno(),),
        )
    except OSError as error:
        raise SandboxError(f"cannot start {sys.executable}: {error}") from error
    finally:
        control.close()
