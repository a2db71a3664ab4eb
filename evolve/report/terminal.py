"""Words on a terminal: whoever wrote them, they are shown, and nothing in them is obeyed."""

import logging
import sys
import traceback

from evolve.text import inert


def say(text: str) -> None:
    """Prints text of any origin to the standard output."""
    print(inert(text))


def warn(text: str) -> None:
    """Prints text of any origin to the standard error output."""
    print(inert(text), file=sys.stderr)


def traced(error: Exception) -> str:
    """Returns an error of no known kind with the place that it comes from."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno}, in {last.name})"


def prepare() -> None:
    """Has log lines kept as harmless; a character that the terminal does not know is no error."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    handler = logging.StreamHandler()
    handler.setFormatter(_Line("%(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler])


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        leave = "\r\x1b[K" if sys.stderr.isatty() else ""  # the progress line
        return leave + inert(super().format(record))
