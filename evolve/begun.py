"""Which runs this user began on this machine, and what was found out of runs here.

A run's folder may come from anybody, and with it all that it says of itself.  So the problem file that it
names is trusted only where a note says that it was this user who named it, and figures in it only where a note
says that they were written here.  Notes lie apart from all runs, empty files in ``~/.local/state/evolve/begun``
and ``written`` beside it (or below ``XDG_STATE_HOME``).
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from evolve.journal.header import Header


def note(header: Header) -> None:
    """Notes that this user begins a run; where that cannot be written, ``verify`` will ask for the file."""
    _leave("begun", _run(header))


def is_noted(header: Header) -> bool:
    """Returns whether this user began the run, of this file with this code."""
    return _is_left("begun", _run(header))


def note_written(header: Header, text: str) -> None:
    """Notes that a text on a run was written here; where that cannot be, ``export`` takes it for somebody else's."""
    _leave("written", _written(header, text))


def is_written(header: Header, text: str) -> bool:
    """Returns whether this very text was written here on this run."""
    return _is_left("written", _written(header, text))


def _run(header: Header) -> str:
    return "\0".join((header.secret_hash, header.spec, header.digest))


def _written(header: Header, text: str) -> str:
    return "\0".join((_run(header), hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()))


def _leave(kind: str, of: str) -> None:
    with suppress(OSError, RuntimeError):
        file = _file(kind, of)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def _is_left(kind: str, of: str) -> bool:
    try:
        return _file(kind, of).is_file()
    except (OSError, RuntimeError):
        return False


def _file(kind: str, of: str) -> Path:
    """Returns where a note lies.

    Raises:
        RuntimeError: the user has no home.
    """
    said = Path(os.environ.get("XDG_STATE_HOME", ""))
    state = said if said.is_absolute() else Path.home() / ".local" / "state"  # a relative one is to be ignored
    return state / "evolve" / kind / hashlib.sha256(of.encode("utf-8", "replace")).hexdigest()
