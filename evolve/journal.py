"""Every proposal and evaluation of a run, in one SQLite file that survives ``kill -9``.

Written before the search is told, in write-ahead mode with ``synchronous=NORMAL``: a killed process
loses nothing, a power cut at most the last moments, never the file (sqlite.org/wal.html).
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from evolve import rows
from evolve.rows import Entry
from evolve.types import Candidate, Evaluation, EvolveError, Proposal, Verdict

FORMAT = 1

_SCHEMA = (
    "CREATE TABLE header (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE proposals (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL, proposer TEXT NOT NULL, operator TEXT NOT NULL,
    parents TEXT NOT NULL, rationale TEXT NOT NULL)""",
    """CREATE TABLE evaluations (
    number INTEGER NOT NULL REFERENCES proposals, cases TEXT NOT NULL, verdict TEXT NOT NULL, score REAL,
    feedback TEXT NOT NULL, cpu_seconds REAL NOT NULL, calls INTEGER NOT NULL, confirmed INTEGER NOT NULL,
    run_seconds REAL NOT NULL, results TEXT NOT NULL, PRIMARY KEY (number, cases))""",
    "CREATE INDEX by_score ON evaluations (cases, score, number, verdict, run_seconds)",
    "CREATE TABLE sealed_uses (at TEXT NOT NULL, number INTEGER NOT NULL, policies INTEGER NOT NULL)",
)
_EVALUATION = (
    "SELECT verdict, score, feedback, cpu_seconds, calls, confirmed, results FROM evaluations "
    "WHERE number = ? AND cases = ?"
)
_ADVICE = "start a new run with another --out, or put a copy of the file back"


class JournalError(EvolveError):
    """The journal is missing, damaged or of another kind."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a run is of; a run can only be resumed with the same."""

    problem: str
    spec: str
    digest: str
    engine: str
    seed: int
    lag: int
    proposers: str
    secret_hash: str
    started: str


