"""What a run is of: the first rows of its journal."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from evolve.journal.database import ADVICE, JournalError
from evolve.text import brief

FORMAT = 7


@dataclass(frozen=True, slots=True)
class Header:
    """What a run is of; a run can only be resumed with the same.

    ``objective`` names what counts where the problem has several objectives.
    ``strategy`` is how its search goes about it.
    ``held_out`` says that the test cases are no secret, ``basis`` what the scores rest on where that is no simulation.
    """

    problem: str
    spec: str
    digest: str
    engine: str
    seed: int
    lag: int
    cases: str
    cases_hash: str
    proposers: str
    secret_hash: str
    started: str
    held_out: bool = False
    basis: str = ""
    objective: str = ""
    strategy: str = "default"

    def write(self, connection: sqlite3.Connection) -> None:
        """Puts it into a new journal."""
        values = {**asdict(self), "format": FORMAT}
        connection.execute(_TABLE)
        connection.executemany("INSERT INTO header VALUES (?, ?)", [(k, json.dumps(v)) for k, v in values.items()])

    def insist_on_basis(self, now: str) -> None:
        """Refuses to go on where scores would rest on something else.

        Raises:
            JournalError: they would.
        """
        if now != self.basis:
            was, here = (brief(basis, 300) or "simulation alone" for basis in (self.basis, now))
            raise JournalError(
                f"the scores of this run rest on {was}; here they would rest on {here}; they cannot be compared: go "
                "back to that, or begin a new run"
            )


def read(path: Path, connection: sqlite3.Connection, schema: Collection[str]) -> Header:
    """Returns the header of a journal, whose other tables and indexes are made by ``schema``.

    Raises:
        JournalError: the file is no journal, of another format, or holds what no journal does.
    """
    made = list(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL"))
    if all(name != "header" for name, _ in made):
        raise JournalError(f"{path} is no journal of a run, or was cut off; {ADVICE}")
    if sorted(sql for _, sql in made) != sorted((_TABLE, *schema)):  # a view that never ends, a trigger that takes back
        raise JournalError(
            f"{path} was written by another version of evolve, or forged: its tables are not ours; {ADVICE}"
        )
    values = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM header")}
    if values.pop("format", None) != FORMAT or {k: type(v) for k, v in values.items()} != _TYPES:
        raise JournalError(f"{path} was written by another version of evolve; {ADVICE}")
    return Header(**values)


_TABLE = "CREATE TABLE header (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
_TYPES = {item.name: item.type for item in fields(Header)}
