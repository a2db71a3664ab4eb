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
from typing import Any

from evolve.types import Candidate, CaseResult, Evaluation, EvolveError, Proposal, Verdict

FORMAT = 1

_SCHEMA = """
CREATE TABLE header (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE proposals (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL, proposer TEXT NOT NULL, operator TEXT NOT NULL,
    parents TEXT NOT NULL, rationale TEXT NOT NULL);
CREATE TABLE evaluations (
    number INTEGER NOT NULL REFERENCES proposals, cases TEXT NOT NULL, verdict TEXT NOT NULL, score REAL,
    feedback TEXT NOT NULL, cpu_seconds REAL NOT NULL, calls INTEGER NOT NULL, confirmed INTEGER NOT NULL,
    results TEXT NOT NULL, run_seconds REAL NOT NULL, PRIMARY KEY (number, cases));
CREATE INDEX by_score ON evaluations (cases, score);
CREATE TABLE sealed_uses (at TEXT NOT NULL, number INTEGER NOT NULL, policies INTEGER NOT NULL);
"""

_EVALUATION = "verdict, score, feedback, cpu_seconds, calls, confirmed, results"


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
    """The journal of one run, open for reading and writing."""

    def __init__(self, connection: sqlite3.Connection, header: Header) -> None:
        self._connection, self.header = connection, header

    @classmethod
    def create(cls, path: Path, header: Header) -> "Journal":
        """Makes a new journal; the file must not exist."""
        with _explained(path):
            connection = _connect(path)
            connection.execute("BEGIN")
            for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                connection.execute(statement)
            rows = {**asdict(header), "format": FORMAT}
            connection.executemany("INSERT INTO header VALUES (?, ?)", [(k, json.dumps(v)) for k, v in rows.items()])
            connection.execute("COMMIT")
        return cls(connection, header)

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Opens an existing journal.

        Raises:
            JournalError: it is missing, damaged, or of another format.
        """
        if not path.is_file():
            raise JournalError(f"no run at {path.parent}: it has no {path.name}")
        with _explained(path):
            connection = _connect(path)
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "header" not in tables:
                raise JournalError(f"{path} is no journal of a run, or was cut off before it began; {_ADVICE}")
            values = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM header")}
            if values.pop("format", None) != FORMAT or values.keys() != {item.name for item in fields(Header)}:
                raise JournalError(f"{path} was written by another version of evolve; {_ADVICE}")
        return cls(connection, Header(**values))

    def check(self) -> None:
        """Reads the whole file, so that damage shows before work is added.

        Raises:
            JournalError: it is damaged.
        """
        with self._explained():
            ((state,),) = self._connection.execute("PRAGMA quick_check(1)").fetchall()
        if state != "ok":
            raise JournalError(f"the journal {self._path} is damaged ({state}); {_ADVICE}")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def propose(self, number: int, proposal: Proposal) -> None:
        """Keeps a proposal, before it is judged."""
        values = (
            number,
            proposal.source,
            proposal.proposer,
            proposal.operator,
            json.dumps(proposal.parents),
            proposal.rationale,
        )
        with self._explained():
            self._connection.execute("INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?)", values)

    def record(self, number: int, evaluation: Evaluation, run_seconds: float, cases: str = "train") -> None:
        """Keeps an evaluation, before anyone is told; one that is there already stays as it is."""
        values = (
            number,
            cases,
            evaluation.verdict,
            evaluation.score,
            evaluation.feedback,
            evaluation.cpu_seconds,
            evaluation.calls,
            evaluation.confirmed,
            _pack(evaluation.cases),
            run_seconds,
        )
        with self._explained():
            self._connection.execute("INSERT OR IGNORE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def record_sealed_use(self, at: str, number: int, policies: int) -> None:
        """Notes that the sealed split was used for a candidate, before it is."""
        with self._explained():
            self._connection.execute("INSERT INTO sealed_uses VALUES (?, ?, ?)", (at, number, policies))

    def sealed_uses(self) -> int:
        """Returns how often the sealed split was used."""
        return int(self._one("SELECT count(*) FROM sealed_uses")[0])

    def proposal(self, number: int) -> Proposal | None:
        """Returns a proposal, or None if the run has not come so far."""
        row = self._one("SELECT source, proposer, operator, parents, rationale FROM proposals WHERE number = ?", number)
        return None if row is None else Proposal(row[0], row[1], row[2], tuple(json.loads(row[3])), row[4])

    def evaluation(self, number: int, cases: str = "train") -> Evaluation | None:
        """Returns a proposal's evaluation on some cases, or None while there is none."""
        row = self._one(f"SELECT {_EVALUATION} FROM evaluations WHERE number = ? AND cases = ?", number, cases)
        return None if row is None else _evaluation(row)

    def candidate(self, number: int) -> Candidate | None:
        """Returns a judged proposal."""
        proposal, evaluation = self.proposal(number), self.evaluation(number)
        return None if proposal is None or evaluation is None else Candidate(number, proposal, evaluation)

    def candidates(self) -> Iterator[Candidate]:
        """Yields every candidate in order."""
        with self._explained():
            numbers = self._connection.execute("SELECT number FROM evaluations WHERE cases = 'train' ORDER BY number")
            for (number,) in numbers.fetchall():
                found = self.candidate(number)
                if found is not None:
                    yield found

    def top(self, count: int, cases: str = "train") -> list[int]:
        """Returns the numbers of the best candidates; of equals the earliest first."""
        return [
            number
            for (number,) in self._all(
                "SELECT number FROM evaluations WHERE cases = ? AND score IS NOT NULL ORDER BY score DESC, number LIMIT ?",
                cases,
                count,
            )
        ]

    def verdicts(self) -> dict[Verdict, int]:
        """Returns how many candidates got each verdict."""
        rows = self._all("SELECT verdict, count(*) FROM evaluations WHERE cases = 'train' GROUP BY verdict")
        return {Verdict(verdict): number for verdict, number in rows}

    def seconds(self) -> float:
        """Returns the seconds of search at the last evaluation, over all sittings."""
        return float(self._one("SELECT max(run_seconds) FROM evaluations WHERE cases = 'train'")[0] or 0.0)

    def summary(self) -> list[tuple[int, str, float | None, str, str, tuple[int, ...], str]]:
        """Returns number, verdict, score, proposer, operator, parents and rationale of every candidate."""
        rows = self._all(
            "SELECT number, verdict, score, proposer, operator, parents, rationale FROM evaluations JOIN proposals "
            "USING (number) WHERE cases = 'train' ORDER BY number"
        )
        return [(*row[:5], tuple(json.loads(row[5])), row[6]) for row in rows]

    @property
    def _path(self) -> Path:
        return Path(self._connection.execute("PRAGMA database_list").fetchone()[2])

    def _explained(self) -> Any:
        return _explained(Path("journal.sqlite"))

    def _one(self, query: str, *values: Any) -> Any:
        with self._explained():
            return self._connection.execute(query, values).fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._explained():
            return self._connection.execute(query, values).fetchall()


_ADVICE = "start a new run with another --out, or put a copy of the file back"


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into one clear message."""
    try:
        yield
    except (sqlite3.Error, json.JSONDecodeError, TypeError, KeyError) as error:
        raise JournalError(f"the journal {path} cannot be used ({error}); {_ADVICE}") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _pack(results: tuple[CaseResult, ...]) -> str:
    names = list(results[0].metrics) if results else []
    columns = {
        "case": [result.case for result in results],
        "ratio": [result.ratio for result in results],
        "metrics": {name: [result.metrics[name] for result in results] for name in names},
    }
    return json.dumps(columns, separators=(",", ":"))


def _unpack(text: str) -> tuple[CaseResult, ...]:
    columns = json.loads(text)
    metrics = columns["metrics"]
    return tuple(
        CaseResult(case, ratio, {name: metrics[name][i] for name in metrics})
        for i, (case, ratio) in enumerate(zip(columns["case"], columns["ratio"], strict=True))
    )


def _evaluation(row: tuple[Any, ...]) -> Evaluation:
    verdict, score, feedback, cpu_seconds, calls, confirmed, results = row
    return Evaluation(Verdict(verdict), score, _unpack(results), feedback, cpu_seconds, calls, bool(confirmed))
