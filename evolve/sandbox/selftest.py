"""Attacks a child from within and reports which layers stand; what ``evolve doctor`` shows.

A dozen of the attacks that the tests know, for a machine that has no tests.
"""

from dataclasses import dataclass

from evolve.sandbox.failure import PolicyFailure
from evolve.sandbox.launcher import ENVIRONMENT, Sandbox
from evolve.types import Limits


@dataclass(frozen=True, slots=True)
class Attack:
    """What a hostile policy tries, and the wall that is there for it; ``body`` raises unless it works."""

    name: str
    wall: str
    body: str


@dataclass(frozen=True, slots=True)
class Finding:
    """How one attack ended."""

    name: str
    wall: str
    stopped: bool
    detail: str


_OS = "random._os"
_SOCKET = f"{_OS}.sys.modules['socket'].socket()"
_READ_ENVIRONMENT = f"if not set({_OS}.environ) - {set(ENVIRONMENT)}: raise PermissionError('nothing of the judge')"

ATTACKS = (
    Attack("read a file", "seccomp", "open('/etc/passwd').read()"),
    Attack("write a file", "seccomp", "open('/tmp/evolve-was-here', 'w').write('1e9')"),
    Attack("list a folder", "seccomp", f"{_OS}.listdir('/tmp/..')[0]"),
    Attack("start a process", "seccomp", f"{_OS}.fork() or {_OS}._exit(0)"),
    Attack("run a program", "seccomp", f"{_OS}.execv('/bin/sh', ['sh', '-c', 'exit 3'])"),
    Attack("signal the judge's helper", "seccomp", f"{_OS}.kill({_OS}.getppid(), 0)"),
    Attack("open a network connection", "seccomp", f"{_SOCKET}.close()"),
    Attack("read the environment", "environment", _READ_ENVIRONMENT),
    Attack("take all memory", "limits", "bytearray(1 << 36)"),
    Attack("fill a disk with output", "limits", f"{_OS}.lseek(1, 1 << 30, 0); {_OS}.write(1, b'x')"),
    Attack("compute for ever", "watchdog", "\n    while True: pass"),
    Attack("import what it may not", "imports", "import socket"),
)

_LIMITS = Limits(cpu_seconds=2, wall_seconds=5, call_seconds=1, memory_mib=256)
_REPLACED = "exited with status 3"
"""How it looks from outside when a program has taken the child's place."""


def attack_all(sandbox: Sandbox) -> list[Finding]:
    """Runs every attack in a child of its own."""
    return [_attack(sandbox, attack) for attack in ATTACKS]


def _attack(sandbox: Sandbox, attack: Attack) -> Finding:
    source = f"import random\ndef attack():\n    {attack.body}\n    return 'done'\n"
    try:
        with sandbox.start(source, 0, _LIMITS) as child:
            child.ask([(0, "attack", ())])
    except PolicyFailure as failure:
        said = f"{failure.verdict}: {failure.message}"
        return Finding(attack.name, attack.wall, not failure.message.startswith(_REPLACED), said)
    return Finding(attack.name, attack.wall, False, "it worked")
