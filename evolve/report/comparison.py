"""A comparison of search strategies as tables, and the line that shows how it goes."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TextIO

from evolve.comparing.figures import LEVEL, Comparison, Contrast, Row
from evolve.report.tables import number, share, table
from evolve.statistics import Interval
from evolve.text import amid, brief, counted, inert

_WIDEST_NAME = 28
_FILE_EVERY_SECONDS = 30.0


def describe(comparison: Comparison) -> str:
    """Returns the tables of each problem, what the words in them mean, and which cells failed."""
    parts = []
    for problem, rows in groupby(comparison.rows, lambda row: row.problem):
        parts.append("\n".join(_problem(comparison, problem, list(rows))))
    parts.append("\n".join(_notes(comparison)))
    if comparison.failures:
        parts.append("\n".join(_failures(comparison)))
    return "\n\n".join(parts)


def _problem(comparison: Comparison, problem: str, rows: Sequence[Row]) -> Iterator[str]:
    seeds = counted(max(len(row.seeds) for row in rows), "seed")
    cases = brief(comparison.cases, 40)
    yield f"{brief(problem, 60)}: {counted(comparison.evaluations, 'evaluation')} on {cases}, {seeds}"
    yield ""
    against = "against the first"
    yield table(
        ("strategy", "best", against, "p", "verdict"),
        [(_name(row), _interval(row.best), *_contrast(row.against)) for row in rows],
    )
    yield ""
    yield table(
        ("strategy", "validation", against, "p", "verdict"),
        [(_name(row), _interval(row.validation), *_contrast(row.validation_against)) for row in rows],
    )
    yield ""
    yield table(
        ("strategy", "mean best", "seeds", "evaluations", "simulations", "no score", "outraced"),
        [_used(row) for row in rows],
    )


def _used(row: Row) -> tuple[str, ...]:
    spent = row.spent
    return (
        _name(row),
        number(row.area, 4),
        str(len(row.seeds)),
        f"{spent.evaluations:,}",
        f"{spent.simulations:,}",
        _part(spent.without_score, spent.evaluations),
        _part(spent.outraced, spent.evaluations),
    )


def _notes(comparison: Comparison) -> Iterator[str]:
    yield "best         score of the best on the searched cases, geometric mean over seeds [95% interval over seeds]"
    yield "validation   the same policy on cases that no search has seen"
    yield f"against      how many times the score of {brief(comparison.first, 40)}, paired by seed"
    yield "p            sign-flip test over seeds, corrected by Holm for all comparisons of its kind in all tables"
    yield "mean best    geometric mean of the best over all evaluations; higher is earlier"
    unproved = sum(row.unproved for row in comparison.rows)
    if unproved:
        yield f"the best of {counted(unproved, 'run')} failed on validation and counts on the searched cases alone"
    if len({row.strategy for row in comparison.rows}) > 1 and comparison.least_p > LEVEL:
        yield (
            f"So few seeds cannot tell so many comparisons apart: the least p that they allow is "
            f"{comparison.least_p:.2f}; give --seeds {comparison.enough} or more"
        )


def _failures(comparison: Comparison) -> Iterator[str]:
    yield f"failed: {counted(len(comparison.failures), 'cell')}; the same command tries again"
    for failure in comparison.failures:
        yield f"  {brief(failure.cell, 80)}: {brief(failure.message, 400)}"


def _name(row: Row) -> str:
    failed = f" ({row.failed} failed)" if row.failed else ""
    return amid(row.strategy, _WIDEST_NAME) + failed


def _interval(found: Interval | None) -> str:
    if found is None:
        return "-"
    return f"{found.mean:.4f}" + (f" [{found.low:.4f}, {found.high:.4f}]" if found.stretches > 1 else "")


def _contrast(found: Contrast | None) -> tuple[str, str, str]:
    if found is None:
        return "", "", ""
    return _interval(found.ratio), f"{found.p_holm:.3f}", found.verdict


def _part(count: int, whole: int) -> str:
    return share(count / whole) if whole else "-"


class CellsLine:
    """Says how many cells are done and how long the others will take; on a terminal it is one line."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = sys.stderr if stream is None else stream, clock
        self._live = self._stream.isatty()
        self._began, self._before = clock(), -1
        self._shown_at = float("-inf")

    def __call__(self, done: int, cells: int, failed: int) -> None:
        """Shows where the comparison stands, if the line is due."""
        now = self._clock()
        if self._before < 0:
            self._before = done + failed
        if not self._live and now - self._shown_at < _FILE_EVERY_SECONDS and done + failed < cells:
            return
        self._shown_at = now
        line = inert(self.line(done, cells, failed, now - self._began))
        self._stream.write(f"\r{line}\x1b[K" if self._live else f"{line}\n")
        self._stream.flush()

    def finish(self) -> None:
        """Leaves the line."""
        if self._live and self._before >= 0:
            self._stream.write("\n")

    def line(self, done: int, cells: int, failed: int, seconds: float) -> str:
        """Returns the cells done, those that failed, and the time left at the pace of this sitting."""
        parts = [f"{done} of {counted(cells, 'cell')}"] + ([f"{failed} failed"] if failed else [])
        ended = done + failed - self._before
        left = cells - done - failed
        if ended > 0 and left:
            minutes, rest = divmod(round(seconds * left / ended), 60)
            parts.append(f"{minutes}:{rest:02d} left")
        return ", ".join(parts)
