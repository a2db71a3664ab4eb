"""Attacks a child from within and reports which layers stand; what ``evolve doctor`` shows."""

from dataclasses import dataclass

from evolve.sandbox.failure import PolicyFailure
from evolve.sandbox.launcher import ENVIRONMENT, Sandbox
from evolve.types import Limits, Verdict


@dataclass(frozen=True, slots=True)
class Attack:
    """What a hostile policy tries, and the verdicts that show that it was stopped."""

    name: str
    layer: str
    body: str
    stopped: frozenset[Verdict]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one attack ended."""

    name: str
    layer: str
    stopped: bool
    detail: str


_OS = "random._os"
_DENIED = frozenset({Verdict.FORBIDDEN})
_READ_ENVIRONMENT = (  # it says itself when there is nothing of the judge's to be found
    f"if not set({_OS}.environ) - {set(ENVIRONMENT)}: raise PermissionError('it holds nothing of the judge')"
)

ATTACKS = (
    Attack("read a file", "seccomp", "open('/etc/passwd').read()", _DENIED),
    Attack("write a file", "seccomp", "open('/tmp/evolve-was-here', 'w').write('1e9')", _DENIED),
    Attack("list a directory", "seccomp", f"{_OS}.listdir('/')", _DENIED),
    Attack("start a process", "seccomp", f"{_OS}.fork()", _DENIED),
    Attack("run a program", "seccomp", f"{_OS}.execv('/bin/sh', ['sh'])", _DENIED),
    Attack("kill the judge's helper", "seccomp", f"{_OS}.kill({_OS}.getppid(), 0)", _DENIED),
    Attack("import a socket", "imports", "import socket", _DENIED),
    Attack("take all memory", "rlimits", "bytearray(1 << 36)", frozenset({Verdict.OUT_OF_MEMORY})),
    Attack("compute for ever", "watchdog", "\n    while True: pass", frozenset({Verdict.TIMED_OUT})),
    Attack("read the environment", "environment", _READ_ENVIRONMENT, _DENIED),
)

_LIMITS = Limits(cpu_seconds=2, wall_seconds=5, call_seconds=1, memory_mib=256)


def attack_all(sandbox: Sandbox) -> list[Finding]:
    """Runs every attack in a child of its own."""
    return [_attack(sandbox, attack) for attack in ATTACKS]


def _attack(sandbox: Sandbox, attack: Attack) -> Finding:
    source = f"import random\ndef attack():\n    {attack.body}\n    return 'done'\n"
    try:
        with sandbox.start(source, [0], _LIMITS) as child:
            child.ask([(0, "attack", ())])
    except PolicyFailure as failure:
        said = f"{failure.verdict}: {failure.message}"
        return Finding(attack.name, attack.layer, failure.verdict in attack.stopped, said)
    return Finding(attack.name, attack.layer, False, "it worked")
