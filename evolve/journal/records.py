"""What a run's journal says: every question that can be asked of it."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from evolve.journal import rows
from evolve.journal.database import ADVICE, JournalError, Queries
from evolve.journal.header import Header
from evolve.journal.ledger import Ledger
from evolve.journal.rows import Entry, Seal
from evolve.journal.steering import Steering
from evolve.types import Candidate, Evaluation, Layer, Miss, Proposal, Verdict

_PROPOSAL = (
    "SELECT number, source, proposer, operator, parents, rationale, model, prompt, input_tokens, cached_tokens, "
    "output_tokens, dollars, outcome, message FROM proposals WHERE number = ?"
)
_EVALUATION = (
    "SELECT verdict, score, feedback, cpu_seconds, calls, confirmed, layers, simulations, results FROM evaluations "
    "WHERE number = ? AND cases = ?"
)
_TOLD = (
    "SELECT proposals.number, source, proposer, operator, parents, rationale, model, prompt, input_tokens, "
    "cached_tokens, output_tokens, dollars, outcome, message, train.verdict, train.score, train.feedback, "
    "train.cpu_seconds, train.calls, train.confirmed, train.layers, train.simulations, train.run_seconds, "
    "validation.score "
    "FROM proposals JOIN evaluations AS train USING (number) "
    "LEFT JOIN evaluations AS validation ON validation.number = train.number AND validation.cases = 'validation' "
    "WHERE train.cases = 'train' AND source IS NOT NULL ORDER BY proposals.number"
)
_NO_CASES = rows.packed(())
_LONGEST_IN_LOG = 2000


def _cut(column: str) -> str:
    """Returns a column of the log as it is read: a text is cut where it is too long for a line, and says so."""
    more = f"' [' || (length({column}) - {_LONGEST_IN_LOG}) || ' more characters]'"
    return (
        f"CASE WHEN typeof({column}) = 'text' AND length({column}) > {_LONGEST_IN_LOG} "
        f"THEN substr({column}, 1, {_LONGEST_IN_LOG}) || {more} ELSE {column} END"
    )


_LOG = (
    f"SELECT number, {_cut('coalesce(outcome, verdict)')}, score, "  # noqa: S608 - words of ours alone
    f"{_cut('proposer')}, {_cut('operator')}, {_cut('parents')}, "
    f"CASE WHEN source IS NULL THEN {_cut('message')} WHEN score IS NULL THEN {_cut('feedback')} "
    f"ELSE {_cut('rationale')} END "
    "FROM proposals LEFT JOIN (SELECT * FROM evaluations WHERE cases = 'train') USING (number) "
    "WHERE (verdict IS NOT NULL OR outcome IS NOT NULL)"
)


class Records(Queries):
    """The records of one run, to be read; those of another process may grow meanwhile."""

    def __init__(self, path: Path, connection: sqlite3.Connection, header: Header) -> None:
        super().__init__(path, connection)
        self.header = header
        self.ledger, self.steering = Ledger(path, connection), Steering(path, connection)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def seal(self) -> Seal:
        """Returns how often the sealed split was used, and whether its cases are still a secret."""
        uses = self._all("SELECT turns, revealed FROM sealed_uses ORDER BY rowid")
        reveals = [index for index, (_, revealed) in enumerate(uses) if revealed]
        if not reveals:
            return Seal(len(uses), 0, None)
        with self._explained():
            return Seal(len(uses), len(uses) - reveals[0] - 1, rows.whole(uses[reveals[0]][0]))

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

    def told(self) -> Iterator[tuple[Candidate, float, float | None]]:
        """Yields every told candidate in order, with the seconds of search until then and its score on validation.

        It does without its cases, and one at a time is read.
        """
        with self._explained():
            for row in self._connection.execute(_TOLD):
                *columns, seconds, validation = row
                made, evaluation = rows.made(tuple(columns[:14]), ""), rows.evaluation((*columns[14:], _NO_CASES))
                if isinstance(made, Proposal):
                    candidate = Candidate(rows.whole(row[0]), made, evaluation)
                    yield candidate, rows.real(seconds), rows.real_or_none(validation)

    def top(self, count: int) -> list[int]:
        """Returns the numbers of the candidates with the best scores on train; of equals the earliest first."""
        query = (
            "SELECT number FROM evaluations WHERE cases = 'train' AND score IS NOT NULL "
            "ORDER BY score DESC, number LIMIT ?"
        )
        found = self._all(query, count)
        with self._explained():
            return [rows.whole(number) for (number,) in found]

    def ratios(self, number: int) -> tuple[float, ...]:
        """Returns how a candidate compares with the reference on each train case; nothing where it has no score."""
        row = self._one(
            "SELECT json_extract(results, '$.ratio') FROM evaluations WHERE number = ? AND cases = 'train'", number
        )
        with self._explained():
            return () if row is None else tuple(map(rows.real, json.loads(row[0])))

    def scores(self, cases: str) -> dict[int, float]:
        """Returns the scores of the candidates that have one on some cases, by number."""
        found = self._all("SELECT number, score FROM evaluations WHERE cases = ? AND score IS NOT NULL", cases)
        with self._explained():
            return {rows.whole(number): rows.real(score) for number, score in found}

    def judged(self) -> list[tuple[int, str, float]]:
        """Returns for each evaluation, oldest first, its candidate, its cases and the seconds of search until then."""
        found = self._all("SELECT number, cases, run_seconds FROM evaluations ORDER BY rowid")
        with self._explained():
            return [(rows.whole(number), rows.words(cases), rows.real(seconds)) for number, cases, seconds in found]

    def parents(self, number: int) -> tuple[int, ...]:
        """Returns the numbers of the candidates that a turn began with.

        Raises:
            JournalError: one is not before it.
        """
        row = self._one("SELECT parents FROM proposals WHERE number = ?", number)
        with self._explained():
            parents = () if row is None else rows.parents(row[0])
        if any(not 0 <= parent < number for parent in parents):
            raise JournalError(f"the journal {self._path} cannot be used (#{number} is older than a parent); {ADVICE}")
        return parents

    def roots(self) -> dict[int, int]:
        """Returns for each candidate the baseline that it descends from, by first parents."""
        roots: dict[int, int] = {}
        found = self._all("SELECT number, parents FROM proposals ORDER BY number")
        with self._explained():
            for number, packed in found:
                parents = rows.parents(packed)
                roots[number] = roots[parents[0]] if parents else number
        return roots

    def baselines(self) -> dict[str, int]:
        """Returns the numbers of the baselines by name."""
        found = self._all("SELECT operator, number FROM proposals WHERE proposer = 'baseline' ORDER BY number")
        with self._explained():
            return {rows.words(name): rows.whole(number) for name, number in found}

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

    def outraced(self) -> tuple[int, int]:
        """Returns how many candidates were stopped early, and how many cases they came to in all."""
        count, cases = self._one(
            "SELECT count(*), coalesce(sum(simulations), 0) FROM evaluations "
            "WHERE cases = 'train' AND score IS NULL AND verdict = ?",
            Verdict.OUTRACED,
        )
        with self._explained():
            return rows.whole(count), rows.whole(cases)

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

    def reached(self) -> int:
        """Returns the first turn that nothing is known of: it led to nothing yet, nor was a model asked in it."""
        made = self._one("SELECT coalesce(max(number), -1) FROM proposals")[0]
        asked = self._one("SELECT coalesce(max(number), -1) FROM questions")[0]
        with self._explained():
            return max(rows.whole(made), rows.whole(asked)) + 1

    def seconds(self) -> float:
        """Returns the seconds of search at the last evaluation, over all sittings."""
        seconds = self._one("SELECT max(run_seconds) FROM evaluations WHERE cases = 'train'")[0]
        with self._explained():
            return 0.0 if seconds is None else rows.real(seconds)

    def log(self) -> list[Entry]:
        """Returns every told turn in order, without sources and cases; a text that is too long for a line is cut."""
        found = self._all(f"{_LOG} ORDER BY number")
        with self._explained():
            return [rows.entry(row) for row in found]

    def entry(self, number: int) -> Entry | None:
        """Returns one line of the log, or None if there is no such turn."""
        row = self._one(f"{_LOG} AND number = ?", number)
        with self._explained():
            return None if row is None else rows.entry(row)
