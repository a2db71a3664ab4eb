"""The one quiet line that shows how a search goes."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

from evolve.report.tables import cost, share
from evolve.session import Progress
from evolve.text import brief, inert
from evolve.types import Candidate

_TERMINAL_EVERY_SECONDS, _FILE_EVERY_SECONDS = 0.2, 10.0


class ProgressLine:
    """Rewrites one line on a terminal; in a file it adds a line every ten seconds.

    ``gap_of`` says which share of the gap to the bound a candidate closes, None where there is no bound;
    ``cases`` is what the search sees.
    """

    def __init__(
        self, gap_of: Callable[[Candidate], float | None], stream: TextIO | None = None, cases: str = "train"
    ) -> None:
        self._gap_of, self._stream = gap_of, sys.stderr if stream is None else stream
        self._cases = brief(cases, 40)
        self._live = self._stream.isatty()
        self._last: Progress | None = None
        self._shown_at = float("-inf") if self._live else 0.0
        self._gaps: dict[int, float | None] = {}

    def __call__(self, progress: Progress) -> None:
        """Takes note, and shows it if the line is due."""
        self._last = progress
        every = _TERMINAL_EVERY_SECONDS if self._live else _FILE_EVERY_SECONDS
        if progress.seconds - self._shown_at >= every:
            self._shown_at = progress.seconds
            self._write(self.line(progress))

    def waiting(self, message: str) -> None:
        """Says what keeps the search waiting, on a line of its own."""
        said = inert(message)
        self._stream.write(f"\r\x1b[K{said}\n" if self._live else f"{said}\n")
        self._stream.flush()

    def choosing(self, judged: int, finalists: int) -> None:
        """Says what the search does when its budget is spent; in a file but once."""
        self.finish()
        if self._live or not judged:
            self._write(f"choosing the best of {finalists} on validation cases, {judged} of them judged ...")

    def finish(self) -> None:
        """Shows where the search ended and leaves the line."""
        if self._last is not None and (self._live or self._last.seconds != self._shown_at):
            self._write(self.line(self._last))
        if self._last is not None and self._live:
            self._stream.write("\n")
        self._last = None

    def clear(self) -> None:
        """Leaves a terminal as if nothing had been said."""
        if self._live:
            self._write("")

    def line(self, progress: Progress) -> str:
        """Returns evaluations, best, gap closed, rate, cost and time left."""
        done = progress.evaluations
        parts = [f"{done} evaluation{'' if done == 1 else 's'}"]
        parts += [f"{progress.misses} answer{'' if progress.misses == 1 else 's'} unused"] if progress.misses else []
        if progress.best is not None:
            parts.append(f"best on {self._cases} {progress.best.score:.4f}")
            closed = self._gap(progress.best)
            parts += [] if closed is None else [f"gap closed {share(closed)}"]
        parts += [f"{done / max(progress.seconds, 1e-3):.1f}/s", cost(progress.usage)]
        if progress.seconds_left is not None:
            minutes, seconds = divmod(round(progress.seconds_left), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        return ", ".join(parts)

    def _gap(self, best: Candidate) -> float | None:
        if best.number not in self._gaps:
            self._gaps[best.number] = self._gap_of(best)
        return self._gaps[best.number]

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line[: self._columns() - 1]}\x1b[K" if self._live else f"{line}\n")
        self._stream.flush()

    def _columns(self) -> int:
        """Returns the width of the terminal: a longer line would wrap and could not be rewritten."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except OSError:
            return 80
