"""SQLite as we use it: one file that survives a killed process, and errors in one clear message."""

import errno
import os
import sqlite3
import stat
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from evolve.text import brief
from evolve.types import EvolveError

ADVICE = "start a new run with another --out, or put a copy of the file back"
_ROOM = "make room on its disk, and the same command goes on; all that was told is kept"
_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE"})
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_SENSELESS = (
    *(sqlite3.Error, zlib.error, OSError, ValueError, TypeError, KeyError, IndexError),
    *(OverflowError, RecursionError),  # numbers without bounds, lists in lists in lists
)


class JournalError(EvolveError):
    """The journal is missing, damaged or of another kind."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns errors of SQLite, and what only a damaged file can hold, into one clear message."""
    try:
        yield
    except _SENSELESS as error:
        raise JournalError(f"the journal {path} cannot be used ({brief(str(error), 200)}); {_advice(error)}") from error


def _advice(error: Exception) -> str:
    no_room = error.errno in (errno.ENOSPC, errno.EDQUOT) if isinstance(error, OSError) else False
    return _ROOM if no_room or getattr(error, "sqlite_errorname", "") in _FULL else ADVICE


def insist_on_plain(*paths: Path) -> None:
    """Refuses what is there and is no file: a link, through which other files would be written, or a pipe.

    Raises:
        JournalError: one is not plain.
    """
    for path in paths:
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            raise JournalError(f"{path} is a link or no plain file, which is not opened; put the file itself there")


def insist_on_no_super_journal(path: Path) -> None:
    """Refuses a file whose rollback journal names a super-journal, a file that SQLite would remove when it is opened.

    Transactions over several files have such journals (sqlite.org/atomiccommit.html, 5.5); ours are of one file.

    Raises:
        JournalError: it does.
    """
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists() and journal.read_bytes()[-len(_JOURNAL_MAGIC) :] == _JOURNAL_MAGIC:
        raise JournalError(f"{journal} names another file, which would be removed; it is not ours: remove it")


@contextmanager
def making(path: Path) -> Iterator[sqlite3.Connection]:
    """Makes a file whose content is whole once this has ended without an error, with nothing beside it.

    It is not write-ahead: what is left in a log when the file is closed on a full disk would be lost without a word.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=MEMORY")  # half a file is of no use, so nothing need be taken back
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """Opens a file to write to, and makes it if need be."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Leaves the file as it is, and works in a folder that cannot be written to."""
    address = path.resolve().as_uri() + "?mode=ro"
    connection = sqlite3.connect(address, timeout=30, isolation_level=None, uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        connection = sqlite3.connect(f"{address}&immutable=1", isolation_level=None, uri=True)
    return connection


class Queries:
    """What is read from and written to one open file; errors are one clear message."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._path)

    def _write(self, statement: str, *values: Any) -> None:
        with self._explained():
            self._connection.execute(statement, values)

    def _one(self, query: str, *values: Any) -> Any:
        with self._explained():
            return self._connection.execute(query, values).fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._explained():
            return self._connection.execute(query, values).fetchall()


def text(value: str) -> str:
    """Returns text that UTF-8 can hold; policies and models may write anything."""
    return value.encode("utf-8", "replace").decode("utf-8")
