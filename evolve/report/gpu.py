"""The GPU of this machine and what drives it, found without PyTorch, which is slow to load and may not be there."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from evolve.text import brief

PATIENCE_SECONDS = 5.0
COMMAND = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version,compute_cap", "--format=csv,noheader")
INSTALL = "pip install torch triton"
_PACKAGES = ("torch", "triton")
_FIELDS = 4

Ask = Callable[[Sequence[str]], str]
"""Runs a program and returns what it prints; raises an OSError, with words for people, where that fails."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, in the words of its driver."""

    name: str
    memory: str
    driver: str
    capability: str


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs of a machine; ``why_none`` says why none was found, ``versions`` are None of what is not installed."""

    found: tuple[Gpu, ...]
    why_none: str
    versions: dict[str, str | None]

    @property
    def missing(self) -> list[str]:
        """The packages that measuring needs and that are not here."""
        return [name for name, known in self.versions.items() if known is None]


def examine(ask: Ask | None = None, installed: Callable[[str], str | None] | None = None) -> Gpus:
    """Returns what the driver says of its GPUs, and which of the packages that use them are here."""
    versions = {name: (installed or _version)(name) for name in _PACKAGES}
    try:
        lines = (ask or run)(COMMAND).splitlines()
    except OSError as error:
        return Gpus((), brief(str(error), 200), versions)
    found = tuple(Gpu(*fields) for line in lines if (fields := _fields(line)))
    return Gpus(found, "" if found else brief(f"nvidia-smi names none: {' '.join(lines)}".rstrip(": "), 200), versions)


def describe(gpus: Gpus) -> list[str]:
    """Returns a line for each GPU or on why there is none, then what is installed, missing, and possible without."""
    lines = [
        f"{brief(gpu.name, 60)}, {brief(gpu.memory, 20)}, driver {brief(gpu.driver, 20)}, "
        f"compute capability {brief(gpu.capability, 10)}"
        for gpu in gpus.found
    ] or [f"none: {gpus.why_none}"]
    lines.append(", ".join(f"{name} {known or 'not installed'}" for name, known in gpus.versions.items()))
    if gpus.missing:
        lines[-1] += f" (needed to measure on a GPU: {INSTALL})"
    if gpus.missing or not gpus.found:
        lines.append(
            "nothing can be measured here; problems of GPU kernels replay tables of times, where some were recorded"
        )
    return lines


def run(command: Sequence[str], patience_seconds: float = PATIENCE_SECONDS) -> str:
    """Returns what a program prints; one that does not end is killed with all it started, and not waited for long.

    Raises:
        OSError: it is not there, fails or hangs; the message says which.
    """
    name = Path(command[0]).name
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise OSError(f"{name} is not on the path; it comes with the driver of an NVIDIA GPU") from None
    except OSError as error:
        raise OSError(f"{name} cannot be started: {error.strerror}") from None
    assert process.stdout is not None
    with process.stdout:  # not `with process`: that waits, and a process may hang in its driver even when killed
        try:
            said = process.communicate(timeout=patience_seconds)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            _kill(process)
            raise OSError(f"{name} did not answer within {patience_seconds:g} s: its driver hangs") from None
    if process.returncode:
        raise OSError(f"{name} failed: {said.strip() or f'status {process.returncode}'}")
    return said


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.0)


def _fields(line: str) -> list[str]:
    fields = [field.strip() for field in line.rsplit(",", _FIELDS - 1)]
    return fields if len(fields) == _FIELDS else []


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
