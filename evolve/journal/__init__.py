"""Every turn of a run, with its proposal and evaluation or what kept it from one, in one SQLite file.

It survives ``kill -9``: everything is written before the search is told, in write-ahead mode with
``synchronous=NORMAL``.  A killed process loses nothing, a power cut at most the last moments, never the
file (sqlite.org/wal.html).
"""

import json
from pathlib import Path
from typing import Self

from evolve.journal import rows
from evolve.journal.database import (
    ADVICE,
    JournalError,
    connect,
    connect_to_read,
    explained,
    insist_on_no_super_journal,
    insist_on_plain,
    making,
    text,
)
from evolve.journal.header import Header, read
from evolve.journal.ledger import LEDGER_SCHEMA
from evolve.journal.records import Records
from evolve.journal.steering import STEERING_SCHEMA
from evolve.types import Evaluation, Miss, Proposal

_SCHEMA = (
    """CREATE TABLE proposals (
    number INTEGER PRIMARY KEY, source TEXT, proposer TEXT NOT NULL, operator TEXT NOT NULL,
    parents TEXT NOT NULL, rationale TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, dollars REAL,
    outcome TEXT, message TEXT NOT NULL)""",
    """CREATE TABLE evaluations (
    number INTEGER NOT NULL REFERENCES proposals, cases TEXT NOT NULL, verdict TEXT NOT NULL, score REAL,
    feedback TEXT NOT NULL, cpu_seconds REAL NOT NULL, calls INTEGER NOT NULL, confirmed INTEGER NOT NULL,
    layers TEXT NOT NULL, simulations INTEGER NOT NULL, run_seconds REAL NOT NULL, results TEXT NOT NULL,
    PRIMARY KEY (number, cases))""",
    "CREATE INDEX by_score ON evaluations (cases, score, number, verdict, run_seconds)",
    """CREATE TABLE sealed_uses (
    at TEXT NOT NULL, number INTEGER NOT NULL, policies INTEGER NOT NULL, turns INTEGER NOT NULL,
    revealed INTEGER NOT NULL)""",
    "CREATE TABLE faults (at TEXT NOT NULL, turns INTEGER NOT NULL, message TEXT NOT NULL)",
    *LEDGER_SCHEMA,
    *STEERING_SCHEMA,
)


class Journal(Records):
    """The journal of one run: its records, and all that is added to them."""

    @classmethod
    def create(cls, path: Path, header: Header) -> Self:
        """Makes a new journal and opens it; a process killed meanwhile leaves a whole one or none.

        Raises:
            JournalError: it cannot be written.
        """
        unfinished = path.with_name(f"{path.name}.new")
        with explained(path):
            for file in _files(unfinished):
                file.unlink(missing_ok=True)
            with making(unfinished) as connection:
                for statement in _SCHEMA:
                    connection.execute(statement)
                header.write(connection)
            unfinished.rename(path)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Opens an existing journal; read-only, another process may be writing it.

        Raises:
            JournalError: it is missing, damaged, or of another format.
        """
        with explained(path):
            if not path.is_file():
                raise JournalError(f"no run at {path.parent}: it has no {path.name}")
            insist_on_plain(*_files(path))
            insist_on_no_super_journal(path)
            connection = connect_to_read(path) if read_only else connect(path)
            try:
                return cls(path, connection, read(path, connection, _SCHEMA))
            except BaseException:
                connection.close()
                raise

    def check(self) -> None:
        """Reads the whole file, so that damage shows before work is added.

        Raises:
            JournalError: it is damaged, or some of it is missing.
        """
        state, page_bytes = self._one("SELECT * FROM pragma_quick_check(1), pragma_page_size")
        if self._path.stat().st_size % page_bytes:
            state = "cut off"
        if state != "ok":
            raise JournalError(f"the journal {self._path} is damaged ({state}); {ADVICE}")
        turns, last = self._one("SELECT count(*), coalesce(max(number), -1) FROM proposals")
        told, last_told = self._one("SELECT count(*), coalesce(max(number), -1) FROM evaluations WHERE cases = 'train'")
        (missed,) = self._one("SELECT count(*) FROM proposals WHERE source IS NULL AND number <= ?", last_told)
        with self._explained():
            last, last_told = rows.whole(last), rows.whole(last_told)
        if turns != last + 1 or told + missed != last_told + 1 or last_told > last:
            raise JournalError(f"the journal {self._path} has lost some of its candidates; {ADVICE}")

    def propose(self, number: int, made: Proposal | Miss) -> None:
        """Keeps what a turn led to, before it is judged."""
        usage = made.usage
        self._write(
            "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            number,
            None if isinstance(made, Miss) else made.source,
            made.proposer,
            made.operator,
            json.dumps(made.parents),
            "" if isinstance(made, Miss) else text(made.rationale),
            made.model,
            made.prompt,
            usage.input_tokens,
            usage.cached_tokens,
            usage.output_tokens,
            usage.dollars,
            made.outcome if isinstance(made, Miss) else None,
            text(made.message) if isinstance(made, Miss) else "",
        )

    def record(self, number: int, evaluation: Evaluation, run_seconds: float, cases: str = "train") -> None:
        """Keeps an evaluation, before anyone is told; one that is there already stays as it is."""
        self._write(
            "INSERT OR IGNORE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            number,
            cases,
            evaluation.verdict,
            evaluation.score,
            text(evaluation.feedback),
            evaluation.cpu_seconds,
            evaluation.calls,
            evaluation.confirmed,
            " ".join(evaluation.layers),
            evaluation.simulations,
            run_seconds,
            rows.packed(evaluation.cases),
        )

    def record_sealed_use(self, at: str, number: int, policies: int) -> None:
        """Notes that the sealed split was used for a candidate, before it is."""
        self._write("INSERT INTO sealed_uses SELECT ?, ?, ?, count(*), 0 FROM proposals", at, number, policies)

    def record_reveal(self) -> None:
        """Notes that the last use of the sealed split reveals its secret, before it does."""
        self._write("UPDATE sealed_uses SET revealed = 1 WHERE rowid = (SELECT max(rowid) FROM sealed_uses)")

    def record_fault(self, at: str, message: str) -> None:
        """Notes what stopped the run; it is no verdict on any policy."""
        self._write("INSERT INTO faults SELECT ?, count(*), ? FROM proposals", at, text(message))


def _files(path: Path) -> list[Path]:
    """Returns all files that SQLite keeps for one."""
    return [path.with_name(f"{path.name}{ending}") for ending in ("", "-wal", "-shm", "-journal")]
