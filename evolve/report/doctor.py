"""Whether this machine can judge policies nobody has read, in words a newcomer understands."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from evolve.models.keys import load_env
from evolve.report import gpu, tables
from evolve.sandbox import Sandbox, SandboxError, advice, kernel, selftest
from evolve.text import brief
from evolve.types import MINIMUM, Layer

_PACKAGES = ("evolve", "numpy", "optuna", "msgpack")
_FOR_MODELS = ("litellm", "openai")
_KEY = "_API_KEY"


@dataclass(frozen=True, slots=True)
class Wall:
    """A layer of the sandbox: whether it stands here, and if not, why and how to get it."""

    layer: Layer
    stands: bool
    needed: bool
    why_not: str = ""
    how: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What was found; ``sound`` says whether policies can be judged here."""

    sound: bool
    machine: str
    versions: dict[str, str]
    walls: tuple[Wall, ...] = ()
    findings: tuple[selftest.Finding, ...] = ()
    problem: str = ""
    keys: tuple[str, ...] = ()  # names of the variables that hold keys of providers
    gpus: gpu.Gpus | None = None  # None: nobody has looked


def examine() -> Health:
    """Attacks a sandbox of this machine from within, and looks at what else is there."""
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores"
    versions = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    versions |= {name: _version(name) for name in _FOR_MODELS}
    load_env()
    keys = tuple(sorted(name for name, value in os.environ.items() if name.endswith(_KEY) and value.strip()))
    gpus = gpu.examine()
    try:
        with Sandbox(unsafe=True) as sandbox:  # the attacks are ours
            findings = tuple(selftest.attack_all(sandbox))
            walls = tuple(_wall(layer, sandbox) for layer in Layer)
    except SandboxError as error:
        return Health(False, machine, versions, problem=str(error), keys=keys, gpus=gpus)
    sound = all(wall.stands for wall in walls if wall.needed) and all(finding.stopped for finding in findings)
    return Health(sound, machine, versions, walls, findings, keys=keys, gpus=gpus)


def _wall(layer: Layer, sandbox: Sandbox) -> Wall:
    needed = layer in MINIMUM
    if layer in sandbox.layers:
        return Wall(layer, True, needed)
    return Wall(layer, False, needed, sandbox.missing[layer], advice.how_to_get(layer))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed (needed for models: pip install -e '.[llm]' in evolve's folder)"


def describe(health: Health) -> str:
    """Returns the findings as text."""
    lines = [
        f"machine   {health.machine}",
        "versions  " + ", ".join(f"{k} {v}" for k, v in health.versions.items()),
        "keys      "
        + (", ".join(health.keys) or "none, so only embedded proposers and local models can write policies"),
        *_gpus(health),
    ]
    if health.problem:
        return "\n".join([*lines, f"sandbox   missing: {health.problem}"])
    return "\n".join([*lines, "", _walls(health), "", _attacks(health), "", *_verdict(health)])


def _gpus(health: Health) -> list[str]:
    """Returns what there is to measure on; without any the machine is as sound as with it."""
    if health.gpus is None:
        return []
    first, *more = gpu.describe(health.gpus)
    return [f"gpu       {first}", *(f"          {line}" for line in more)]


def _walls(health: Health) -> str:
    rows = [
        ("stands" if wall.stands else "MISSING" if wall.needed else "missing", _name(wall.layer), _about(wall))
        for wall in health.walls
    ]
    return tables.table(("", "layer", "what it does"), rows, left=3)


def _name(layer: Layer) -> str:
    return f"{layer} {kernel.landlock_version()}" if layer is Layer.LANDLOCK and kernel.landlock_version() else layer


def _about(wall: Wall) -> str:
    return advice.ABOUT[wall.layer] + ("" if wall.stands else f"; not here: {brief(wall.why_not, 100)}")


def _attacks(health: Health) -> str:
    lacking = {str(wall.layer) for wall in health.walls if not wall.stands}
    rows = [
        (
            "stopped" if found.stopped else "NOT STOPPED",
            found.name,
            "another" if found.stopped and found.wall in lacking else found.wall,
            brief(found.detail, 70),
        )
        for found in health.findings
    ]
    return tables.table(("", "a policy tries to", "wall against it", "what came of it"), rows, left=4)


def _verdict(health: Health) -> list[str]:
    lacking = [wall for wall in health.walls if not wall.stands]
    hints = [f"to get {wall.layer}: {wall.how}" for wall in lacking]
    if not health.sound:
        return [
            *hints,
            "the sandbox does NOT stand: policies are judged with --unsafe only.  It does in a container with Docker's",
            "default profile, on Linux 5.3 or later:",
            f"  {advice.DOCKER}",
        ]
    if lacking:
        return [*hints, "the sandbox stands: what is missing above is a second wall behind one that holds"]
    return ["the sandbox stands, with every layer there is"]
