"""What took long to find out and is found out but once: a file of the user's, for as long as the question is the same.

It lies in ``~/.cache/evolve`` (or below ``XDG_CACHE_HOME``).  Where it cannot be read or written nothing is remembered.
"""

import dataclasses
import json
import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, Generic, TypeVar

from evolve import strict

_log = logging.getLogger(__name__)

FORMAT = 1
_MAX_BYTES = 4 << 20

Kind = TypeVar("Kind")


class Remembered(Generic[Kind]):
    """Dataclasses of one kind by name; each holds for one ``key``, which says all that it depends on."""

    def __init__(self, kind: type[Kind], file: str) -> None:
        self._kind, self._name = kind, file
        self._entries = self._read()

    def get(self, name: str, key: str) -> Kind | None:
        """Returns what is remembered, if it is of this key."""
        entry = self._entries.get(name)
        if not isinstance(entry, dict) or entry.get("key") != key:
            return None
        try:
            return strict.of(self._kind, entry.get("value"))
        except (strict.Unreadable, RecursionError, OverflowError):
            return None

    def keep(self, name: str, key: str, value: Kind) -> None:
        """Remembers it in place of what was known under that name."""
        self._entries[name] = {"key": key, "value": dataclasses.asdict(value)}  # type: ignore[call-overload]
        try:
            file = self._file()
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=file.parent, encoding="utf-8", delete=False) as new:
                json.dump({"format": FORMAT, "entries": self._entries}, new, indent=1)
            Path(new.name).replace(file)
        except (OSError, RuntimeError) as error:
            _log.info("%s is not remembered: %s", name, error)

    def _read(self) -> dict[str, Any]:
        try:
            whole = json.loads(_bytes(self._file()))
        except (OSError, RuntimeError, ValueError, RecursionError):
            return {}
        entries = whole.get("entries") if isinstance(whole, dict) and whole.get("format") == FORMAT else None
        return entries if isinstance(entries, dict) else {}

    def _file(self) -> Path:
        return folder() / self._name


def folder() -> Path:
    """Returns where all of it lies.

    Raises:
        RuntimeError: the user has no home.
    """
    said = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = said if said.is_absolute() else Path.home() / ".cache"  # a relative one is to be ignored
    return cache / "evolve"


def _bytes(path: Path) -> bytes:
    """Returns what a plain file holds; of a pipe or a device nothing, and without waiting for it."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        return file.read(_MAX_BYTES) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
