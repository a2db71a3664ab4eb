"""A sweep: times every legal configuration on every shape, and makes a table of it.

1. Each configuration is timed once on each shape.
2. The best few of a shape are timed again, until each of those that are now the best few has been timed so often; the
   median of these later times counts, so that the least time is not merely the luckiest.
3. The vendor's library is timed on each shape.
4. Some cells, drawn at random, are timed once more: how far they are from what was recorded is the repeatability.

What has been timed is kept at once in a part file, and the next sweep goes on from there.
"""

import datetime
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from statistics import median

import numpy as np

from evaluators.gpu.bench import Bench, Configuration, GpuError, Shape, Status, Timing
from evaluators.gpu.recording import Cell, Kind, Recording, Subject
from evaluators.gpu.store import save
from evaluators.gpu.table import ARRAYS, Provenance, Repeatability, Table

FEW = 8
PASSES = 5
CHECKS = 50
CHUNK = 64
"""Configurations that are compiled ahead at a time."""

TELL_SECONDS = 5.0
LONGEST_REASON = 200


@dataclass(frozen=True)
class Plan:
    """What to time: for each shape of a problem its legal configurations.

    ``kernel`` is a digest of the code that is timed, ``engine`` the version of this project.
    """

    problem: str
    columns: tuple[str, ...]
    knobs: tuple[str, ...]
    legal: Mapping[Shape, Sequence[Configuration]]
    kernel: str
    engine: str

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """All shapes; their order numbers them."""
        return tuple(self.legal)

    @cached_property
    def configurations(self) -> tuple[Configuration, ...]:
        """All configurations that are legal on some shape; their order numbers them."""
        return tuple(sorted({configuration for legal in self.legal.values() for configuration in legal}))

    @cached_property
    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """The cells to time, by shape."""
        number = {configuration: column for column, configuration in enumerate(self.configurations)}
        return tuple(
            tuple((row, number[configuration]) for configuration in legal)
            for row, legal in enumerate(self.legal.values())
        )

    @property
    def digest(self) -> str:
        """A hash of what is timed."""
        content = json.dumps([self.columns, self.knobs, list(self.legal.items())])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def part_file(out: Path) -> Path:
    """Returns where a sweep keeps what it has timed until the table is written."""
    return out.with_name(out.name + ".part")


