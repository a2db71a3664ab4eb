"""The process that children are forked from.  It imports and warms libraries, never runs a policy.

Started by ``child.Sandbox`` with a fresh environment, no descriptors but a control socket and, when
the judge is root, as nobody.  Over that socket (SEQPACKET, msgpack) it is told to fork and tells of
starts (with a pidfd) and exits (with what the kernel accounted).
"""

import codecs
import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys
from typing import Any, NoReturn

import msgpack

from evolve.sandbox import host, imports, lockdown, seccomp
from evolve.types import Limits

CONTROL = 3
MAX_MESSAGE = 4096
FORK, FORK_ONLY = "fork", "fork only"


def main(extra_imports: list[str]) -> NoReturn:
    """Serves until the judge closes the control socket or dies."""
    control = socket.socket(fileno=CONTROL)
    try:
        _prepare(tuple(extra_imports))
        zygote = _Zygote(control, tuple(extra_imports))
        unprivileged = lockdown.drop_root()
        lockdown.die_with_parent()  # changing the user had cleared it
        control.send(msgpack.packb(["ready", os.getpid(), unprivileged]))
        zygote.serve()
    except Exception as error:  # noqa: BLE001 - whatever it is, the judge must hear of it
        control.send(msgpack.packb(["broken", f"{type(error).__name__}: {error}"[:1000]]))
    os._exit(1)


def _prepare(extra_imports: tuple[str, ...]) -> None:
    """Does everything that needs files or privileges, and what every child would do again."""
    lockdown.die_with_parent()
    _warm(imports.preloaded(extra_imports))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))  # what a child has to close
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the judge
    sys.stdout = sys.stderr = host.CappedOutput(1)  # type: ignore[assignment]
    gc.collect()
    gc.freeze()


def _warm(modules: tuple[str, ...]) -> None:
    for name in modules:
        importlib.import_module(name)
    import numpy as np

    # numpy loads parts of itself on first use, which a locked child could not do
    generator = np.random.default_rng(0)
    np.linalg.inv(np.eye(4) + generator.random((4, 4)))
    np.sort(np.fft.rfft(np.arange(8.0)).real)
    np.array([1.5]).astype(str)
    for encoding in ("ascii", "latin-1", "utf-8", "utf-16", "unicode_escape", "raw_unicode_escape"):
        codecs.lookup(encoding)


class _Zygote:
    def __init__(self, control: socket.socket, extra_imports: tuple[str, ...]) -> None:
        self._control, self._extra_imports = control, extra_imports
        self._program = seccomp.program()
        self._base_bytes = lockdown.address_space_bytes()
        self._children: dict[int, tuple[int, int]] = {}  # pidfd -> (number, pid)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> NoReturn:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == CONTROL:
                    self._obey()
                else:
                    self._reap(descriptor)

    def _obey(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE, 3)
        if not message:
            os._exit(0)
        what, number, limits = msgpack.unpackb(message)
        pid = os.fork()
        if pid == 0:
            if what == FORK_ONLY:
                os._exit(0)
            self._become_child(descriptors, Limits(*limits))
        for descriptor in descriptors:
            os.close(descriptor)
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = (number, pid)
        self._poll.register(pidfd, select.POLLIN)
        socket.send_fds(self._control, [msgpack.packb(["started", number])], [pidfd])

    def _become_child(self, descriptors: list[int], limits: Limits) -> NoReturn:
        requests, replies, output = descriptors
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            lockdown.lock_down(limits, self._base_bytes, (0, 1, 2, requests, replies), self._program)
        except BaseException as error:  # noqa: BLE001 - fail closed, whatever it is
            os.write(1, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        try:
            host.serve(requests, replies, self._extra_imports)
        finally:
            os._exit(1)

    def _reap(self, pidfd: int) -> None:
        number, pid = self._children.pop(pidfd)
        _, status, usage = os.wait4(pid, 0)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        cpu_seconds = usage.ru_utime + usage.ru_stime
        self._send(["exited", number, status, cpu_seconds, usage.ru_maxrss])

    def _send(self, message: list[Any]) -> None:
        self._control.send(msgpack.packb(message))
