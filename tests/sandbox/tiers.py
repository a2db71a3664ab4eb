"""Makes the machine poorer for one program: ``python -m tests.sandbox.tiers TIER COMMAND...`` becomes the command.

What is taken away is really gone: a system-call filter answers as a kernel without it would, and the ordinary
user is one, even where the interpreter lies in a folder that only root may enter.
"""

import ctypes
import errno
import os
import platform
import pwd
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evolve.types import Layer
from tests.sandbox.attack import NUMBERS

ROOT_FOLDER = Path(__file__).parents[2]

NOT_HERE = 77
"""How a tier ends that this machine does not let be made; it says why."""

NEW_NAMESPACES = 0x7E02_0000
"""All CLONE_NEW* flags but that of time, which clone(2) takes for a signal."""

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
_MS_BIND, _MS_REC, _MS_PRIVATE, _CLONE_NEWNS = 4096, 1 << 14, 1 << 18, 0x2_0000
_LOAD, _JUMP_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ERRNO, _ALLOW = 0x0005_0000, 0x7FFF_0000
_AUDIT = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}


@dataclass(frozen=True)
class Rule:
    """A call and how it fails: always, if the first argument equals ``equal``, or if it has one of ``bits``."""

    call: str
    error: int
    equal: int | None = None
    bits: int | None = None


NO_NAMESPACES = (
    Rule("unshare", errno.EPERM),
    Rule("setns", errno.EPERM),
    Rule("clone", errno.EPERM, bits=NEW_NAMESPACES),
    Rule("clone3", errno.ENOSYS),
)
NO_LANDLOCK = (Rule("landlock_create_ruleset", errno.ENOSYS), Rule("landlock_restrict_self", errno.ENOSYS))
NO_SECCOMP = (
    Rule("seccomp", errno.ENOSYS),
    Rule("prctl", errno.EINVAL, equal=PR_SET_SECCOMP),
)
NO_PIDFD = tuple(Rule(name, errno.ENOSYS) for name in ("pidfd_open", "pidfd_send_signal", "clone3"))


@dataclass(frozen=True)
class Tier:
    """What a machine lacks, and which layers can therefore not stand; ``ordinary``: nobody is root on it."""

    lacks: tuple[Rule, ...] = ()
    ordinary: bool = False
    without: frozenset[Layer] = frozenset()


NAMESPACES, LANDLOCK = frozenset({Layer.NAMESPACES}), frozenset({Layer.LANDLOCK})

TIERS = {
    "root": Tier(),
    "root, no namespaces, no Landlock": Tier(NO_NAMESPACES + NO_LANDLOCK, without=NAMESPACES | LANDLOCK),
    "ordinary user": Tier(ordinary=True),
    "ordinary user, no namespaces": Tier(NO_NAMESPACES, True, NAMESPACES),
    "ordinary user, no Landlock": Tier(NO_LANDLOCK, True, LANDLOCK),
    "ordinary user, no namespaces, no Landlock": Tier(NO_NAMESPACES + NO_LANDLOCK, True, NAMESPACES | LANDLOCK),
}
"""Machines on which everything must be stopped; the last is the poorest that still judges."""

BAD = {"no seccomp": Tier(NO_SECCOMP), "an old kernel": Tier(NO_PIDFD)}
"""Machines that must say in a line why they do not judge."""


def command(tier: str, *arguments: str) -> list[str]:
    return [sys.executable, "-B", "-m", "tests.sandbox.tiers", tier, *arguments]


def inside(tier: str, *arguments: str, timeout_seconds: float = 100) -> "subprocess.CompletedProcess[str]":
    """Runs Python in a tier."""
    return subprocess.run(
        command(tier, sys.executable, "-B", *arguments),
        cwd=ROOT_FOLDER,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )


def why_not(tier: Tier) -> str:
    """Returns why this machine cannot be made such a tier, or nothing."""
    if platform.machine() not in _AUDIT:
        return f"no filter for {platform.machine()}"
    return "the tests are not run as root" if os.geteuid() and not tier.ordinary else ""


_libc = ctypes.CDLL(None, use_errno=True)


def become(tier: Tier) -> None:
    """Leaves this process on the poorer machine."""
    if tier.ordinary and os.geteuid() == 0:
        user = _free_user()
        _open_closed_folders(_needed())
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    if tier.lacks:
        _install(_program(tier.lacks))


def _free_user() -> int:
    """Returns the number of an ordinary user that nobody has."""
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {path.stat().st_uid for path in Path("/proc").glob("[0-9]*")}
    return next(number for number in range(1000, 60_000) if number not in taken)


def _needed() -> list[Path]:
    folders = [sys.prefix, sys.base_prefix, *filter(None, sys.path), str(ROOT_FOLDER)]
    return sorted({Path(folder).resolve() for folder in folders if Path(folder).is_dir()})


def _open_closed_folders(needed: Iterable[Path]) -> None:
    """Puts an open folder over every one that only root may enter, with what is needed of it at its place.

    In a mount namespace of its own: nobody else sees it.
    """
    closed = {path: top for path in needed if (top := _topmost_closed(path)) is not None}
    if not closed:
        return
    _checked(_libc.unshare(_CLONE_NEWNS), "unshare")
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    held = {path: os.open(path, os.O_PATH) for path in closed}
    for top in sorted(set(closed.values())):
        _mount("none", str(top), "tmpfs", 0, "mode=755")
    for path, descriptor in held.items():
        if not path.exists():
            path.mkdir(parents=True)
            _mount(f"/proc/self/fd/{descriptor}", str(path), None, _MS_BIND | _MS_REC)
        os.close(descriptor)


def _topmost_closed(path: Path) -> Path | None:
    ways = [*reversed(path.parents), path]
    return next((folder for folder in ways if folder.stat().st_mode & 0o005 != 0o005), None)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    source_, target_, kind_ = (None if text is None else os.fsencode(text) for text in (source, target, kind))
    _checked(_libc.mount(source_, target_, kind_, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def _program(rules: Sequence[Rule]) -> bytes:
    """Returns a filter that allows everything but the rules: an array of ``struct sock_filter``."""
    code = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, _AUDIT[platform.machine()]), (_RETURN, 0, 0, _ALLOW)]
    for rule in rules:
        body = _body(rule)
        number = NUMBERS[rule.call]
        assert number is not None
        code += [(_LOAD, 0, 0, 0), (_JUMP_EQUAL, 0, len(body), number), *body]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _body(rule: Rule) -> list[tuple[int, int, int, int]]:
    fails = (_RETURN, 0, 0, _ERRNO | rule.error)
    if rule.equal is None and rule.bits is None:
        return [fails]
    jump, value = (_JUMP_EQUAL, rule.equal) if rule.equal is not None else (_JUMP_ANY_BIT, rule.bits)
    assert value is not None
    return [(_LOAD, 0, 0, 16), (jump, 0, 1, value), fails]


def _install(program: bytes) -> None:
    code = ctypes.create_string_buffer(program)
    whole = (ctypes.c_uint64 * 2)(len(program) // 8, ctypes.addressof(code))  # struct sock_fprog
    _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _checked(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, whole, 0, 0), "filter")


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def main() -> None:
    name, *words = sys.argv[1:]
    try:
        become({**TIERS, **BAD}[name])
    except OSError as error:
        print(error.strerror)
        sys.exit(NOT_HERE)
    os.execv(words[0], words)


if __name__ == "__main__":
    main()