def sweep(
    plan: Plan, bench: Bench, out: Path, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Table:
    """Times what is not timed yet, writes the table to ``out`` and returns it.

    Raises:
        GpuError: the GPU was lost, or nothing works on it; what was timed is kept.
        RecordingError: the part file is of another device, software or space.
    """
    subject = Subject(plan.problem, bench.device, plan.digest, plan.kernel, plan.engine)
    recording = Recording(part_file(out), subject)
    try:
        table = _Sweep(plan, bench, recording, tell, clock).table()
        save(table, out)
        recording.file.unlink()
    except GpuError as error:
        kept = f"{len(recording):,} timings are kept in {recording.file}; the same command goes on from there"
        raise GpuError(f"{error}; {kept}") from error
    finally:
        recording.close()
    tell(f"table {table.digest[:8]}; {_described(table.repeatability)}")
    return table


def _described(found: Repeatability) -> str:
    within = f"half came within {found.median:.1%}, 95% within {found.p95:.1%}"
    return f"repeatability: of {found.cells} timings made again {within}"


class _Sweep:
    def __init__(
        self,
        plan: Plan,
        bench: Bench,
        recording: Recording,
        tell: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._plan, self._bench, self._recording = plan, bench, recording
        self._tell, self._clock = tell, clock
        self._begun = self._told = clock()
        self._kept = len(recording)

    def table(self) -> Table:
        before = f"; going on from {self._kept:,} timings" if self._kept else ""
        self._tell(f"{sum(map(len, self._plan.cells)):,} configurations on {len(self._plan.shapes)} shapes{before}")
        for cells in self._plan.cells:
            self._time_first(cells)
        for cells in self._plan.cells:
            self._time_best_again(cells)
        for row in range(len(self._plan.shapes)):
            self._time_vendor(row)
        return self._table(self._time_some_again())

    def _time_first(self, cells: Sequence[Cell]) -> None:
        missing = [cell for cell in cells if not self._made("first", cell)]
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            self._bench.prepare([self._pair(cell) for cell in chunk])
            for cell in chunk:
                self._time("first", cell)
        if not any(self._result(cell).status is Status.OK for cell in cells):
            said = self._result(cells[0])
            shape = self._plan.shapes[cells[0][0]]
            raise GpuError(f"none of {len(cells)} configurations works on {shape}: {said.status.name}, {said.message}")

    def _time_best_again(self, cells: Sequence[Cell]) -> None:
        while pending := [cell for cell in self._best(cells) if len(self._made("again", cell)) < PASSES]:
            for cell in pending:
                self._time("again", cell)

    def _best(self, cells: Sequence[Cell]) -> list[Cell]:
        timed = {cell: timing.microseconds for cell in cells if (timing := self._result(cell)).status is Status.OK}
        return sorted(timed, key=lambda cell: timed[cell])[:FEW]

    def _time_vendor(self, row: int) -> None:
        while len(self._made("vendor", (row, -1))) < PASSES:
            timing = self._bench.outside(self._plan.shapes[row])
            if timing.status is not Status.OK:
                said = f"{timing.status.name}, {timing.message}"
                raise GpuError(f"the vendor's library failed on {self._plan.shapes[row]}: {said}")
            self._keep("vendor", (row, -1), timing)

    def _time_some_again(self) -> Repeatability:
        fine = [cell for cells in self._plan.cells for cell in cells if self._result(cell).status is Status.OK]
        drawn = Random(0).sample(fine, min(CHECKS, len(fine)))
        for cell in drawn:
            if not self._made("check", cell):
                self._time("check", cell)
        pairs = [(self._made("check", cell)[0], self._result(cell)) for cell in drawn]
        far = [
            abs(again.microseconds / before.microseconds - 1) for again, before in pairs if again.status is Status.OK
        ]
        if not far:
            raise GpuError(f"none of {len(drawn)} configurations that had worked worked again")
        return Repeatability(len(far), float(np.median(far)), float(np.quantile(far, 0.95)))

    def _made(self, kind: Kind, cell: Cell) -> list[Timing]:
        return self._recording.timings.get((kind, cell), [])

    def _pair(self, cell: Cell) -> tuple[Shape, Configuration]:
        return self._plan.shapes[cell[0]], self._plan.configurations[cell[1]]

    def _time(self, kind: Kind, cell: Cell) -> None:
        self._keep(kind, cell, self._bench.time(*self._pair(cell)))

    def _keep(self, kind: Kind, cell: Cell, timing: Timing) -> None:
        self._recording.add(kind, cell, timing)
        if self._clock() - self._told >= TELL_SECONDS:
            self._told = self._clock()
            self._tell(self._progress())

    def _progress(self) -> str:
        done, rows = len(self._recording), len(self._plan.shapes)
        each = (self._told - self._begun) / (done - self._kept)
        total = sum(map(len, self._plan.cells)) + rows * (FEW + 1) * PASSES + CHECKS
        left = max(0, total - done) * each
        return f"{done:,} of about {total:,} timings, about {datetime.timedelta(seconds=round(left))} left"

    def _result(self, cell: Cell, *, checked: bool = False) -> Timing:
        """Returns what counts of a cell's timings: a failure if there was one, or the median of the later ones.

        ``checked``: a failure in the check at the end counts, too.
        """
        first, again = self._made("first", cell), self._made("again", cell)
        check = self._made("check", cell) if checked else []
        failed = [timing for timing in (*first, *again, *check) if timing.status is not Status.OK]
        return failed[0] if failed else _middle(again or first)

    def _table(self, repeatability: Repeatability) -> Table:
        plan = self._plan
        size = len(plan.shapes), len(plan.configurations)
        arrays: dict[str, np.ndarray] = {
            name: np.full(size, np.nan if kind is np.float32 else 0, kind) for name, kind in ARRAYS.items()
        }
        arrays["status"][:] = Status.ILLEGAL
        reasons = {"": 0}
        for cell in (cell for cells in plan.cells for cell in cells):
            timing = self._result(cell, checked=True)
            arrays["status"][cell] = timing.status
            if timing.status is Status.OK:  # how fast a wrong result is does not matter
                arrays["microseconds"][cell], arrays["spread"][cell] = timing.microseconds, timing.spread
            arrays["repeats"][cell] = min(timing.repeats, np.iinfo(np.uint16).max)
            arrays["reason"][cell] = reasons.setdefault(timing.message[:LONGEST_REASON], len(reasons))
        vendor = [_middle(self._made("vendor", (row, -1))) for row in range(len(plan.shapes))]
        arrays["outside"] = _float32(timing.microseconds for timing in vendor)
        arrays["outside_spread"] = _float32(timing.spread for timing in vendor)
        return Table(
            provenance=self._provenance(),
            shapes=plan.shapes,
            configurations=plan.configurations,
            reasons=tuple(reasons),
            repeatability=repeatability,
            **arrays,
        )

    def _provenance(self) -> Provenance:
        plan, now = self._plan, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return Provenance(plan.problem, self._recording.device, plan.columns, plan.knobs, plan.kernel, plan.engine, now)


def _middle(timings: Sequence[Timing]) -> Timing:
    """Returns the median of several times, with the spread of the middle one and all repeats."""
    ordered = sorted(timings, key=lambda timing: timing.microseconds)
    middle = ordered[len(ordered) // 2]
    return replace(
        middle,
        microseconds=median(timing.microseconds for timing in timings),
        repeats=sum(timing.repeats for timing in timings),
        message="",
    )


def _float32(values: Iterable[float]) -> np.ndarray:
    return np.array(list(values), np.float32)
