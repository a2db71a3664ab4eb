"""A run's folder: its journal, the secret of its sealed split, a lock, and the best policy as a file."""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evolve.journal import Header, Journal, JournalError
from evolve.types import EvolveError

JOURNAL, SECRET, LOCK, BEST = "journal.sqlite", "secret", "lock", "best.py"


class RunFolder:
    """Where one run lies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether a run has begun here."""
        return (self.path / JOURNAL).exists()

    @property
    def best(self) -> Path:
        """The file that the best policy is written to."""
        return self.path / BEST

    def prepare(self) -> str:
        """Makes the folder and draws the secret of the sealed split; returns the secret's hash.

        Raises:
            EvolveError: the folder cannot be made, or holds something else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strangers = {item.name for item in self.path.iterdir()} - {SECRET, LOCK}
            if strangers:
                raise EvolveError(
                    f"{self.path} is not empty and no run; give another --out (it holds {min(strangers)!r})"
                )
            descriptor = os.open(self.path / SECRET, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                secret = secrets.token_hex(16)
                file.write(secret)
        except OSError as error:
            raise EvolveError(f"cannot make a run at {self.path}: {error.strerror}") from error
        return _hash(secret)

    def create(self, header: Header) -> Journal:
        """Starts the journal of a prepared folder."""
        return Journal.create(self.path / JOURNAL, header)

    def open(self) -> Journal:
        """Opens the journal of an existing run."""
        if not self.path.is_dir():
            raise EvolveError(f"no run at {self.path}: there is no such folder")
        return Journal.open(self.path / JOURNAL)

    def secret(self, header: Header) -> str:
        """Returns the secret of the sealed split.

        Raises:
            JournalError: it is missing, or not the one whose hash the journal recorded at the start.
        """
        try:
            secret = (self.path / SECRET).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            secret = ""
        if _hash(secret) != header.secret_hash:
            raise JournalError(f"{self.path / SECRET} is not the secret that the run began with; it cannot be verified")
        return secret

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from running or verifying here at the same time."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open(self.path / LOCK, "w", encoding="ascii")  # noqa: SIM115, PTH123 - held while the run goes on
        except OSError as error:
            raise EvolveError(f"cannot write to {self.path}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EvolveError(
                    f"another process is working on {self.path}; wait for it or give another --out"
                ) from None
            yield


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
