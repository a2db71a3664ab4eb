"""What a recording of measured times says while it goes on, and at its end."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TextIO

from evolve.text import brief

_FILE_EVERY_SECONDS = 10.0
_WIDEST = 120


class Telling:
    """Rewrites one line on a terminal; in a file it adds a line every ten seconds, and the last at the end."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream, self._clock, self._live = stream, clock, stream.isatty()
        self._last, self._shown_at = "", float("-inf")
        self._open = False  # a line without its end

    def __call__(self, said: str) -> None:
        """Takes note, and shows it if it is due."""
        self._last = brief(said, _WIDEST)
        if self._live or self._clock() - self._shown_at >= _FILE_EVERY_SECONDS:
            self._show()

    def finish(self) -> None:
        """Shows what was told last and leaves the line."""
        if self._last:
            self._show()
        if self._open:
            self._write("\n")
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def _show(self) -> None:
        self._write(f"\r\x1b[K{self._last}" if self._live else f"{self._last}\n")
        self._last, self._shown_at, self._open = "", self._clock(), self._live

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def again(words: Sequence[str]) -> str:
    """Says how a recording that was stopped goes on."""
    return f"what was measured is kept, and `{shlex.join(['evolve', *words])}` goes on"


def describe(problem: str, path: Path, *, elsewhere: bool) -> str:
    """Says where a recording lies and how to use it; ``elsewhere``: not where the problem looks, which it has told."""
    name = shlex.quote(problem)
    if elsewhere:
        return f"recorded  {path}"
    return "\n".join(
        [
            f"recorded  {path}",
            f"next      evolve score {name}    replay it: judge the baselines by it",
            f"          evolve run {name}      search by it, on any machine that has the file",
        ]
    )
