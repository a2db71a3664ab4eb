"""What the suite plants around the sandbox for attacks to reach: secrets, files, listeners, processes to hurt.

Everything is the suite's own and goes away with it, so that the same attacks can be tried without any sandbox.
"""

import contextlib
import ctypes
import errno
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evolve.sandbox import PolicyFailure, Sandbox
from tests.sandbox.attack import NUMBERS

VARIABLE = "EVOLVE_PLANTED_SECRET"
SECRET = secrets.token_hex(8)
"""One for all worlds of a process, for they share its environment."""

BYTES_HEADER = bytes.__basicsize__ - 1
"""Where the content of a bytes object begins."""

_libc = ctypes.CDLL(None, use_errno=True)

_DECOY = (
    "import os, sys; word = os.environ['EVOLVE_PLANTED_SECRET'].encode() + b' in memory'; "
    f"file = os.open(sys.argv[1], os.O_RDONLY); print(id(word) + {BYTES_HEADER}, file, flush=True); sys.stdin.read()"
)
_WAIT_SECONDS = 0.5
"""How long an attack that claims success may take to show."""


class World:
    """One world for each sandbox under attack; ``facts`` is what the attacker is told of it."""

    def __init__(self) -> None:
        os.environ[VARIABLE] = SECRET  # where a judge has its keys
        self._token = secrets.token_hex(8)
        self._folder = Path(tempfile.mkdtemp(prefix="evolve-attacks-"))
        self._folder.chmod(0o755)
        self.drop = self._folder / "drop"
        self.public = self._plant("public", 0o666)
        self.private = self._plant("private", 0o600)
        self._listen()
        self._decoy = self._start_decoy()
        self._victim = self._start_victim()
        self._empty()

    def _plant(self, name: str, mode: int) -> Path:
        path = self._folder / name
        path.write_text(SECRET, encoding="ascii")
        path.chmod(mode)
        return path

    def _listen(self) -> None:
        kinds = (socket.AF_INET, socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX)
        types = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM)
        path, abstract = str(self._folder / "socket"), f"\0{self._name}"
        self._ears = [socket.socket(kind, type_) for kind, type_ in zip(kinds, types, strict=True)]
        for ear, address in zip(self._ears, (("127.0.0.1", 0), ("127.0.0.1", 0), path, abstract), strict=True):
            ear.bind(address)
            if ear.type == socket.SOCK_STREAM:
                ear.listen()
        Path(path).chmod(0o777)
        self._names = {
            "tcp": self._ears[0].getsockname()[1],
            "udp": self._ears[1].getsockname()[1],
            "unix": path,
            "abstract": abstract,
        }

    def _start_decoy(self) -> subprocess.Popen[str]:
        decoy = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _DECOY, str(self.private)],
            env={VARIABLE: SECRET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert decoy.stdout is not None
        address, descriptor = decoy.stdout.readline().split()
        self._names |= {"address": int(address), "descriptor": int(descriptor)}
        return decoy

    def _start_victim(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "99"], process_group=0)

    def facts(self, sandbox: Sandbox) -> dict[str, Any]:
        return {
            **self._names,
            "public": str(self.public),
            "private": str(self.private),
            "folder": str(self.drop),
            "home": str(self._folder),
            "variable": VARIABLE,
            "judge": os.getpid(),
            "zygote": sandbox.zygote_pid,
            "decoy": self._decoy.pid,
            "victim": self._victim.pid,
            "handle": _handle_of(self.public),
            "key": int(self._token[:7], 16) + 1,
            "secret": SECRET,
            "name": self._name,
            "daemon": self._daemon,
        }

    def restore(self) -> None:
        """Makes good what the last attack did."""
        if self._victim.poll() is not None:
            self._victim = self._start_victim()
        self._empty()
        for ear in self._ears:
            self._hear(ear)

    def _empty(self) -> None:
        shutil.rmtree(self.drop, ignore_errors=True)
        self.drop.mkdir()
        self.drop.chmod(0o777)
        self.private.chmod(0o600)
        (self.drop / "journal").write_text("untouched", encoding="ascii")
        (self.drop / "journal").chmod(0o666)

    # What attacks leave behind

    def heard(self) -> bool:
        """Somebody has said the secret to one of the listeners."""
        ready, _, _ = select.select(self._ears, [], [], _WAIT_SECONDS)
        return any(SECRET in self._hear(ear) for ear in ready)

    def _hear(self, ear: socket.socket) -> str:
        if not select.select([ear], [], [], 0)[0]:
            return ""
        if ear.type == socket.SOCK_DGRAM:
            return ear.recv(4096).decode("latin-1")
        with ear.accept()[0] as connection:
            connection.settimeout(_WAIT_SECONDS)
            with contextlib.suppress(OSError):
                return connection.recv(4096).decode("latin-1")
        return ""

    def killed(self) -> bool:
        """The victim is dead."""
        return _soon(lambda: self._victim.poll() is not None)

    def touched(self, patient: bool) -> bool:
        """There is more in the folder than was put there, or less, or other; ``patient``: it may take its time."""
        return _soon(lambda: [path.name for path in self.drop.iterdir()] != ["journal"] or self._altered(), patient)

    def _altered(self) -> bool:
        return (self.drop / "journal").read_text(encoding="latin-1") != "untouched"

    def stored(self) -> int:
        """Returns how many bytes the folder holds."""
        return sum(path.stat().st_size for path in self.drop.iterdir())

    @property
    def _name(self) -> str:
        return f"evolve-{self._token}"

    @property
    def _daemon(self) -> str:
        return f"evo{self._token[:8]}"  # the kernel keeps 15 characters

    def outlived(self) -> bool:
        """A process of the attack's is still there; it is killed now."""
        found = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _name_of(path) == self._daemon]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def close(self) -> None:
        self.outlived()
        for process in (self._decoy, self._victim):
            process.kill()
            process.wait()
        for pipe in (self._decoy.stdin, self._decoy.stdout):
            assert pipe is not None
            pipe.close()
        for ear in self._ears:
            ear.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        (Path("/dev/shm") / self._name).unlink(missing_ok=True)
        _libc.syscall(NUMBERS["mq_unlink"], self._name.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


# Evidence: what shows that an attack worked.


def told(world: World, answer: Any, failure: PolicyFailure | None) -> bool:
    """It gave back the secret."""
    return failure is None and type(answer) is str and SECRET in answer


def heard(world: World, answer: Any, failure: PolicyFailure | None) -> bool:
    return failure is None and world.heard()


def killed(world: World, answer: Any, failure: PolicyFailure | None) -> bool:
    return _claimed(answer, failure) and world.killed()


def touched(world: World, answer: Any, failure: PolicyFailure | None) -> bool:
    """It left something in the folder; a program that took the child's place could not answer."""
    replaced = failure is not None and "instead of answering" in failure.message
    return world.touched(patient=replaced or _claimed(answer, failure))


def filled(world: World, answer: Any, failure: PolicyFailure | None) -> bool:
    """It left ten megabytes in the folder."""
    return world.stored() >= 10_000_000


def outlived(world: World, answer: Any, failure: PolicyFailure | None) -> bool:
    return failure is None and world.outlived()


def _claimed(answer: Any, failure: PolicyFailure | None) -> bool:
    return failure is None and not (type(answer) is int and answer < 0)


def _soon(there: Callable[[], bool], patient: bool = True) -> bool:
    deadline = time.monotonic() + (_WAIT_SECONDS if patient else 0.0)
    while not there():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def _name_of(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="latin-1").strip()
    except OSError:  # it has ended
        return ""


def _handle_of(path: Path) -> str:
    """Returns in hexadecimal the kernel's handle of a file, with which it is opened without a name."""
    number = NUMBERS["name_to_handle_at"]
    handle, mount = ctypes.create_string_buffer(136), ctypes.c_int()
    ctypes.memmove(handle, (128).to_bytes(4, "little"), 4)
    if _libc.syscall(number, -100, os.fsencode(path), handle, ctypes.byref(mount), 0) < 0:
        assert ctypes.get_errno() in (errno.EOPNOTSUPP, errno.EPERM, errno.ENOSYS), ctypes.get_errno()
        return ""
    return handle.raw[: 8 + int.from_bytes(handle.raw[:4], "little")].hex()
