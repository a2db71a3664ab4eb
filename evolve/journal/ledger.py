"""What models were asked in a run, what they answered, and what it cost.

A question is written down with the most that it can cost before it is sent, and with what it did cost as
soon as it ends.  So a process that is killed loses no answer that it had, and counts those it never saw.
"""

import json
import zlib
from typing import Any

from evolve.journal.database import Queries, text
from evolve.journal.rows import real, usage, words
from evolve.models import Reply, Request
from evolve.types import Outcome, Usage

LEDGER_SCHEMA = (
    """CREATE TABLE questions (
    number INTEGER NOT NULL, prompt TEXT NOT NULL, model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, dollars REAL,
    ended INTEGER NOT NULL, outcome TEXT, message TEXT NOT NULL, answer TEXT NOT NULL)""",
    "CREATE INDEX by_number ON questions (number)",
    "CREATE TABLE prompts (id TEXT PRIMARY KEY, packed BLOB NOT NULL)",
)
_ANSWER = "SELECT answer FROM questions WHERE number = ? AND ended ORDER BY rowid DESC"
_PROMPT = "SELECT packed FROM prompts JOIN questions ON id = prompt WHERE number = ? ORDER BY questions.rowid DESC"
_USED = "SELECT input_tokens, cached_tokens, output_tokens, dollars FROM questions"
_LOST = (
    " WHERE NOT ended OR EXISTS "
    "(SELECT * FROM proposals WHERE proposals.number = questions.number AND proposals.prompt != questions.prompt)"
)
_REPLY = (
    "SELECT answer, outcome, message, input_tokens, cached_tokens, output_tokens, dollars FROM questions "
    "WHERE number = ? AND prompt = ? AND ended"
)

_LONGEST_PROMPT = 1 << 26  # bytes


class Ledger(Queries):
    """The questions of one run, in its journal's file."""

    def ask(self, number: int, request: Request, most: Usage) -> None:
        """Notes that turn ``number`` asks a model, which can use ``most``."""
        text = json.dumps([request.system, request.user]).encode()
        self._write("INSERT OR IGNORE INTO prompts VALUES (?, ?)", request.id, zlib.compress(text))
        self._write(
            "INSERT INTO questions VALUES (?, ?, ?, ?, ?, ?, ?, 0, NULL, '', '')",
            number,
            request.id,
            request.model,
            most.input_tokens,
            most.cached_tokens,
            most.output_tokens,
            most.dollars,
        )

    def end(self, number: int, reply: Reply) -> None:
        """Notes what came of the last question of a turn."""
        used = reply.usage
        self._write(
            "UPDATE questions SET ended = 1, outcome = ?, message = ?, answer = ?, input_tokens = ?, "
            "cached_tokens = ?, output_tokens = ?, dollars = ? "
            "WHERE rowid = (SELECT max(rowid) FROM questions WHERE number = ?)",
            reply.outcome,
            text(reply.message),
            text(reply.text),
            used.input_tokens,
            used.cached_tokens,
            used.output_tokens,
            used.dollars,
            number,
        )

    def forget(self, number: int) -> None:
        """Takes back that a turn asks a model: its question was never sent."""
        self._write(
            "DELETE FROM questions WHERE rowid = (SELECT max(rowid) FROM questions WHERE number = ?) AND NOT ended",
            number,
        )

    def reply(self, number: int, prompt: str) -> Reply | None:
        """Returns the reply that a turn has had to a prompt, or None: it was not asked or not answered."""
        row = self._one(_REPLY, number, prompt)
        if row is None:
            return None
        with self._explained():
            answer, outcome, message, *used = row
            return Reply(words(answer), usage(used), None if outcome is None else Outcome(outcome), words(message))

    def answer(self, number: int) -> str:
        """Returns the text that a model wrote in a turn; empty if none."""
        row = self._one(_ANSWER, number)
        with self._explained():
            return "" if row is None else words(row[0])

    def prompt(self, number: int) -> tuple[str, str] | None:
        """Returns what a model was asked in a turn, the system's part and the user's, or None."""
        row = self._one(_PROMPT, number)
        if row is None:
            return None
        with self._explained():
            system, user = map(words, json.loads(_unpacked(row[0])))
            return system, user

    def questions(self) -> int:
        """Returns how many questions models were asked."""
        return int(self._one("SELECT count(*) FROM questions")[0])

    def lost(self) -> Usage:
        """Returns the most that was used for answers that never came to a turn.

        They were not seen, or their turn was asked anew in a later sitting.
        """
        return self._sum(_LOST)

    def replaced(self, number: int) -> Usage:
        """Returns what was used for answers to a turn that is to be asked anew."""
        return self._sum(" WHERE ended AND number = ?", number)

    def unheard(self) -> int:
        """Returns how many questions were under way when the run was stopped; their answers were never seen."""
        return int(self._one("SELECT count(*) FROM questions WHERE NOT ended")[0])

    def used(self) -> Usage:
        """Returns what all questions used, those whose answers were never seen with the most that they can have."""
        return self._sum()

    def paid(self) -> tuple[Usage, float]:
        """Returns what the answered questions used, and the dollars of those whose price is known."""
        known = self._one("SELECT coalesce(sum(dollars), 0) FROM questions WHERE ended")[0]
        with self._explained():
            return self._sum(" WHERE ended"), real(known)

    def _sum(self, condition: str = "", *values: Any) -> Usage:
        rows = self._all(_USED + condition, *values)
        with self._explained():
            return sum(map(usage, rows), Usage())


def _unpacked(prompt: bytes) -> bytes:
    """Returns what was packed; a few bytes may hold gigabytes.

    Raises:
        ValueError, zlib.error: it is longer than any question, or damaged.
    """
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(prompt, _LONGEST_PROMPT)
    if not unpacking.eof:
        raise ValueError(f"a prompt was cut off, or is longer than {_LONGEST_PROMPT >> 20} MiB")
    return found
