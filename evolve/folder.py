"""A run's folder: its journal, the secret of its sealed split, a lock, and the best policy as a file.

A folder may come from anybody: no link in it is followed, nothing is written into what lies there already,
and only plain files are opened.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from evolve import begun
from evolve.journal import Journal
from evolve.journal.database import JournalError, insist_on_plain
from evolve.journal.header import Header
from evolve.types import EvolveError

JOURNAL, SECRET, LOCK, BEST, PROOF = "journal.sqlite", "secret", "lock", "best.py", "verification.json"
COMPARISON = "comparison.json"  # lies in a folder of many runs
MINIMISED, EXPLANATION = "minimised-{}.py", "explanation-{}.json"
_UNFINISHED = {SECRET, LOCK, f"{JOURNAL}.new", f"{JOURNAL}.new-wal", f"{JOURNAL}.new-shm"}
_LONGEST_SECRET = 1024  # bytes; ours has 32


class RunFolder:
    """Where one run lies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def fresh(cls, parent: Path, name: str) -> Self:
        """Makes a folder that no other run has, not even one that begins in the same second.

        Raises:
            EvolveError: it cannot be made.
        """
        for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
            path = parent / f"{name}{suffix}"
            with _explained(path), suppress(FileExistsError):
                path.mkdir(parents=True)
                return cls(path)
        raise EvolveError(f"no free folder in {parent}; give --out")

    @property
    def exists(self) -> bool:
        """Whether a run has begun here."""
        return (self.path / JOURNAL).exists()

    @property
    def best(self) -> Path:
        """The file that the best policy is written to."""
        return self.path / BEST

    @property
    def proof(self) -> Path:
        """The file that the last verification is written to."""
        return self.path / PROOF

    def minimised(self, number: int) -> Path:
        """Returns the file that the smallest diff of a candidate is written to, as a policy."""
        return self.path / MINIMISED.format(number)

    def explanation(self, number: int) -> Path:
        """Returns the file that the last explanation of a candidate is written to."""
        return self.path / EXPLANATION.format(number)

    def prepare(self) -> str:
        """Makes the folder and draws the secret of the sealed split; returns the secret's hash.

        Raises:
            EvolveError: the folder cannot be made, or holds something else.
        """
        secret = secrets.token_hex(16)
        with _explained(self.path):
            self._make()
            _write_anew(self.path / SECRET, secret, 0o600)
        return _hash(secret)

    def create(self, header: Header) -> Journal:
        """Starts the journal of a prepared folder, and notes whose run it is."""
        begun.note(header)
        return Journal.create(self.path / JOURNAL, header)

    def open(self, *, read_only: bool = False) -> Journal:
        """Opens the journal of an existing run.

        Raises:
            EvolveError: there is none, or it cannot be read.
        """
        with _explained(self.path):
            if not self.path.is_dir():
                what = "that is a file" if self.path.exists() else "there is no such folder"
                raise EvolveError(f"no run at {self.path}: {what}")
            if (self.path / COMPARISON).is_file():
                raise EvolveError(f"{self.path} is a comparison; its runs are {self.path}/PROBLEM/STRATEGY/seed-N")
            return Journal.open(self.path / JOURNAL, read_only=read_only)

    def open_to_steer(self) -> Journal:
        """Opens the journal to say something to its run, in which another process may be searching.

        Raises:
            EvolveError: there is none, or this user may not write to it.
        """
        journal = self.path / JOURNAL
        if journal.exists() and not (os.access(journal, os.W_OK) and os.access(self.path, os.W_OK)):
            raise EvolveError(f"you may read {self.path} but not write to it; ask whoever runs it")
        return self.open()

    def secret(self, header: Header) -> str:
        """Returns the secret of the sealed split.

        Raises:
            JournalError: it is missing, or not the one whose hash the journal recorded at the start.
        """
        file = self.path / SECRET
        try:
            with _opened(file, os.O_RDONLY) as opened:
                secret = opened.read(_LONGEST_SECRET).decode("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise JournalError(
                f"cannot read {file}, without which the sealed cases cannot be made ({error})"
            ) from error
        if _hash(secret) != header.secret_hash:
            raise JournalError(
                f"{file} is not the secret whose hash was recorded when the run began; the run cannot be verified"
            )
        return secret

    def keep(self, path: Path, text: str) -> None:
        """Writes one of the run's files in one step."""
        unfinished = path.with_name(f"{path.name}.new")
        with _explained(self.path):
            _write_anew(unfinished, text)
            unfinished.rename(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder if need be and keeps other processes from running or verifying in it.

        Raises:
            EvolveError: it cannot be made, it holds something else, or another process has it.
        """
        with _explained(self.path):
            self._make()
        with alone(self.path):
            yield

    def _make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        strangers = {item.name for item in self.path.iterdir()} - _UNFINISHED
        if strangers and not self.exists:
            raise EvolveError(f"{self.path} is no run and not empty (it holds {min(strangers)!r}); give another --out")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keeps other processes that ask for the same from working in a folder that is there.

    Raises:
        EvolveError: another process has it.
    """
    with _explained(path):
        file = _opened(path / LOCK, os.O_RDWR | os.O_CREAT)  # held meanwhile
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EvolveError(f"another process is working on {path}; wait for it to end") from None
        yield


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EvolveError(f"cannot work in {path}: {error.strerror}") from error


def _opened(path: Path, flags: int) -> BinaryIO:
    insist_on_plain(path)
    return os.fdopen(os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666), "rb")


def _write_anew(path: Path, text: str, mode: int = 0o666) -> None:
    """Writes a file that was not there; what was there under its name, a link perhaps, is taken away."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