class Journal:
    """The journal of one run."""

    def __init__(self, path: Path, connection: sqlite3.Connection, header: Header) -> None:
        self._path, self._connection, self.header = path, connection, header

    @classmethod
    def create(cls, path: Path, header: Header) -> Self:
        """Makes a new journal and opens it; a process killed meanwhile leaves a whole one or none.

        Raises:
            JournalError: it cannot be written.
        """
        unfinished = path.with_name(f"{path.name}.new")
        with _explained(path):
            for name in (unfinished.name, f"{unfinished.name}-wal", f"{unfinished.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
            connection = _connect(unfinished)
            for statement in _SCHEMA:
                connection.execute(statement)
            values = {**asdict(header), "format": FORMAT}
            connection.executemany("INSERT INTO header VALUES (?, ?)", [(k, json.dumps(v)) for k, v in values.items()])
            connection.close()
            unfinished.rename(path)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Opens an existing journal; read-only, another process may be writing it.

        Raises:
            JournalError: it is missing, damaged, or of another format.
        """
        with _explained(path):
            if not path.is_file():
                raise JournalError(f"no run at {path.parent}: it has no {path.name}")
            connection = _connect_to_read(path) if read_only else _connect(path)
            try:
                return cls(path, connection, _header(path, connection))
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
            raise JournalError(f"the journal {self._path} is damaged ({state}); {_ADVICE}")
        proposals, last = self._one("SELECT count(*), coalesce(max(number), -1) FROM proposals")
        told, last_told = self._one("SELECT count(*), coalesce(max(number), -1) FROM evaluations WHERE cases = 'train'")
        if proposals != last + 1 or told != last_told + 1 or told > proposals:
            raise JournalError(f"the journal {self._path} has lost some of its candidates; {_ADVICE}")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def propose(self, number: int, proposal: Proposal) -> None:
        """Keeps a proposal, before it is judged."""
        self._write(
            "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?)",
            number,
            proposal.source,
            proposal.proposer,
            proposal.operator,
            json.dumps(proposal.parents),
            _text(proposal.rationale),
        )

    def record(self, number: int, evaluation: Evaluation, run_seconds: float, cases: str = "train") -> None:
        """Keeps an evaluation, before anyone is told; one that is there already stays as it is."""
        self._write(
            "INSERT OR IGNORE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            number,
            cases,
            evaluation.verdict,
            evaluation.score,
            _text(evaluation.feedback),
            evaluation.cpu_seconds,
            evaluation.calls,
            evaluation.confirmed,
            run_seconds,
            rows.packed(evaluation.cases),
        )

    def record_sealed_use(self, at: str, number: int, policies: int) -> None:
        """Notes that the sealed split was used for a candidate, before it is."""
        self._write("INSERT INTO sealed_uses VALUES (?, ?, ?)", at, number, policies)

    def sealed_uses(self) -> int:
        """Returns how often the sealed split was used."""
        return int(self._one("SELECT count(*) FROM sealed_uses")[0])

    def proposal(self, number: int) -> Proposal | None:
        """Returns a proposal, or None if the run has not come so far."""
        row = self._one("SELECT source, proposer, operator, parents, rationale FROM proposals WHERE number = ?", number)
        with self._explained():
            return None if row is None else Proposal(row[0], row[1], row[2], rows.parents(row[3]), row[4])

    def evaluation(self, number: int, cases: str = "train") -> Evaluation | None:
        """Returns a proposal's evaluation on some cases, or None while there is none."""
        row = self._one(_EVALUATION, number, cases)
        with self._explained():
            return None if row is None else rows.evaluation(row)

    def candidate(self, number: int) -> Candidate | None:
        """Returns a judged proposal, or None if there is none."""
        proposal, evaluation = self.proposal(number), self.evaluation(number)
        return None if proposal is None or evaluation is None else Candidate(number, proposal, evaluation)

    def top(self, count: int) -> list[int]:
        """Returns the numbers of the candidates with the best scores on train; of equals the earliest first."""
        query = (
            "SELECT number FROM evaluations WHERE cases = 'train' AND score IS NOT NULL "
            "ORDER BY score DESC, number LIMIT ?"
        )
        return [number for (number,) in self._all(query, count)]

    def roots(self) -> dict[int, int]:
        """Returns for each candidate the baseline that it descends from, by first parents."""
        roots: dict[int, int] = {}
        for number, packed in self._all("SELECT number, parents FROM proposals ORDER BY number"):
            with self._explained():
                parents = rows.parents(packed)
                roots[number] = roots[parents[0]] if parents else number
        return roots

    def best_baseline(self) -> int | None:
        """Returns the number of the baseline with the best score on train."""
        row = self._one(
            "SELECT number FROM evaluations JOIN proposals USING (number) WHERE cases = 'train' AND score IS NOT NULL "
            "AND proposer = 'baseline' ORDER BY score DESC, number LIMIT 1"
        )
        return None if row is None else int(row[0])

    def verdicts(self) -> dict[Verdict, int]:
        """Returns how many candidates got each verdict, the most frequent first."""
        found = self._all(
            "SELECT verdict, count(*) FROM evaluations WHERE cases = 'train' GROUP BY verdict ORDER BY count(*) DESC"
        )
        with self._explained():
            return {Verdict(verdict): number for verdict, number in found}

    def count(self) -> int:
        """Returns how many candidates were told; they are numbered from 0."""
        return int(self._one("SELECT count(*) FROM evaluations WHERE cases = 'train'")[0])

    def seconds(self) -> float:
        """Returns the seconds of search at the last evaluation, over all sittings."""
        seconds = self._one("SELECT max(run_seconds) FROM evaluations WHERE cases = 'train'")[0]
        return 0.0 if seconds is None else float(seconds)

    def log(self) -> list[Entry]:
        """Returns every candidate in order, without its source and its cases."""
        return [self._entry(row) for row in self._all(f"{_LOG} ORDER BY number")]

    def entry(self, number: int) -> Entry | None:
        """Returns one line of the log, or None if there is no such candidate."""
        row = self._one(f"{_LOG} AND number = ?", number)
        return None if row is None else self._entry(row)

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        with self._explained():
            number, verdict, score, proposer, operator, parents, rationale = row
            return Entry(number, verdict, score, proposer, operator, rows.parents(parents), rationale)

    def _explained(self) -> Any:
        return _explained(self._path)

    def _write(self, statement: str, *values: Any) -> None:
        with self._explained():
            self._connection.execute(statement, values)

    def _one(self, query: str, *values: Any) -> Any:
        with self._explained():
            return self._connection.execute(query, values).fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._explained():
            return self._connection.execute(query, values).fetchall()


_LOG = (
    "SELECT number, verdict, score, proposer, operator, parents, rationale FROM evaluations JOIN proposals "
    "USING (number) WHERE cases = 'train'"
)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns errors of SQLite, and what only a damaged file can hold, into one clear message."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise JournalError(f"the journal {path} cannot be used ({error}); {_ADVICE}") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
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


def _header(path: Path, connection: sqlite3.Connection) -> Header:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "header" not in tables:
        raise JournalError(f"{path} is no journal of a run, or was cut off; {_ADVICE}")
    values = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM header")}
    if values.pop("format", None) != FORMAT or {k: type(v) for k, v in values.items()} != _HEADER_TYPES:
        raise JournalError(f"{path} was written by another version of evolve; {_ADVICE}")
    return Header(**values)


_HEADER_TYPES = {item.name: item.type for item in fields(Header)}


def _text(text: str) -> str:
    """Returns text that UTF-8 can hold; a policy may contain anything."""
    return text.encode("utf-8", "replace").decode("utf-8")
