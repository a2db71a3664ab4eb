"""The system calls that a locked child may make: an allow-list as a classic BPF program.

Memory, clocks, its own descriptors and exit: that is all a policy needs once its libraries are
loaded.  Opening files, sockets, processes, signals and new executable memory are not on the list, so
no root, namespace or Landlock is needed for the wall to stand.
Sources: seccomp(2), Linux ``asm/unistd_64.h``, ``asm-generic/unistd.h``, ``linux/audit.h``, ``linux/bpf_common.h``.
"""

import errno
import platform
import struct
from collections.abc import Mapping

from evolve.sandbox import kernel

KILL_PROCESS, ERRNO, ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000
AUDIT = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
"""What the kernel calls a processor; the order is that of the columns below."""

X32_BIT = 0x4000_0000
PROT_EXEC = 4

Calls = Mapping[str, tuple[int | None, int | None]]
"""Numbers of system calls on x86-64 and on aarch64, which lacks some."""

ALLOWED: Calls = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "poll": (7, None),
    "lseek": (8, 62),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "select": (23, None),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "dup": (32, 23),
    "nanosleep": (35, 101),
    "exit": (60, 93),
    "uname": (63, 160),
    "getcwd": (79, 17),
    "gettimeofday": (96, 169),
    "getrlimit": (97, 163),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "sigaltstack": (131, 132),
    "time": (201, None),
    "restart_syscall": (219, 128),
    "exit_group": (231, 94),
    "pselect6": (270, 72),
    "ppoll": (271, 73),
    "set_robust_list": (273, 99),
    "getcpu": (309, 168),
    "getrandom": (318, 278),
    "rseq": (334, 293),
}
"""Harmless with any arguments."""

NAMELESS: Calls = {"getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178)}
"""Answered with 0: the true number would tell a policy how many were judged before it."""

OWN_CORES: Calls = {"sched_getaffinity": (204, 123)}
"""Allowed for the process itself, not for others."""

CLOCKS: Calls = {"clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115)}
"""Allowed for the machine's clocks and its own; those of other processes have other numbers."""

LOCKS: Calls = {"futex": (202, 98)}
"""Allowed within the process; a shared one would be a door between policies that are judged at the same time."""

NOT_EXECUTABLE: Calls = {"mmap": (9, 222), "mprotect": (10, 226)}
"""Allowed unless they ask for executable memory."""

HOSTILE: Calls = {"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)}
"""What no policy calls by accident: the process is killed.  Everything else unnamed fails with EPERM."""

NO_SUCH_CALL: Calls = {"clone3": (435, 435)}
"""Answered with ENOSYS, so that libraries fall back to a call that is denied with EPERM."""

_MACHINES_CLOCKS = 12
_FUTEX_PRIVATE, _FUTEX_CLOCK_REALTIME = 128, 256
_WAIT, _WAKE, _REQUEUE, _COMPARE_REQUEUE, _WAIT_BITSET, _WAKE_BITSET = 0, 1, 3, 4, 9, 10

_LOAD, _AND, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENTS = 0, 4, 16
_DENIED = (_RETURN, 0, 0, ERRNO | errno.EPERM)
_ALLOWED = (_RETURN, 0, 0, ALLOW)


def missing(processor: str | None = None) -> str:
    """Returns why no filter can be put up on this machine, or nothing if one can."""
    processor = processor or platform.machine()
    if processor not in AUDIT:
        return f"there is no table of system calls for {processor}, only for {' and '.join(AUDIT)}"
    return "" if kernel.knows_filters() else "the kernel, or what it runs in, takes no system-call filters"


def numbers(calls: Calls, processor: str | None = None) -> dict[str, int]:
    """Returns the numbers of calls on a processor, by default this one, without those it lacks."""
    column = list(AUDIT).index(processor or platform.machine())
    return {name: number for name, row in calls.items() if (number := row[column]) is not None}


def program(processor: str | None = None) -> bytes:
    """Returns the filter for a processor, by default this one: an array of ``struct sock_filter`` (8 bytes each)."""
    processor = processor or platform.machine()
    code = [(_LOAD, 0, 0, _OFFSET_ARCH)]
    code += _unless(_JUMP_EQUAL, AUDIT[processor], KILL_PROCESS)
    code += [(_LOAD, 0, 0, _OFFSET_NUMBER)]
    if processor == "x86_64":  # it has a second table in the same architecture
        code += _when(_JUMP_AT_LEAST, X32_BIT, KILL_PROCESS)
    for calls, answer in _ANSWERS:
        for number in numbers(calls, processor).values():
            code += [(_JUMP_EQUAL, 0, len(answer), number), *answer]
    code += [_DENIED]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


_Instructions = list[tuple[int, int, int, int]]


def _when(jump: int, value: int, action: int) -> _Instructions:
    return [(jump, 0, 1, value), (_RETURN, 0, 0, action)]


def _unless(jump: int, value: int, action: int) -> _Instructions:
    return [(jump, 1, 0, value), (_RETURN, 0, 0, action)]


def _argument(index: int) -> tuple[int, int, int, int]:
    """Loads the lower half of an argument, which is all of an ``int``."""
    return (_LOAD, 0, 0, _OFFSET_ARGUMENTS + 8 * index)


def _locks() -> _Instructions:
    """The second argument of futex is what to do, with flags."""
    commands = (_WAIT, _WAKE, _REQUEUE, _COMPARE_REQUEUE, _WAIT_BITSET, _WAKE_BITSET)
    tests = [instruction for command in commands for instruction in _when(_JUMP_EQUAL, command | _FUTEX_PRIVATE, ALLOW)]
    return [_argument(1), (_AND, 0, 0, 0xFFFF_FFFF ^ _FUTEX_CLOCK_REALTIME), *tests, _DENIED]


_ANSWERS: tuple[tuple[Calls, _Instructions], ...] = (
    (ALLOWED, [_ALLOWED]),
    (NAMELESS, [(_RETURN, 0, 0, ERRNO | 0)]),
    (OWN_CORES, [_argument(0), *_when(_JUMP_EQUAL, 0, ALLOW), _DENIED]),
    (CLOCKS, [_argument(0), *_unless(_JUMP_AT_LEAST, _MACHINES_CLOCKS, ALLOW), _DENIED]),
    (LOCKS, _locks()),
    (NOT_EXECUTABLE, [_argument(2), *_when(_JUMP_ANY_BIT, PROT_EXEC, ERRNO | errno.EACCES), _ALLOWED]),
    (HOSTILE, [(_RETURN, 0, 0, KILL_PROCESS)]),
    (NO_SUCH_CALL, [(_RETURN, 0, 0, ERRNO | errno.ENOSYS)]),
)
"""What becomes of each call, in the order in which the filter looks for it; where it got that far it has the number."""
