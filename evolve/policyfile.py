"""A policy in a file that the user names."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from evolve.types import EvolveError

MAX_BYTES = 1 << 20
_JOURNAL = "journal.sqlite"  # what makes a folder that of a run


def read(name: str, baselines: Iterable[str]) -> str:
    """Returns the text of a file; ``baselines`` are the names that could have been meant instead.

    A link may lead to it, but not within the folder of a run, which anybody may have made.

    Raises:
        EvolveError: it cannot be read, is no plain file, is larger than any policy, or is no text.
    """
    if "\0" in name:
        raise EvolveError(f"cannot read the policy {name!r}: no file has such a name")
    try:
        with _opened(name) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise EvolveError(f"the policy {name} is no plain file, and is not read; put its text into one")
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise EvolveError(f"{name} is larger than 1 MiB; that is no policy")
        return text.decode("utf-8")
    except OSError as error:
        listed = ", ".join(baselines)
        raise EvolveError(f"cannot read the policy {name}: {error.strerror}; the baselines are {listed}") from error
    except UnicodeDecodeError:
        raise EvolveError(f"the policy {name} is not UTF-8 text") from None


def _opened(name: str) -> BinaryIO:
    """Opens a file; no pipe is waited for."""
    path = _in_run(name)
    if path is not None and os.path.realpath(path) != str(path):
        raise EvolveError(f"a link in a run's folder leads to the policy {name}, and is not followed; name the file")
    more = os.O_NONBLOCK if path is None else os.O_NONBLOCK | os.O_NOFOLLOW
    return open(path or name, "rb", opener=lambda file, flags: os.open(file, flags | more))


def _in_run(name: str) -> Path | None:
    """Returns the path of a file within the folder of a run, which a link may lead to; None where it lies in none."""
    path = Path(os.path.abspath(name))  # noqa: PTH100 - which follows no link
    for folder in reversed(path.parents):
        if os.path.lexists(folder / _JOURNAL):
            return folder.resolve() / path.relative_to(folder)
    return None
