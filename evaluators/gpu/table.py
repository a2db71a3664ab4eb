"""A table: the time of every legal configuration of a kernel on every shape, as one GPU took it.

Only ``sweep`` makes one, from measurements; ``store`` keeps it in a file.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from evaluators.gpu.bench import Configuration, Device, Shape, Status, Timing
from evolve.problem import Unready

FORMAT = 1
"""Of files; raised when what they hold changes its meaning."""


ARRAYS: Mapping[str, type] = {
    "status": np.uint8,
    "microseconds": np.float32,
    "spread": np.float32,
    "repeats": np.uint16,
    "reason": np.uint16,
    "outside": np.float32,
    "outside_spread": np.float32,
}
"""The arrays of a table and what their numbers are."""


class TableError(Unready):
    """A file holds no table that can be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Repeatability:
    """How far timings of some cells, drawn at random, came out elsewhere when all was done.

    ``median`` and ``p95`` are of the deviations as shares of the recorded time.
    """

    cells: int
    median: float
    p95: float


@dataclass(frozen=True)
class Provenance:
    """What a table is of: whose problem, on which GPU, by what code and when (UTC).

    ``columns`` name the parts of a shape and ``knobs`` those of a configuration; ``kernel`` is a digest of the code
    that was timed, ``engine`` the version of this project.
    """

    problem: str
    device: Device
    columns: tuple[str, ...]
    knobs: tuple[str, ...]
    kernel: str
    engine: str
    recorded: str


@dataclass(frozen=True)
class Row:
    """What was recorded of one shape: a timing for each legal configuration, the least of their times, the vendor's.

    ``best`` and ``vendor`` are microseconds.
    """

    device: Device
    timings: Mapping[Configuration, Timing]
    best: float
    vendor: float


@dataclass(frozen=True, eq=False)
class Table:
    """Timings of configurations on shapes; ``reason`` indexes ``reasons``, of which the first is empty.

    ``status``, ``microseconds``, ``spread``, ``repeats`` and ``reason`` have a row for each shape and a column for each
    configuration; ``outside`` is the time of the vendor's library on each shape and ``outside_spread`` its spread.

    Raises:
        TableError: it contradicts itself.
    """

    provenance: Provenance
    shapes: tuple[Shape, ...]
    configurations: tuple[Configuration, ...]
    status: np.ndarray
    microseconds: np.ndarray
    spread: np.ndarray
    repeats: np.ndarray
    reason: np.ndarray
    reasons: tuple[str, ...]
    outside: np.ndarray
    outside_spread: np.ndarray
    repeatability: Repeatability

    def __post_init__(self) -> None:
        if flaw := _flaw(self):
            raise TableError(flaw)

    @property
    def device(self) -> Device:
        """The GPU that was measured."""
        return self.provenance.device

    def row(self, shape: Shape) -> "Row":
        """Returns what was recorded of a shape.

        Raises:
            TableError: nothing was.
        """
        if shape not in self._rows:
            raise TableError(f"the table {self.digest[:8]} of {self.device.name} has no shape {shape}; record it again")
        row = self._rows[shape]
        tried = np.flatnonzero(self.status[row] != Status.ILLEGAL)
        timings = {self.configurations[column]: self._timing(row, int(column)) for column in tried}
        return Row(self.device, timings, float(np.nanmin(self.microseconds[row])), float(self.outside[row]))

    @cached_property
    def metadata(self) -> str:
        """All that is not in arrays, as JSON."""
        return json.dumps(
            {
                "format": FORMAT,
                **asdict(self.provenance),
                "shapes": self.shapes,
                "configurations": self.configurations,
                "reasons": self.reasons,
                "repeatability": asdict(self.repeatability),
            }
        )

    @cached_property
    def digest(self) -> str:
        """A hash of all that the table says."""
        content = hashlib.sha256(self.metadata.encode())
        for name in ARRAYS:
            content.update(name.encode() + b"\0" + np.ascontiguousarray(getattr(self, name)).tobytes())
        return content.hexdigest()[:16]

    def _timing(self, row: int, column: int) -> Timing:
        status = Status(int(self.status[row, column]))
        if status is not Status.OK:
            return Timing(status, message=self.reasons[int(self.reason[row, column])])
        microseconds, spread = float(self.microseconds[row, column]), float(self.spread[row, column])
        return Timing(status, microseconds, spread, int(self.repeats[row, column]))

    @cached_property
    def _rows(self) -> dict[Shape, int]:
        return {shape: row for row, shape in enumerate(self.shapes)}


def _flaw(table: Table) -> str:
    """Returns what makes it no table; empty where nothing does."""
    return _flaw_of_axes(table) or _flaw_of_times(table) or _flaw_of_the_rest(table)


def _flaw_of_axes(table: Table) -> str:
    size = len(table.shapes), len(table.configurations)
    if not all(size):
        return "has no shapes or no configurations"
    for what, rows, names in (
        ("shapes", table.shapes, table.provenance.columns),
        ("configurations", table.configurations, table.provenance.knobs),
    ):
        if any(len(row) != len(names) for row in rows) or len(set(rows)) != len(rows):
            return f"its {what} are not all different and of {len(names)} numbers ({', '.join(names)})"
    for name in ARRAYS:
        wanted = size[:1] if name.startswith("outside") else size
        if (came := getattr(table, name).shape) != wanted:
            return f"{name} is of {_times(came)} numbers; expected {_times(wanted)}"
    return ""


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size)) or "no"


def _flaw_of_times(table: Table) -> str:
    fine = table.status == Status.OK
    if (table.status > max(Status)).any():
        return f"has the status {int(table.status.max())}; the last is {int(max(Status))}"
    for row in np.flatnonzero(~fine.any(axis=1)):
        return f"has no configuration that works on {table.shapes[row]}"
    with np.errstate(invalid="ignore"):
        timed = np.isfinite(table.microseconds) & (table.microseconds > 0)
        steady = np.isfinite(table.spread) & (table.spread >= 0)
    for name, good in (("microseconds", timed), ("spread", steady)):
        for row, column in np.argwhere(fine & ~good):
            return f"{_cell(table, row, column)} is OK with {name} {getattr(table, name)[row, column]}"
    for row, column in np.argwhere(~fine & ~np.isnan(table.microseconds)):
        return f"{_cell(table, row, column)} is not OK and has a time"
    return ""


def _cell(table: Table, row: int, column: int) -> str:
    return f"{table.configurations[column]} on {table.shapes[row]}"


def _flaw_of_the_rest(table: Table) -> str:
    with np.errstate(invalid="ignore"):
        odd = ~(np.isfinite(table.outside) & (table.outside > 0) & (table.outside_spread >= 0))
    for row in np.flatnonzero(odd):
        return f"the vendor's library has {table.outside[row]} microseconds on {table.shapes[row]}"
    if not table.reasons or int(table.reason.max()) >= len(table.reasons):
        return "lacks reasons that it refers to"
    figures = table.repeatability.median, table.repeatability.p95
    if table.repeatability.cells < 1 or not all(math.isfinite(value) and value >= 0 for value in figures):
        return f"has no check of its repeatability: {table.repeatability}"
    return ""
