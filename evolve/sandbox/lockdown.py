"""What a process does to itself before it may run a policy.  Every step is final.

Sources: prctl(2), seccomp(2), setrlimit(2), close_range(2).
"""

import ctypes
import math
import os
import resource
import signal
from collections.abc import Iterable

from evolve.types import Limits

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
SYS_SECCOMP, SECCOMP_SET_MODE_FILTER = 317, 1
NOBODY = 65534
MAX_OUTPUT_BYTES = 64 << 10
MAX_DESCRIPTORS = 16
STACK_BYTES = 8 << 20

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def die_with_parent(parent: int | None = None) -> None:
    """Asks the kernel to kill this process when the thread that started it ends.

    ``parent`` is the process that should be it; if it has ended before the kernel was asked, so does
    this one.  Changing the user afterwards clears the request.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def drop_root() -> bool:
    """Becomes nobody when run as root; returns whether the process is then without privileges."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    return os.geteuid() != 0


def address_space_bytes() -> int:
    """Returns how much address space the process has mapped."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - before and after forks, keep it plain
        return int(statm.read().split()[0]) * resource.getpagesize()


def lock_down(limits: Limits, base_bytes: int, keep: Iterable[int], seccomp_program: bytes) -> None:
    """Leaves a process with the descriptors ``keep``, the limits and the allowed system calls.

    ``base_bytes`` is the address space of the libraries, to which the policy's own memory is added.

    Raises:
        OSError: a layer could not be put up; the caller must then exit without running anything.
    """
    _close_all_but(keep)
    _limit_resources(limits, base_bytes)
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    program = _Program(len(seccomp_program) // 8, seccomp_program)
    _checked(_libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(program)), "seccomp")


def _close_all_but(keep: Iterable[int]) -> None:
    start = 0
    for descriptor in sorted(keep):
        if start < descriptor:  # Python's closerange(0, 0) closes everything
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, 1 << 20)


def _limit_resources(limits: Limits, base_bytes: int) -> None:
    cpu = math.ceil(limits.cpu_seconds)  # the kernel counts whole seconds
    for what, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, MAX_OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
        (resource.RLIMIT_STACK, STACK_BYTES),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, base_bytes + (limits.memory_mib << 20)),
    ):
        resource.setrlimit(what, (amount, amount))


def _prctl(option: int, value: int) -> None:
    _checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl({option})")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
