"""Calls of the Linux kernel that Python has no function for, or not in every build.

Sources: the manual pages of the same names in section 2; capabilities(7), landlock(7); Linux ``include/uapi/linux``.
"""

import ctypes
import errno
import os
import struct

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
MFD_CLOEXEC = 1
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 1 << 14, 1 << 18
MNT_DETACH = 2
_PIDFD_SEND_SIGNAL, _PIDFD_OPEN = 424, 434  # the same on every architecture, as all calls since Linux 5.1
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_VERSION = 1
_CAPABILITY_HEADER = struct.pack("<Ii", 0x2008_0522, 0)  # version 3, this thread

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def prctl(option: int, value: int) -> None:
    """Sets an attribute of this process."""
    _checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl({option})")


def install_filter(program: bytes) -> None:
    """Puts up a system-call filter, an array of ``struct sock_filter``."""
    whole = _Program(len(program) // 8, program)
    _checked(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(whole), 0, 0), "seccomp")


def knows_filters() -> bool:
    """Says whether the kernel takes system-call filters; it looks at the address of one only if so."""
    _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, 0, 0)
    return ctypes.get_errno() == errno.EFAULT


def unshare(flags: int) -> None:
    """Moves this process, or for some flags its children, into namespaces of its own."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mounts a file system or changes a mount."""
    data = options.encode() or None
    result = _libc.mount(_path(source), _path(target), _path(kind), ctypes.c_ulong(flags), data)
    _checked(result, f"mount {target}")


def pivot_root_here() -> None:
    """Makes the working folder, a mount, the root, and lets go of the old one."""
    _checked(_libc.pivot_root(b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", MNT_DETACH), "umount2")  # the old root lies on top of the new one


def drop_capabilities() -> None:
    """Gives up every capability."""
    _checked(_libc.capset(_CAPABILITY_HEADER, bytes(24)), "capset")


def capabilities() -> int:
    """Returns as bits the capabilities that this process has, may have or may pass on."""
    data = ctypes.create_string_buffer(24)
    _checked(_libc.capget(_CAPABILITY_HEADER, data), "capget")
    effective, permitted, inheritable, *high = struct.unpack("<6I", data.raw)
    return int(effective | permitted | inheritable | (high[0] | high[1] | high[2]) << 32)


def landlock_version() -> int:
    """Returns the version of Landlock that the kernel offers, 0 if none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)))


def landlock_create_ruleset(attributes: bytes) -> int:
    """Returns a descriptor of a ruleset."""
    size = ctypes.c_size_t(len(attributes))
    return _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, size, 0), "landlock_create_ruleset")


def landlock_restrict_self(ruleset: int) -> None:
    """Binds this process to a ruleset."""
    _checked(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")


def pidfd_open(pid: int) -> int:
    """Returns a descriptor of a process that is readable when it has ended; since Linux 5.3.

    Not ``os.pidfd_open``: Pythons that were built for old systems lack it.
    """
    return _checked(_libc.syscall(_PIDFD_OPEN, pid, 0), "pidfd_open")


def pidfd_send_signal(pidfd: int, number: int) -> None:
    """Signals the process of a descriptor and never another one; since Linux 5.1."""
    _checked(_libc.syscall(_PIDFD_SEND_SIGNAL, pidfd, number, None, 0), "pidfd_send_signal")


def memfd_create(name: str) -> int:
    """Returns a descriptor of a file in memory; since Linux 3.17."""
    return _checked(_libc.memfd_create(name.encode(), MFD_CLOEXEC), "memfd_create")


def _path(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
