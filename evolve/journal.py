"""Every turn of a run, with its proposal and evaluation or what kept it from one, in one SQLite file.

It survives ``kill -9``: everything is written before the search is told, in write-ahead mode with
``synchronous=NORMAL``.  A killed process loses nothing, a power cut at most the last moments, never the
file (sqlite.org/wal.html).
"""

import json
import sqlite3
from pathlib import Path
from typing import Any, Self

from evolve import rows
from evolve.database import ADVICE, JournalError, connect, connect_to_read, explained, insist_on_plain, text
from evolve.header import Header, read
from evolve.ledger import LEDGER_SCHEMA, Ledger
from evolve.rows import Entry, Seal
from evolve.types import Candidate, Evaluation, Layer, Miss, Proposal, Verdict

_SCHEMA = (
    """CREATE TABLE proposals (
    number INTEGER PRIMARY KEY, source TEXT, proposer TEXT NOT NULL, operator TEXT NOT NULL,
    parents TEXT NOT NULL, rationale TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, dollars REAL,
    outcome TEXT, message TEXT NOT NULL)""",
    """CREATE TABLE evaluations (
    number INTEGER NOT NULL REFERENCES proposals, cases TEXT NOT NULL, verdict TEXT NOT NULL, score REAL,
    feedback TEXT NOT NULL, cpu_seconds REAL NOT NULL, calls INTEGER NOT NULL, confirmed INTEGER NOT NULL,
    layers TEXT NOT NULL, run_seconds REAL NOT NULL, results TEXT NOT NULL, PRIMARY KEY (number, cases))""",
    "CREATE INDEX by_score ON evaluations (cases, score, number, verdict, run_seconds)",
    """CREATE TABLE sealed_uses (
    at TEXT NOT NULL, number INTEGER NOT NULL, policies INTEGER NOT NULL, turns INTEGER NOT NULL,
    revealed INTEGER NOT NULL)""",
    "CREATE TABLE faults (at TEXT NOT NULL, turns INTEGER NOT NULL, message TEXT NOT NULL)",
    *LEDGER_SCHEMA,
)
_PROPOSAL = (
    "SELECT number, source, proposer, operator, parents, rationale, model, prompt, input_tokens, cached_tokens, "
    "output_tokens, dollars, outcome, message FROM proposals WHERE number = ?"
)
_EVALUATION = (
    "SELECT verdict, score, feedback, cpu_seconds, calls, confirmed, layers, results FROM evaluations "
    "WHERE number = ? AND cases = ?"
)


