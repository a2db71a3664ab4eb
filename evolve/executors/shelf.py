"""Evaluations that are kept from run to run: one bounded file of SQLite in the user's cache folder.

Several processes may read and write it at a time.  Where it is locked, damaged or cannot be written nothing is
remembered; what comes of that is only that policies are judged anew.
"""

import contextlib
import json
import math
import os
import sqlite3
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from evolve.journal import rows
from evolve.remembered import folder
from evolve.statistics import geometric_mean
from evolve.types import Evaluation

MOST = 50_000
"""Evaluations that are kept; the oldest go first."""

_LONGEST = 4 << 20  # bytes of one
_PATIENCE_SECONDS = 0.2
_TROUBLE = (sqlite3.Error, OSError, RuntimeError)
_SENSELESS = (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, zlib.error)


class Shelf:
    """Evaluations by key.  It is used by one thread."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection

    @classmethod
    def open(cls, name: str = "judged.sqlite") -> Self:
        """Opens the file, or makes it; where that fails the shelf stays empty."""
        with contextlib.suppress(*_TROUBLE):
            return cls(_connected(folder() / name))
        return cls(None)

    def get(self, key: str) -> Evaluation | None:
        """Returns what is kept under a key."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT held FROM judged WHERE key = ?", (key,)).fetchone()
            return None if row is None else _unpacked(row[0])
        except sqlite3.Error:
            self.close()
        except _SENSELESS:
            pass
        return None

    def keep(self, found: Sequence[tuple[str, Evaluation]]) -> None:
        """Keeps evaluations under their keys; one that is there gives way."""
        if self._connection is None or not found:
            return
        packed = [(key, _packed(evaluation)) for key, evaluation in found]
        try:
            with self._connection:  # all in one transaction
                self._connection.executemany("INSERT OR REPLACE INTO judged (key, held) VALUES (?, ?)", packed)
                self._connection.execute(
                    "DELETE FROM judged WHERE number <= (SELECT max(number) FROM judged) - ?", (MOST,)
                )
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        """Lets go of the file; from now on nothing is known or kept."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _connected(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in (path.parent, *(path.with_name(f"{path.name}{ending}") for ending in ("", "-wal", "-shm", "-journal"))):
        _insist_on_ours(file)
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")  # what a power cut takes is judged anew
        connection.execute(
            "CREATE TABLE IF NOT EXISTS judged "
            "(number INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, held BLOB NOT NULL)"
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _insist_on_ours(path: Path) -> None:
    """Refuses a link, a pipe, and what another user has written: whoever can write it says what policies score."""
    if not os.path.lexists(path):
        return
    found = path.lstat()
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)) or found.st_uid != os.geteuid():
        raise OSError(f"{path} is no plain file of this user")


def _packed(found: Evaluation) -> bytes:
    columns = (
        *(found.verdict, found.score, found.feedback, found.cpu_seconds, found.calls, found.confirmed),
        *(" ".join(found.layers), found.simulations, rows.packed(found.cases)),
    )
    return zlib.compress(json.dumps(columns).encode(), 1)


def _unpacked(held: bytes) -> Evaluation:
    text = zlib.decompressobj().decompress(held, _LONGEST)
    found = rows.evaluation(tuple(json.loads(text)))
    if found.score is not None and not _adds_up(found.score, [result.ratio for result in found.cases]):
        raise ValueError("expected the geometric mean of the ratios as the score")
    return found


def _adds_up(score: float, ratios: Sequence[float]) -> bool:
    return bool(ratios) and math.isclose(score, geometric_mean(ratios), rel_tol=1e-9)
