"""Whether this machine can judge policies nobody has read, in words a newcomer understands."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version

from evolve.report import tables
from evolve.sandbox import Sandbox, SandboxError, selftest
from evolve.text import brief

_PACKAGES = ("evolve", "numpy", "optuna", "msgpack")


@dataclass(frozen=True, slots=True)
class Health:
    """What was found; ``sound`` says whether policies can be judged here."""

    sound: bool
    machine: str
    versions: dict[str, str]
    unprivileged: bool
    findings: tuple[selftest.Finding, ...]
    problem: str = ""


def examine() -> Health:
    """Attacks a sandbox of this machine from within."""
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores"
    versions = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    try:
        with Sandbox() as sandbox:
            findings = tuple(selftest.attack_all(sandbox))
            unprivileged = sandbox.unprivileged
    except SandboxError as error:
        return Health(False, machine, versions, False, (), str(error))
    sound = unprivileged and all(finding.stopped for finding in findings)
    return Health(sound, machine, versions, unprivileged, findings)


def describe(health: Health) -> str:
    """Returns the findings as text."""
    lines = [f"machine   {health.machine}", "versions  " + ", ".join(f"{k} {v}" for k, v in health.versions.items())]
    if health.problem:
        return "\n".join([*lines, f"sandbox   missing: {health.problem}"])
    rows = [("stopped" if f.stopped else "NOT STOPPED", f.name, f.layer, brief(f.detail, 70)) for f in health.findings]
    lines += ["", tables.table(("", "a policy tries to", "stopped by", "what came of it"), rows, left=4), ""]
    privileges = "an ordinary user" if health.unprivileged else "ROOT: the sandbox could not drop it"
    lines.append(f"policies run as {privileges}")
    lines.append(
        "the sandbox stands" if health.sound else "the sandbox does NOT stand: do not judge policies you have not read"
    )
    return "\n".join(lines)