class Journal:
    """The journal of one run."""

    def __init__(self, path: Path, connection: sqlite3.Connection, header: Header) -> None:
        self._path, self._connection, self.header = path, connection, header
        self.ledger = Ledger(self._write, self._one, self._all, self._explained)

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
            connection = connect(unfinished)
            for statement in _SCHEMA:
                connection.execute(statement)
            header.write(connection)
            connection.close()
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

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
            "INSERT OR IGNORE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            number,
            cases,
            evaluation.verdict,
            evaluation.score,
            text(evaluation.feedback),
            evaluation.cpu_seconds,
            evaluation.calls,
            evaluation.confirmed,
            " ".join(evaluation.layers),
            run_seconds,
            rows.packed(evaluation.cases),
        )

    def record_sealed_use(self, at: str, number: int, policies: int) -> None:
        """Notes that the sealed split was used for a candidate, before it is."""
        self._write("INSERT INTO sealed_uses SELECT ?, ?, ?, count(*), 0 FROM proposals", at, number, policies)

    def record_reveal(self) -> None:
        """Notes that the last use of the sealed split reveals its secret, before it does."""
        self._write("UPDATE sealed_uses SET revealed = 1 WHERE rowid = (SELECT max(rowid) FROM sealed_uses)")

    def seal(self) -> Seal:
        """Returns how often the sealed split was used, and whether its cases are still a secret."""
        uses = self._all("SELECT turns, revealed FROM sealed_uses ORDER BY rowid")
        reveals = [index for index, (_, revealed) in enumerate(uses) if revealed]
        if not reveals:
            return Seal(len(uses), 0, None)
        with self._explained():
            return Seal(len(uses), len(uses) - reveals[0] - 1, rows.whole(uses[reveals[0]][0]))

    def record_fault(self, at: str, message: str) -> None:
        """Notes what stopped the run; it is no verdict on any policy."""
        self._write("INSERT INTO faults SELECT ?, count(*), ? FROM proposals", at, text(message))

    def last_fault(self) -> str:
        """Returns what stopped the run, if nothing has happened in it since; else nothing."""
        row = self._one("SELECT message FROM faults WHERE turns = (SELECT count(*) FROM proposals) ORDER BY rowid DESC")
        with self._explained():
            return "" if row is None else rows.words(row[0])

    def made(self, number: int) -> Proposal | Miss | None:
        """Returns what a turn led to, or None if the run has not come so far."""
        row = self._one(_PROPOSAL, number)
        if row is None:
            return None
        answer = self.ledger.answer(number) if row[1] is None else ""
        with self._explained():
            return rows.made(row, answer)

    def proposal(self, number: int) -> Proposal | None:
        """Returns a proposal, or None if the run has none of that number."""
        made = self.made(number)
        return made if isinstance(made, Proposal) else None

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
        found = self._all(query, count)
        with self._explained():
            return [rows.whole(number) for (number,) in found]

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
        with self._explained():
            return None if row is None else rows.whole(row[0])

    def verdicts(self) -> dict[Verdict, int]:
        """Returns how many candidates got each verdict, the most frequent first."""
        found = self._all(
            "SELECT verdict, count(*) FROM evaluations WHERE cases = 'train' GROUP BY verdict ORDER BY count(*) DESC"
        )
        with self._explained():
            return {Verdict(verdict): number for verdict, number in found}

    def layers(self) -> dict[str, int]:
        """Returns how many evaluations were made behind which walls, the most frequent first."""
        found = self._all("SELECT layers, count(*) FROM evaluations GROUP BY layers ORDER BY count(*) DESC")
        with self._explained():
            return {" ".join(map(Layer, rows.words(names).split())): number for names, number in found}

    def outcomes(self) -> dict[str, int]:
        """Returns how many turns ended without a policy, by outcome, the most frequent first."""
        query = "SELECT outcome, count(*) FROM proposals WHERE source IS NULL GROUP BY outcome ORDER BY count(*) DESC"
        found = self._all(query)
        with self._explained():
            return {rows.words(outcome): number for outcome, number in found}

    def count(self) -> int:
        """Returns how many candidates were told."""
        return int(self._one("SELECT count(*) FROM evaluations WHERE cases = 'train'")[0])

    def turns(self) -> int:
        """Returns how many turns have led to a candidate or to none; they are numbered from 0."""
        return int(self._one("SELECT count(*) FROM proposals")[0])

    def seconds(self) -> float:
        """Returns the seconds of search at the last evaluation, over all sittings."""
        seconds = self._one("SELECT max(run_seconds) FROM evaluations WHERE cases = 'train'")[0]
        with self._explained():
            return 0.0 if seconds is None else rows.real(seconds)

    def log(self) -> list[Entry]:
        """Returns every told turn in order, without sources and cases."""
        return [self._entry(row) for row in self._all(f"{_LOG} ORDER BY number")]

    def entry(self, number: int) -> Entry | None:
        """Returns one line of the log, or None if there is no such turn."""
        row = self._one(f"{_LOG} AND number = ?", number)
        return None if row is None else self._entry(row)

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        with self._explained():
            return rows.entry(row)

    def _explained(self) -> Any:
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


def _files(path: Path) -> list[Path]:
    """Returns all files that SQLite keeps for one."""
    return [path.with_name(f"{path.name}{ending}") for ending in ("", "-wal", "-shm", "-journal")]


_LOG = (
    "SELECT number, coalesce(outcome, verdict), score, proposer, operator, parents, "
    "CASE WHEN source IS NULL THEN message ELSE rationale END "
    "FROM proposals LEFT JOIN (SELECT * FROM evaluations WHERE cases = 'train') USING (number) "
    "WHERE (verdict IS NOT NULL OR outcome IS NOT NULL)"
)
