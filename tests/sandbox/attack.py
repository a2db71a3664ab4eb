"""What an attack is, and what its code can use: every loaded module, and any system call by name."""

import errno
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evolve.sandbox import PolicyFailure
from evolve.types import Layer, Limits

if TYPE_CHECKING:
    from tests.sandbox.world import World

Evidence = Callable[["World", Any, PolicyFailure | None], bool]
"""Says whether an attack worked, given its answer or its failure."""

LIMITS = Limits(cpu_seconds=10, wall_seconds=60, call_seconds=20, memory_mib=32)
"""Patient, for the machine may be busy; no attack here is stopped by a clock."""

X86, ARM = "x86_64", "aarch64"

CALLS: dict[str, tuple[int | None, int | None]] = {
    "access": (21, None),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_gettime": (228, 113),
    "clone": (56, 220),
    "clone3": (435, 435),
    "creat": (85, None),
    "dup": (32, 23),
    "dup3": (292, 24),
    "eventfd2": (290, 19),
    "execveat": (322, 281),
    "faccessat": (269, 48),
    "fallocate": (285, 47),
    "fanotify_init": (300, 262),
    "fcntl": (72, 25),
    "fork": (57, None),
    "fsopen": (430, 430),
    "fstat": (5, 80),
    "ftruncate": (77, 46),
    "futex": (202, 98),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "memfd_secret": (447, 447),
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "mmap": (9, 222),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mprotect": (10, 226),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open": (2, None),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat": (257, 56),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pkey_mprotect": (329, 288),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "rt_sigqueueinfo": (129, 138),
    "sched_getaffinity": (204, 123),
    "sched_setaffinity": (203, 122),
    "seccomp": (317, 277),
    "semctl": (66, 191),
    "semget": (64, 190),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "setresuid": (117, 147),
    "shmctl": (31, 195),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "statfs": (137, 43),
    "statx": (332, 291),
    "sysinfo": (99, 179),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "timer_create": (222, 107),
    "tkill": (200, 130),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
"""Numbers on x86-64 and on aarch64 (Linux ``asm/unistd_64.h``, ``asm-generic/unistd.h``), which lacks the old ones."""

NUMBERS = {name: row[platform.machine() != X86] for name, row in CALLS.items()}

PREAMBLE = f"""
import random, time
os = random._os
sys = os.sys
socket, signal, mmap = (sys.modules[name] for name in ("socket", "signal", "mmap"))
ctypes = sys.modules["ctypes"]
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NUMBERS = {NUMBERS!r}

def call(name, *arguments):
    number = name if type(name) is int else NUMBERS[name]
    given = [ctypes.c_long(a) if type(a) is int else a.encode() if type(a) is str else a for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *given)
    return result if result >= 0 else -ctypes.get_errno()

def slurp(descriptor):
    return os.read(descriptor, 65536).decode("latin-1") if descriptor >= 0 else descriptor

def pidfd(process):
    descriptor = call("pidfd_open", process, 0)
    if descriptor < 0:
        raise OSError(-descriptor, "pidfd_open")
    return descriptor

def room(size=256):
    return ctypes.create_string_buffer(size)

def stretch(address, size):
    return (ctypes.c_uint64 * 2)(address, size)

def pipe_end():
    return min(number for number in range(3, 64) if call("fstat", number, room()) == 0)
"""
"""Precedes every attack.  A system call that fails returns a negative error number."""


@dataclass(frozen=True)
class Attack:
    """What a hostile policy tries, how one sees that it worked, and which layer is there to stop it.

    ``forbidden`` are the errors by which a machine without any sandbox may refuse it, ``deadly`` is the signal
    that it may send instead; ``only`` is the processor that it needs.  One that takes ``lives`` of 2 is tried
    by two children, one after the other: the first plants, the second finds.
    """

    name: str
    kind: str
    body: str
    layer: Layer
    evidence: Evidence
    forbidden: frozenset[int] = frozenset()
    deadly: str = ""
    only: str = ""
    lives: int = 1

    @cached_property
    def source(self) -> str:
        lines = "\n".join("    " + line for line in self.body.splitlines())
        return f"{PREAMBLE}\ndef attack(w):\n{lines}\n"

    @property
    def not_here(self) -> str:
        """Returns why this processor cannot try it, or nothing."""
        if self.only and self.only != platform.machine():
            return f"{self.only} only"
        names = re.findall(r'call\("(\w+)"', self.body)
        lacking = [name for name in names if NUMBERS[name] is None]
        return f"no {lacking[0]} on {platform.machine()}" if lacking else ""


def returned(world: "World", answer: Any, failure: PolicyFailure | None) -> bool:
    """It gave back something, and no error number."""
    if failure is not None or answer is None or answer is False:
        return False
    return not (type(answer) is int and answer < 0)


def attacks(kind: str, layer: Layer, bodies: dict[str, str], evidence: Evidence = returned) -> list[Attack]:
    """Returns attacks that have everything but their bodies in common."""
    return [Attack(name, kind, body, layer, evidence) for name, body in bodies.items()]


def refusable(found: list[Attack], *numbers: int) -> list[Attack]:
    """Returns attacks that a machine may refuse even to a process without a sandbox."""
    return [replace(attack, forbidden=attack.forbidden | set(numbers)) for attack in found]


ROOT_ONLY = (errno.EPERM, errno.EACCES)
OPTIONAL = (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENODEV, errno.EOPNOTSUPP)
"""How kernels answer what was left out of them, switched off or kept for root."""
