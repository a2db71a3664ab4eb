"""The process that children are forked from.  It imports and warms libraries, never runs a policy.

Started by ``launcher.Sandbox`` with a fresh environment, no descriptors but a control socket and, when
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

from evolve.sandbox import determinism, host, imports, lockdown, seccomp
from evolve.types import Limits

MAX_MESSAGE = 4096
FORK, FORK_ONLY = "fork", "fork only"
_MAX_DESCRIPTORS = 256
_ORPHAN_CHECK_MS = 500
"""How often to look whether the judge is still there, should somebody else hold its end of the socket open."""


def main(control_descriptor: int, extra_imports: list[str]) -> NoReturn:
    """Serves until the judge closes the control socket or dies."""
    control, judge = socket.socket(fileno=control_descriptor), os.getppid()
    try:
        streams = _prepare(tuple(extra_imports))
        zygote = _Zygote(control, judge, tuple(extra_imports), streams)
        unprivileged = lockdown.drop_root()
        control.send(msgpack.packb(["ready", os.getpid(), unprivileged]))
        zygote.serve()
    except Exception as error:  # noqa: BLE001 - whatever it is, the judge must hear of it
        control.send(msgpack.packb(["broken", f"{type(error).__name__}: {error}"[:1000]]))
    finally:
        os._exit(1)


def _prepare(extra_imports: tuple[str, ...]) -> determinism.Streams:
    """Does everything that needs files or privileges, and what every child would do again."""
    _warm(imports.preloaded(extra_imports))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_DESCRIPTORS, _MAX_DESCRIPTORS))  # what a child has to close
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # writes fail instead; Ctrl-C is for the judge
        signal.signal(number, signal.SIG_IGN)
    sys.stdout = sys.stderr = host.CappedOutput(1)
    sys.argv, sys.orig_argv, sys.path = [""], [], []  # no child can open files, nor need it know where they are
    sys.path_importer_cache.clear()
    determinism.stop_clocks()
    streams = determinism.Streams()
    gc.collect()
    gc.freeze()
    return streams


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
    """Forks when told to, and reaps."""

    def __init__(
        self, control: socket.socket, judge: int, extra_imports: tuple[str, ...], streams: determinism.Streams
    ) -> None:
        self._control, self._judge, self._extra_imports, self._streams = control, judge, extra_imports, streams
        self._program = seccomp.program()
        self._base_bytes = lockdown.address_space_bytes()
        self._children: dict[int, tuple[int, int]] = {}  # pidfd -> (number, pid)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> NoReturn:
        while True:
            for descriptor, _ in self._poll.poll(_ORPHAN_CHECK_MS):
                if descriptor == self._control.fileno():
                    self._obey()
                else:
                    self._reap(descriptor)
            if os.getppid() != self._judge:
                os._exit(0)  # children die with it

    def _obey(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE, 3)
        if not message:
            os._exit(0)
        what, number, limits = msgpack.unpackb(message)
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            if what == FORK_ONLY:
                os._exit(0)
            self._become_child(descriptors, Limits(*limits), zygote)
        for descriptor in descriptors:
            os.close(descriptor)
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = (number, pid)
        self._poll.register(pidfd, select.POLLIN)
        socket.send_fds(self._control, [msgpack.packb(["started", number])], [pidfd])

    def _become_child(self, descriptors: list[int], limits: Limits, zygote: int) -> NoReturn:
        try:
            requests, replies, output = descriptors
            os.dup2(output, 1)
            os.dup2(output, 2)
            lockdown.die_with_parent(zygote)
            lockdown.lock_down(limits, self._base_bytes, (0, 1, 2, requests, replies), self._program)
        except BaseException as error:  # noqa: BLE001 - fail closed, whatever it is
            os.write(1, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        try:
            host.serve(requests, replies, self._extra_imports, self._streams)
        finally:
            os._exit(1)

    def _reap(self, pidfd: int) -> None:
        number, pid = self._children.pop(pidfd)
        _, status, usage = os.wait4(pid, 0)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        cpu_seconds = usage.ru_utime + usage.ru_stime
        self._send(["exited", number, status, cpu_seconds])

    def _send(self, message: list[Any]) -> None:
        self._control.send(msgpack.packb(message))
