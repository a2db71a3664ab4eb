"""Whether this machine can judge policies nobody has read, in words a newcomer understands."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from evolve.models.keys import load_env
from evolve.report import tables
from evolve.sandbox import Sandbox, SandboxError, selftest
from evolve.text import brief

_PACKAGES = ("evolve", "numpy", "optuna", "msgpack")
_FOR_MODELS = ("litellm", "openai")
_KEY = "_API_KEY"


@dataclass(frozen=True, slots=True)
class Health:
    """What was found; ``sound`` says whether policies can be judged here."""

    sound: bool
    machine: str
    versions: dict[str, str]
    unprivileged: bool
    findings: tuple[selftest.Finding, ...]
    problem: str = ""
    keys: tuple[str, ...] = ()  # names of the variables that hold keys of providers


def examine() -> Health:
    """Attacks a sandbox of this machine from within."""
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores"
    versions = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    versions |= {name: _version(name) for name in _FOR_MODELS}
    load_env()
    keys = tuple(sorted(name for name, value in os.environ.items() if name.endswith(_KEY) and value.strip()))
    try:
        with Sandbox() as sandbox:
            findings = tuple(selftest.attack_all(sandbox))
            unprivileged = sandbox.unprivileged
    except SandboxError as error:
        return Health(False, machine, versions, False, (), str(error), keys)
    sound = unprivileged and all(finding.stopped for finding in findings)
    return Health(sound, machine, versions, unprivileged, findings, keys=keys)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed (needed for models: pip install 'evolve[llm]')"


def describe(health: Health) -> str:
    """Returns the findings as text."""
    lines = [
        f"machine   {health.machine}",
        "versions  " + ", ".join(f"{k} {v}" for k, v in health.versions.items()),
        "keys      "
        + (", ".join(health.keys) or "none, so only embedded proposers and local models can write policies"),
    ]
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
