"""A policy in a file that the user names."""

from collections.abc import Iterable
from pathlib import Path

from evolve.types import EvolveError

MAX_BYTES = 1 << 20


def read(name: str, baselines: Iterable[str]) -> str:
    """Returns the text of a file; ``baselines`` are the names that could have been meant instead.

    Raises:
        EvolveError: it cannot be read, is larger than any policy, or is no text.
    """
    if "\0" in name:
        raise EvolveError(f"cannot read the policy {name!r}: no file has such a name")
    try:
        with Path(name).open("rb") as file:
            text = file.read(MAX_BYTES + 1)  # it may be /dev/zero
        if len(text) > MAX_BYTES:
            raise EvolveError(f"{name} is larger than 1 MiB; that is no policy")
        return text.decode("utf-8")
    except OSError as error:
        listed = ", ".join(baselines)
        raise EvolveError(f"cannot read the policy {name}: {error.strerror}; the baselines are {listed}") from error
    except UnicodeDecodeError:
        raise EvolveError(f"the policy {name} is not UTF-8 text") from None
