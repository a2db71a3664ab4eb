"""The system calls that a locked child may make: an allow-list as a classic BPF program.

Memory, clocks, its own descriptors and exit: that is all a policy needs once its libraries are
loaded.  Opening files, sockets, processes, signals and new executable memory are not on the list, so
no root, namespace or Landlock is needed for the wall to stand.  x86-64 only for now.
Sources: seccomp(2), Linux ``asm/unistd_64.h``, ``linux/audit.h``, ``linux/bpf_common.h``.
"""

import errno
import platform
import struct

KILL_PROCESS, ERRNO, ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000
AUDIT_ARCH_X86_64 = 0xC000_003E
X32_BIT = 0x4000_0000
PROT_EXEC = 4

ALLOWED = {
    "read": 0,
    "write": 1,
    "close": 3,
    "fstat": 5,
    "poll": 7,
    "lseek": 8,
    "munmap": 11,
    "brk": 12,
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "pread64": 17,
    "readv": 19,
    "writev": 20,
    "select": 23,
    "sched_yield": 24,
    "mremap": 25,
    "madvise": 28,
    "dup": 32,
    "nanosleep": 35,
    "getpid": 39,
    "exit": 60,
    "uname": 63,
    "getcwd": 79,
    "gettimeofday": 96,
    "getrlimit": 97,
    "getrusage": 98,
    "sysinfo": 99,
    "times": 100,
    "getuid": 102,
    "getgid": 104,
    "geteuid": 107,
    "getegid": 108,
    "getppid": 110,
    "sigaltstack": 131,
    "gettid": 186,
    "time": 201,
    "futex": 202,
    "sched_getaffinity": 204,
    "restart_syscall": 219,
    "clock_gettime": 228,
    "clock_getres": 229,
    "clock_nanosleep": 230,
    "exit_group": 231,
    "pselect6": 270,
    "ppoll": 271,
    "set_robust_list": 273,
    "getcpu": 309,
    "getrandom": 318,
    "membarrier": 324,
    "rseq": 334,
}
"""Harmless with any arguments."""

NOT_EXECUTABLE = {"mmap": 9, "mprotect": 10}
"""Allowed unless they ask for executable memory."""

HOSTILE = {"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311}
"""What no policy calls by accident: the process is killed.  Everything else unnamed fails with EPERM."""

NO_SUCH_CALL = {"clone3": 435}
"""Answered with ENOSYS, so that libraries fall back to a call that is denied with EPERM."""

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENT_2 = 0, 4, 16 + 2 * 8


def supported() -> bool:
    """Says whether the tables here fit this machine."""
    return platform.system() == "Linux" and platform.machine() == "x86_64"


def program() -> bytes:
    """Returns the filter as an array of ``struct sock_filter`` (8 bytes each)."""
    code = [(_LOAD, 0, 0, _OFFSET_ARCH)]
    code += _unless(_JUMP_EQUAL, AUDIT_ARCH_X86_64, KILL_PROCESS)
    code += [(_LOAD, 0, 0, _OFFSET_NUMBER)]
    code += _when(_JUMP_AT_LEAST, X32_BIT, KILL_PROCESS)
    for number in ALLOWED.values():
        code += _when(_JUMP_EQUAL, number, ALLOW)
    for number in HOSTILE.values():
        code += _when(_JUMP_EQUAL, number, KILL_PROCESS)
    for number in NO_SUCH_CALL.values():
        code += _when(_JUMP_EQUAL, number, ERRNO | errno.ENOSYS)
    code += _memory_calls()
    code += [(_RETURN, 0, 0, ERRNO | errno.EPERM)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


_Instructions = list[tuple[int, int, int, int]]


def _when(jump: int, value: int, action: int) -> _Instructions:
    return [(jump, 0, 1, value), (_RETURN, 0, 0, action)]


def _unless(jump: int, value: int, action: int) -> _Instructions:
    return [(jump, 1, 0, value), (_RETURN, 0, 0, action)]


def _memory_calls() -> _Instructions:
    """The accumulator holds the call's number; the third argument of both calls is ``prot``."""
    body = [
        (_LOAD, 0, 0, _OFFSET_ARGUMENT_2),
        *_when(_JUMP_ANY_BIT, PROT_EXEC, ERRNO | errno.EACCES),
        (_RETURN, 0, 0, ALLOW),
    ]
    first, second = NOT_EXECUTABLE.values()
    return [(_JUMP_EQUAL, 1, 0, first), (_JUMP_EQUAL, 0, len(body), second), *body]
