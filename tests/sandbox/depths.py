"""Attacks on the kernel: executable memory, other tables of calls, rarely used calls; and traces left for the next."""

import errno
import platform

from evolve.types import Layer
from tests.sandbox.attack import ARM, OPTIONAL, ROOT_ONLY, X86, Attack, Evidence, attacks, refusable, returned
from tests.sandbox.havoc import REAPED

_CODE = {X86: "b82a000000c3", ARM: "40058052c0035fd6"}.get(platform.machine(), "")
"""Machine code of a function that returns 42."""


def _run(permission: str = "0") -> str:
    """Returns how machine code is written to ``at``, made executable and run."""
    return (
        f"code = bytes.fromhex('{_CODE}')\nctypes.memmove(at, code, len(code))\n"
        f"if (result := {permission}) < 0:\n    return result\n"
        "return 1 if ctypes.PYFUNCTYPE(ctypes.c_int)(at)() == 42 else -1"
    )


CODE = [
    *attacks(
        "kernel",
        Layer.SECCOMP,
        {
            "asks for executable memory": (
                'at = call("mmap", 0, 4096, 7, 0x22, -1, 0)\nif at < 0:\n    return at\n' + _run()
            ),
            "makes memory executable": (
                'at = call("mmap", 0, 4096, 3, 0x22, -1, 0)\nassert at > 0\n' + _run('call("mprotect", at, 4096, 5)')
            ),
            "makes its stack executable": (
                "here = room(64)\nat = ctypes.addressof(here)\npage = at & -4096\n"
                + _run('call("mprotect", page, 8192, 7)')
            ),
            "has a function made at run time": "return ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)()",
            "asks that all it can read be executable": 'return call("personality", 0x0400000)',
        },
    ),
    *refusable(
        attacks(
            "kernel",
            Layer.SECCOMP,
            {
                "makes memory executable by pkey_mprotect": (
                    'at = call("mmap", 0, 4096, 3, 0x22, -1, 0)\nassert at > 0\n'
                    + _run('call("pkey_mprotect", at, 4096, 5, -1)')
                ),
            },
        ),
        errno.ENOSYS,
    ),
]

_GET_PID = 39
INT_80 = "b814000000cd80c3"
"""``mov eax, 20; int 0x80; ret``: getpid in the numbers of i386."""


def _x86(name: str, body: str, *forbidden: int, deadly: str = "") -> Attack:
    return Attack(name, "kernel", body, Layer.SECCOMP, returned, frozenset(forbidden), deadly, X86)


X86_ONLY = [
    _x86("enters by the x32 table", f"return call({0x4000_0000 | _GET_PID})", errno.ENOSYS),
    _x86("enters by the x32 table with a number of its own", "return call(0x4000_0000 | 520, 0, 0, 0)", errno.ENOSYS),
    _x86(
        "enters by the gate of 32-bit programs",
        f"at = mmap.mmap(-1, 4096, prot=7)\nat.write(bytes.fromhex('{INT_80}'))\n"
        "code = ctypes.addressof(ctypes.c_char.from_buffer(at))\n"
        "return 1 if ctypes.PYFUNCTYPE(ctypes.c_int)(code)() == os.getpid() else -1",
        deadly="SIGSEGV",
    ),
    _x86("changes its segments", 'return call("modify_ldt", 0, room(64), 64)', errno.ENOSYS, errno.EPERM),
    _x86("talks to the hardware", 'return call("ioperm", 0x80, 1, 1)', *OPTIONAL),
]

QUEUES = attacks(
    "kernel",
    Layer.SECCOMP,
    {
        "makes a segment of shared memory": (
            'segment = call("shmget", 0, 4096, 0o1600)\n'
            'return call("shmctl", segment, 0, 0) if segment >= 0 else segment'
        ),
        "makes a message queue": (
            'queue = call("msgget", 0, 0o1600)\nreturn call("msgctl", queue, 0, 0) if queue >= 0 else queue'
        ),
        "makes a semaphore": (
            'lock = call("semget", 0, 1, 0o1600)\nreturn call("semctl", lock, 0, 0, 0) if lock >= 0 else lock'
        ),
        "makes a pipe": "return len(os.pipe())",
        "makes an event descriptor": 'return call("eventfd2", 0, 0)',
        "asks for control of a descriptor": 'return call("ioctl", pipe_end(), 0x541B, room(8))',
        "shapes its own pipes": 'return call("fcntl", pipe_end(), 1032, 0)',
        "copies a descriptor over another": 'return call("dup3", 0, 15, 0)',
        "asks whether it can be traced": 'return call("prctl", 3, 0, 0, 0, 0)',
        "lets itself be traced": 'return call("prctl", 4, 1, 0, 0, 0)',
        "names itself": 'return call("prctl", 15, "nobody", 0, 0, 0)',
        "leaves its death to chance": 'return call("prctl", 1, 0, 0, 0, 0)',
        "puts up a filter of its own": (
            "rule = ctypes.create_string_buffer(bytes.fromhex('060000000000ff7f'))\n"
            "program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(rule))\n"
            'return call("seccomp", 1, 0, program)'
        ),
    },
)

