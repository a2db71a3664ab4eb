"""Which runs this user began on this machine, of problems that are files.

A run's folder may come from anybody, and with it all that it says of itself.  So the problem file that it
names is trusted only where a note says that it was this user who named it.  Notes lie apart from all runs,
empty files in ``~/.local/state/evolve/begun`` (or below ``XDG_STATE_HOME``).
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from evolve.header import Header


def note(header: Header) -> None:
    """Notes that this user begins a run; where that cannot be written, ``verify`` will ask for the file."""
    with suppress(OSError, RuntimeError):
        file = _file(header)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def is_noted(header: Header) -> bool:
    """Returns whether this user began the run, of this file with this code."""
    try:
        return _file(header).is_file()
    except (OSError, RuntimeError):
        return False


def _file(header: Header) -> Path:
    """Returns where the note of a run lies.

    Raises:
        RuntimeError: the user has no home.
    """
    said = Path(os.environ.get("XDG_STATE_HOME", ""))
    state = said if said.is_absolute() else Path.home() / ".local" / "state"  # a relative one is to be ignored
    run = "\0".join((header.secret_hash, header.spec, header.digest))
    return state / "evolve" / "begun" / hashlib.sha256(run.encode("utf-8", "replace")).hexdigest()
