"""The process that children are forked from.  It imports and warms libraries, never runs a policy.

Started by ``launcher.Sandbox`` through a ``guard``, with a fresh environment and no descriptors but a control
socket.  Before it serves it puts up the walls that need to stand only once (namespaces, user, capabilities) and
prepares those of its children.  Over the socket (SEQPACKET, msgpack) it is told to fork and tells of
starts (with a pidfd) and exits (with what the kernel accounted).
"""

import codecs
import contextlib
import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgpack

from evolve.sandbox import determinism, host, imports, kernel, landlock, lockdown, namespaces, seccomp
from evolve.sandbox.lockdown import Walls
from evolve.types import Layer, Limits

MAX_MESSAGE = 16 << 10
FORK, FORK_AND_LOCK, FORK_ONLY = "fork", "fork and lock", "fork only"
LEFT_OUT = "it was left out"
_MAX_DESCRIPTORS = 256


def main(
    control: socket.socket, extra_imports: tuple[str, ...], wanted: frozenset[Layer], no_namespaces: str
) -> NoReturn:
    """Serves until the judge closes the control socket.

    ``no_namespaces`` says why the guard entered none; where it is empty, it did.
    """
    parent = os.getppid() if no_namespaces else 0  # from within them, the guard has no number
    try:
        lockdown.die_with_parent(parent)
        streams = _prepare(extra_imports)
        standing = _Standing(wanted)
        walls = _walls(standing)
        _confine(standing, no_namespaces)
        lockdown.die_with_parent(parent)  # another user has to ask again
        layers = [layer for layer in Layer if layer not in standing.missing]
        control.send(msgpack.packb(["ready", layers, standing.missing]))
        _Zygote(control, extra_imports, streams, walls).serve()
    except Exception as error:  # noqa: BLE001 - whatever it is, the judge must hear of it
        control.send(msgpack.packb(["broken", f"its zygote failed: {type(error).__name__}: {error}"[:1000]]))
    finally:
        os._exit(1)


def _prepare(extra_imports: tuple[str, ...]) -> determinism.Streams:
    """Does everything that needs files, and what every child would do again."""
    _warm(imports.preloaded(extra_imports))
    _read_libraries()
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


def _read_libraries() -> None:
    """Has all that is mapped read from disk: which of it was read already would tell what children before did."""
    with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123 - before and after forks, keep it plain
        paths = {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line}
    for path in paths:
        with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


@dataclass(slots=True)
class _Standing:
    """Which walls are wanted, and why those that do not stand do not."""

    wanted: frozenset[Layer]
    missing: dict[Layer, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.missing.update({layer: LEFT_OUT for layer in Layer if layer not in self.wanted})

    def asks_for(self, layer: Layer, why_not: str = "") -> bool:
        """Says whether to put up a wall that is possible unless something speaks against it."""
        if why_not:
            self.missing.setdefault(layer, why_not)
        return layer not in self.missing


def _walls(standing: _Standing) -> Walls:
    """Prepares what every child puts up for itself."""
    version = kernel.landlock_version()
    return Walls(
        base_bytes=lockdown.address_space_bytes() if standing.asks_for(Layer.LIMITS) else None,
        ruleset=(
            landlock.ruleset(version)
            if standing.asks_for(Layer.LANDLOCK, "" if version else "the kernel has none, or it is switched off")
            else None
        ),
        program=seccomp.program() if standing.asks_for(Layer.SECCOMP, seccomp.missing()) else None,
    )


def _confine(standing: _Standing, no_namespaces: str) -> None:
    """Puts up what stands around this process and all that it forks."""
    if standing.asks_for(Layer.NAMESPACES, no_namespaces):
        namespaces.empty_root()
    if standing.asks_for(Layer.USER):
        with contextlib.suppress(OSError):  # what came of it is looked at
            lockdown.drop_root()
        standing.asks_for(Layer.USER, "" if os.geteuid() else "this root may not become another user")
    if standing.asks_for(Layer.CAPABILITIES):
        kernel.drop_capabilities()
        standing.asks_for(Layer.CAPABILITIES, "some could not be dropped" if kernel.capabilities() else "")


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
        self, control: socket.socket, extra_imports: tuple[str, ...], streams: determinism.Streams, walls: Walls
    ) -> None:
        self._control, self._extra_imports, self._streams, self._walls = control, extra_imports, streams, walls
        self._children: dict[int, tuple[int, int]] = {}  # pidfd -> (number, pid)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> NoReturn:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._control.fileno():
                    self._obey()
                else:
                    self._reap(descriptor)

    def _obey(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE, 3)
        if not message:
            os._exit(0)  # children die with it
        what, number, limits = msgpack.unpackb(message)
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            if what == FORK_ONLY:
                os._exit(0)
            self._become_child(what, descriptors, Limits(*limits), zygote)
        for descriptor in descriptors:
            os.close(descriptor)
        pidfd = kernel.pidfd_open(pid)
        self._children[pidfd] = (number, pid)
        self._poll.register(pidfd, select.POLLIN)
        socket.send_fds(self._control, [msgpack.packb(["started", number])], [pidfd])

    def _become_child(self, what: str, descriptors: list[int], limits: Limits, zygote: int) -> NoReturn:
        try:
            requests, replies, output = descriptors
            os.dup2(output, 1)
            os.dup2(output, 2)
            lockdown.die_with_parent(zygote)
            lockdown.lock_down(self._walls, limits, (0, 1, 2, requests, replies))
        except BaseException as error:  # noqa: BLE001 - fail closed, whatever it is
            os.write(1, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        if what == FORK_AND_LOCK:
            os._exit(0)
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
