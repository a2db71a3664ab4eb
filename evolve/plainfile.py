"""A plain file of text that anybody may have put there, read whole."""

import os
import stat
from pathlib import Path

from evolve.types import EvolveError


def read(path: Path, most_mib: int, what: str = "file of ours") -> str:
    """Returns its text; no link is followed and no pipe is waited for.

    ``what`` says what is never as large as that.

    Raises:
        EvolveError: it cannot be read, is no plain file, too large, or no text.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EvolveError(f"{path} is no plain file, and is not opened; put the file itself there")
            data = file.read((most_mib << 20) + 1)
    except OSError as error:
        linked = "; links are not followed" if path.is_symlink() else ""
        raise EvolveError(f"cannot read {path}: {error.strerror}{linked}") from error
    if len(data) > most_mib << 20:
        raise EvolveError(f"{path} is larger than {most_mib} MiB; that is no {what}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise EvolveError(f"{path} is not UTF-8 text") from None