OBSCURE = [
    *refusable(
        attacks(
            "kernel",
            Layer.SECCOMP,
            {
                "makes a ring of requests": 'return call("io_uring_setup", 1, room(120))',
                "makes secret memory": 'return call("memfd_secret", 0)',
                "adds a key": 'return call("add_key", "user", "evolve", "x", 1, -2)',
                "asks for its keys": 'return call("keyctl", 0, -3, 1)',
                "loads a program into the kernel": ('return call("bpf", 0, (ctypes.c_uint32 * 18)(2, 4, 4, 1), 72)'),
                "counts what the processor does": (
                    'return call("perf_event_open", (ctypes.c_uint32 * 32)(1, 128), 0, -1, -1, 0)'
                ),
                "handles its own page faults": 'return call("userfaultfd", 1)',
                "watches all files": 'return call("fanotify_init", 0, 0)',
                "reads the kernel's log": 'return call("syslog", 3, room(4096), 4096)',
                "makes a queue with a name": 'return call("mq_open", w["name"], 0o102, 0o600, 0)',
                "makes a timer": ('return call("timer_create", 0, 0, (ctypes.c_uint64 * 1)())'),
            },
        ),
        *OPTIONAL,
        errno.ENOENT,
        errno.EMFILE,
        errno.EDQUOT,
    ),
    *refusable(
        attacks(
            "kernel",
            Layer.SECCOMP,
            {
                "leaves into name spaces as a new user": 'return call("unshare", 0x10000000)',
                "forks into name spaces as a new user": f'pid = call("clone", 0x10000011, 0, 0, 0, 0)\n{REAPED}',
                "leaves into another network": 'return call("unshare", 0x40000000)',
                "changes its root": 'return call("chroot", "/")',
                "mounts a disk": (
                    'made = call("unshare", 0x20000)\nif made < 0:\n    return made\n'
                    'call("mount", 0, "/", 0, 0x44000, 0)\n'
                    'return call("mount", "x", "/", "tmpfs", 0, 0)'
                ),
                "mounts anew what it may not see": (
                    'made = call("unshare", 0x20000)\nif made < 0:\n    return made\n'
                    'call("mount", 0, "/", 0, 0x44000, 0)\n'
                    'if (made := call("mount", "x", "/", "devtmpfs", 0, 0)) < 0:\n    return made\n'
                    'return call("chroot", "/..") or len(os.listdir("/"))'
                ),
                "opens a tree of mounts": 'return call("open_tree", -100, "/", 1)',
                "makes a file system": 'return call("fsopen", "tmpfs", 0)',
            },
        ),
        *OPTIONAL,
        errno.ENOSPC,
        errno.EUSERS,
    ),
    *refusable(
        attacks("kernel", Layer.USER, {"is or becomes root": 'return call("setresuid", 0, 0, 0)'}),
        *ROOT_ONLY,
        errno.EINVAL,
    ),
]


def _twice(name: str, body: str, evidence: Evidence = returned, *forbidden: int) -> Attack:
    return Attack(name, "traces", body, Layer.SECCOMP, evidence, frozenset(forbidden), lives=2)


TRACES = [
    _twice(
        "leaves a note in a file",
        'note = w["folder"] + "/note"\nif os.path.exists(note):\n    return open(note).read()\n'
        'open(note, "w").write("again")',
    ),
    _twice(
        "leaves a note in a file's rights",
        'note = w["folder"] + "/journal"\nif os.stat(note).st_mode & 1:\n    return 1\nos.chmod(note, 0o667)',
    ),
    _twice(
        "leaves a note in shared memory",
        'segment = call("shmget", w["key"], 4096, 0)\n'
        'if segment >= 0:\n    call("shmctl", segment, 0, 0)\n    return 1\n'
        'made = call("shmget", w["key"], 4096, 0o1666)\nreturn made if made < 0 else None',
    ),
    _twice(
        "leaves a note in a message queue",
        'queue = call("msgget", w["key"], 0)\n'
        'if queue >= 0:\n    call("msgctl", queue, 0, 0)\n    return 1\n'
        'made = call("msgget", w["key"], 0o1666)\nreturn made if made < 0 else None',
    ),
    _twice(
        "leaves a note among the keys",
        'key = call("keyctl", 10, -4, "user", w["name"], 0)\n'
        "if key >= 0:\n    return 1\n"
        'key = call("add_key", "user", w["name"], "x", 1, -4)\n'
        'return key if key < 0 else call("keyctl", 15, key, 3) and None',
        returned,
        *OPTIONAL,
        errno.EDQUOT,
        errno.ENOKEY,
    ),
    _twice(
        "leaves a note in the limits of its parent",
        "now = (ctypes.c_uint64 * 2)()\n"
        'if (seen := call("prlimit64", os.getppid(), 11, 0, now)) < 0:\n    return seen\n'
        "if now[0] == 7:\n    return 1\n"
        'call("prlimit64", os.getppid(), 11, stretch(7, 7), 0)',
    ),
    _twice(
        "leaves a note in the priority of its parent",
        "if os.getpriority(os.PRIO_PROCESS, 0) >= 3:\n    return 1\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 3)",
    ),
]

ATTACKS: list[Attack] = [*CODE, *X86_ONLY, *QUEUES, *OBSCURE, *TRACES]
