"""The one quiet line that shows how a search goes."""

import sys
from collections.abc import Callable
from typing import TextIO

from evolve.report.tables import share
from evolve.session import Progress
from evolve.types import Candidate

_TERMINAL_EVERY_SECONDS, _FILE_EVERY_SECONDS = 0.2, 10.0


class ProgressLine:
    """Rewrites one line on a terminal; in a file it adds a line every ten seconds.

    ``gap_of`` says which share of the gap to the bound a candidate closes, None where there is no bound.
    """

    def __init__(self, gap_of: Callable[[Candidate], float | None], stream: TextIO = sys.stderr) -> None:
        self._gap_of, self._stream = gap_of, stream
        self._live = stream.isatty()
        self._first: Progress | None = None
        self._shown_at = float("-inf")
        self._gaps: dict[int, float | None] = {}

    def __call__(self, progress: Progress) -> None:
        if self._first is None:
            self._first = progress
        every = _TERMINAL_EVERY_SECONDS if self._live else _FILE_EVERY_SECONDS
        if progress.seconds - self._shown_at >= every:
            self._shown_at = progress.seconds
            self._show(self.line(progress))

    def finish(self) -> None:
        """Leaves the line on a terminal as it is and begins a new one."""
        if self._live and self._first is not None:
            self._stream.write("\n")
            self._stream.flush()

    def line(self, progress: Progress) -> str:
        """Returns evaluations, best, gap closed, rate, cost and time left."""
        parts = [f"{progress.candidate.number + 1} evaluations"]
        if progress.best is not None:
            parts.append(f"best {progress.best.score:.4f} (#{progress.best.number})")
            parts.append(f"gap closed {share(self._gap(progress.best))}")
        parts += [f"{self._rate(progress):.1f}/s", "$0.00"]
        if progress.seconds_left is not None:
            minutes, seconds = divmod(round(progress.seconds_left), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        return " · ".join(parts)

    def _gap(self, best: Candidate) -> float | None:
        if best.number not in self._gaps:
            self._gaps[best.number] = self._gap_of(best)
        return self._gaps[best.number]

    def _rate(self, progress: Progress) -> float:
        return (progress.candidate.number + 1) / max(progress.seconds, 1e-3)

    def _show(self, line: str) -> None:
        self._stream.write(f"\r{line}\x1b[K" if self._live else f"{line}\n")
        self._stream.flush()
