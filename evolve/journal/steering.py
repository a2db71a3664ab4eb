"""What people say to a run while it goes on: hints, pauses, and the turn that first heeded each.

Whoever may write to the run's folder can say something, from another process and at any time; it is a row in the
journal.  A search looks before each new turn, and notes the turn in the row: so a run that is resumed hears
everything again where it heard it first, and goes the same way.
"""

import enum
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evolve.journal.database import Queries
from evolve.journal.rows import whole, words
from evolve.text import inert
from evolve.types import EvolveError

STEERING_SCHEMA = (
    "CREATE TABLE steering (at TEXT NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, turn INTEGER)",
    "CREATE INDEX by_turn ON steering (turn)",
)
LONGEST_HINT = 2000  # characters
MOST_HINTS = 200  # of a run
_LAST = (
    "SELECT at, kind, substr(message, 1, ?), turn FROM "
    "(SELECT rowid AS place, * FROM steering ORDER BY rowid DESC LIMIT ?) ORDER BY place"
)
_HEARD = "SELECT substr(message, 1, ?) FROM steering WHERE turn = ? AND kind = 'hint' ORDER BY rowid LIMIT ?"


class Kind(enum.StrEnum):
    """What can be said to a run."""

    HINT = "hint"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was said; ``turn`` is the first that could heed it, None while none has."""

    at: str
    kind: Kind
    message: str
    turn: int | None


class Steering(Queries):
    """All that was said to one run, in its journal's file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._version: int | None = None

    def hint(self, at: str, text: str) -> None:
        """Keeps a hint for the next prompts, its control characters made harmless.

        Raises:
            EvolveError: it is empty or too long, or the run has had too many.
        """
        shown = text.strip()
        if not shown:
            raise EvolveError("a hint is a few words for the next prompts; this one is empty")
        if len(shown) > LONGEST_HINT:
            raise EvolveError(
                f"a hint has at most {LONGEST_HINT:,} characters; shorten it by {len(shown) - LONGEST_HINT:,}"
            )
        if self.hints() >= MOST_HINTS:
            raise EvolveError(f"this run has had {MOST_HINTS} hints, and prompts show the last few only; no more fit")
        self._write("INSERT INTO steering VALUES (?, 'hint', ?, NULL)", at, inert(shown))

    def pause(self, at: str) -> bool:
        """Keeps new turns from beginning; returns False if the run is paused already."""
        return self._turned(at, Kind.PAUSE)

    def resume(self, at: str) -> bool:
        """Ends a pause; returns False if the run is not paused."""
        return self._turned(at, Kind.RESUME)

    @property
    def paused(self) -> bool:
        """Whether no new turn is to begin."""
        row = self._one("SELECT kind = 'pause' FROM steering WHERE kind != 'hint' ORDER BY rowid DESC LIMIT 1")
        return row is not None and bool(row[0])

    def hints(self) -> int:
        """Returns how many hints were given."""
        return int(self._one("SELECT count(*) FROM steering WHERE kind = 'hint'")[0])

    def changed(self) -> bool:
        """Returns whether another process may have said something since the last look; the first time it may."""
        before, self._version = self._version, int(self._one("PRAGMA data_version")[0])
        return before != self._version

    def heed(self, number: int) -> None:
        """Notes turn ``number`` as the first to heed what none has heeded so far."""
        self._write("UPDATE steering SET turn = ? WHERE turn IS NULL", number)

    def heard(self, number: int) -> Sequence[str]:
        """Returns the hints that turn ``number`` was the first to heed."""
        found = self._all(_HEARD, LONGEST_HINT, number, MOST_HINTS)
        with self._explained():
            return [inert(words(message)) for (message,) in found]

    def last(self, count: int = MOST_HINTS) -> list[Said]:
        """Returns what was said last, oldest first."""
        found = self._all(_LAST, LONGEST_HINT, count)
        with self._explained():
            return [
                Said(words(at), Kind(kind), words(message), None if turn is None else whole(turn))
                for at, kind, message, turn in found
            ]

    def _turned(self, at: str, kind: Kind) -> bool:
        changes = self.paused != (kind is Kind.PAUSE)
        if changes:
            self._write("INSERT INTO steering VALUES (?, ?, '', NULL)", at, kind)
        return changes
