"""A recording under way: a file to which each timing is added as soon as it is made.

A text of one line of JSON for each timing, after one that says what is recorded.  A kill at any instant loses at most
the timing under way: a last line without its end is dropped.
"""

import fcntl
import json
import math
import os
import stat
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from evaluators.gpu.bench import Device, Status, Timing
from evolve.types import EvolveError

Kind = Literal["first", "again", "vendor", "check"]
"""Why a cell is timed: for the first time, because it is among the best, for the vendor's library, at the end."""

Cell = tuple[int, int]
"""The number of a shape and of a configuration; the latter is -1 for the vendor's library."""

REMEASURED = ("copy_gbps", "matmul_tflops")
"""Of a device; never twice the same, so those of the beginning count."""


_BEGINNING = b'{"problem": '


class RecordingError(EvolveError):
    """A recording cannot go on; the message says what differs or is wrong, and what to do."""


@dataclass(frozen=True)
class Subject:
    """What is recorded; a recording goes on only with the same."""

    problem: str
    device: Device
    space: str
    kernel: str
    engine: str

    def difference(self, begun: Mapping[str, Any]) -> str:
        """Returns how this differs from what a recording was begun with; empty where it does not."""
        old, new = _flat(begun), _flat(json.loads(json.dumps(asdict(self))))
        return ", ".join(
            f"{name} {old.get(name)} then and {new.get(name)} now"
            for name in dict.fromkeys((*old, *new))
            if old.get(name) != new.get(name) and name not in REMEASURED
        )


class Recording:
    """The timings made so far, of each kind and cell in their order; only one process at a time adds to a file.

    Raises:
        RecordingError: the file was begun with another subject, is in use, or is none.
    """

    def __init__(self, file: Path, subject: Subject) -> None:
        self.file = file
        self.timings: dict[tuple[Kind, Cell], list[Timing]] = defaultdict(list)
        file.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = _open(file)
        try:
            self._lock()
            self.device = self._read(subject)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return sum(map(len, self.timings.values()))

    def add(self, kind: Kind, cell: Cell, timing: Timing) -> None:
        """Keeps a timing: once this returns, only the loss of the machine itself can lose it."""
        numbers = [None if math.isnan(value) else value for value in (timing.microseconds, timing.spread)]
        self._write([kind, *cell, int(timing.status), *numbers, timing.repeats, timing.message])
        self.timings[kind, cell].append(timing)

    def close(self) -> None:
        """Leaves the file to others."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecordingError(f"{self.file} is being written by another recording; wait for it or end it") from None

    def _read(self, subject: Subject) -> Device:
        """Reads what is there, and begins where nothing is; returns the device as it was at the beginning."""
        text = self.file.read_bytes()
        if b"\n" not in text and text[: len(_BEGINNING)] == _BEGINNING[: len(text)]:  # empty, or killed as it began
            os.ftruncate(self._descriptor, 0)
            self._write(asdict(subject))
            return subject.device
        whole = text[: text.rfind(b"\n") + 1]
        begun, *rows = whole.splitlines() or [text]
        try:
            about = json.loads(begun)
            for row in rows:
                self._note(*json.loads(row))
            device = Device(**about["device"])
        except (ValueError, TypeError, KeyError) as error:
            raise RecordingError(f"{self.file} is no recording ({error}); delete it to begin anew") from None
        if differs := subject.difference(about):
            raise RecordingError(f"{self.file} was begun otherwise: {differs}; delete it to begin anew")
        os.ftruncate(self._descriptor, len(whole))  # only now: it may have been somebody's diary
        return device

    def _note(
        self,
        kind: Kind,
        row: int,
        column: int,
        status: int,
        microseconds: float | None,
        spread: float | None,
        repeats: int,
        message: str,
    ) -> None:
        timing = Timing(Status(status), _or_nan(microseconds), _or_nan(spread), repeats, message)
        self.timings[kind, (row, column)].append(timing)

    def _write(self, row: Any) -> None:
        line = json.dumps(row).encode() + b"\n"
        if os.write(self._descriptor, line) != len(line):
            raise RecordingError(f"{self.file} could not be added to: is the disk full?")


def _open(file: Path) -> int:
    """Opens a plain file to add to; a link is not followed and a FIFO not waited for."""
    careful = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | careful, 0o644)
    except OSError as error:
        raise RecordingError(f"{file} cannot be written ({error.strerror}); name another file") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RecordingError(f"{file} is no plain file; remove it, or name another file")
    return descriptor


def _flat(about: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in about.items() if name != "device"}, **about["device"]}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
