"""How a run came to its best: the line of ancestors, the log, and differences between candidates."""

from collections.abc import Sequence

from evolve.finalists import leader
from evolve.journal import Journal
from evolve.report import tables
from evolve.report.diffs import unified
from evolve.report.turns import candidate, origin
from evolve.rows import Entry
from evolve.text import brief
from evolve.types import Candidate


def line_to_best(journal: Journal) -> list[Entry]:
    """Returns the best candidate's ancestors along the first parents, oldest first, and itself."""
    entry = journal.entry(leader(journal)) if journal.top(1) else None
    line: list[Entry] = []
    while entry is not None and entry not in line:
        line.append(entry)
        entry = journal.entry(entry.parents[0]) if entry.parents else None
    return line[::-1]


def log_table(entries: Sequence[Entry], basis: str = "") -> str:
    """Returns the log as a table; below, what the scores rest on where that is no simulation."""
    rows = [
        (
            f"#{entry.number}",
            " ".join(f"#{parent}" for parent in entry.parents),
            origin(entry.proposer, entry.operator),
            entry.verdict,
            tables.number(entry.score, 4),
            brief(entry.rationale, 90),
        )
        for entry in entries
    ]
    log = tables.table(("candidate", "from", "by", "verdict", "score", "why"), rows, left=6)
    return "\n".join([log, *tables.basis(basis)])


def diff(journal: Journal, numbers: Sequence[int], *, colour: bool = False) -> str:
    """Returns the diff of the best or of a candidate against the reference, or of two candidates."""
    pair = [0, leader(journal)] if not numbers else [0, *numbers] if len(numbers) == 1 else list(numbers)
    old, new = (candidate(journal, number) for number in pair)
    text = unified(old.proposal.source, new.proposal.source, _title(old), _title(new), colour=colour)
    return text or f"{_title(old)} and {_title(new)} are the same"


def _title(found: Candidate) -> str:
    return f"#{found.number} ({origin(found.proposal.proposer, found.proposal.operator)})"
