"""How a run came to its best: the line of ancestors, the log with what each step gained, and differences."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from evolve.finalists import leader
from evolve.journal import Journal
from evolve.journal.rows import Entry
from evolve.report import diffs, sides, tables
from evolve.report.turns import candidate, origin
from evolve.text import brief, counted


@dataclass(frozen=True, slots=True)
class Step(Entry):
    """A line of the log with what was gained: 0.05 is a score 5% higher.

    ``gain`` is against the first parent, ``gain_in_all`` against the reference, ``validation_gain`` against the
    first parent on validation cases.  None where a score is missing.
    """

    gain: float | None = None
    gain_in_all: float | None = None
    validation_score: float | None = None
    validation_gain: float | None = None


def line_to_best(journal: Journal) -> list[Entry]:
    """Returns the best candidate's ancestors along the first parents, oldest first, and itself.

    Raises:
        JournalError: the line has no beginning.
    """
    if not journal.top(1):
        return []
    numbers = [leader(journal)]
    while parents := journal.parents(numbers[-1]):
        numbers.append(parents[0])
    return [entry for number in reversed(numbers) if (entry := journal.entry(number)) is not None]


def steps(journal: Journal, entries: Sequence[Entry]) -> list[Step]:
    """Returns lines of the log with their gains."""
    train, validation = journal.scores("train"), journal.scores("validation")
    return [_step(entry, train, validation) for entry in entries]


def _step(entry: Entry, train: Mapping[int, float], validation: Mapping[int, float]) -> Step:
    parent = entry.parents[0] if entry.parents else -1
    return Step(
        entry.number,
        entry.verdict,
        entry.score,
        entry.proposer,
        entry.operator,
        entry.parents,
        entry.rationale,
        gain=_gain(entry.score, train.get(parent)),
        gain_in_all=_gain(entry.score, 1.0),
        validation_score=validation.get(entry.number),
        validation_gain=_gain(validation.get(entry.number), validation.get(parent)),
    )


def _gain(score: float | None, base: float | None) -> float | None:
    return None if score is None or base is None or base == 0 else score / base - 1


def log(
    journal: Journal, *, every: bool = False, verdicts: Collection[str] = (), last: int | None = None
) -> list[Step]:
    """Returns the line to the best, or ``every`` turn; of these the ``last`` ones of some verdicts or outcomes."""
    entries = journal.log() if every else line_to_best(journal)
    chosen = [entry for entry in entries if not verdicts or entry.verdict in verdicts]
    return steps(journal, chosen if last is None else chosen[-last:])


def log_table(found: Sequence[Step], basis: str = "") -> str:
    """Returns the log as a table; below, what the scores rest on where that is no simulation."""
    columns: dict[str, list[str]] = {
        "candidate": [f"#{step.number}" for step in found],
        "from": [" ".join(f"#{parent}" for parent in step.parents) for step in found],
        "by": [origin(step.proposer, step.operator) for step in found],
        "verdict": [step.verdict for step in found],
        "score": [tables.number(step.score, 4) for step in found],
        "gain": [_percent(step.gain) for step in found],
        "in all": [_percent(step.gain_in_all) for step in found],
    }
    if any(step.validation_score is not None for step in found):
        columns["validation"] = [tables.number(step.validation_score, 4) for step in found]
    if any(step.validation_gain is not None for step in found):
        columns["gain there"] = [_percent(step.validation_gain) for step in found]
    columns["why"] = [brief(step.rationale, 90) for step in found]
    rows = list(zip(*columns.values(), strict=True))
    return "\n".join([tables.table(tuple(columns), rows, left=len(columns)), *tables.basis(basis)])


def nothing(journal: Journal, verdicts: Collection[str] = ()) -> str:
    """Says why there is nothing in a log of some verdicts, or in the line to the best."""
    turns = journal.turns()
    if not turns:
        return "the run has come to no candidate yet; run it longer"
    if verdicts:
        return f"none of the {counted(turns, 'turn')} of this run is {' or '.join(verdicts)}"
    return (
        f"no candidate of this run has a score yet, so there is no line to a best; --all lists {counted(turns, 'turn')}"
    )


def _percent(gain: float | None) -> str:
    return "-" if gain is None else f"{round(gain, 4) + 0.0:+.2%}"  # no -0.00%


def diff(journal: Journal, numbers: Sequence[int], *, colour: bool = False) -> str:
    """Returns the diff of the best or of a candidate against the reference, or of two candidates."""
    pair = [0, leader(journal)] if not numbers else [0, *numbers] if len(numbers) == 1 else list(numbers)
    old, new = (sides.of(candidate(journal, number)) for number in pair)
    return diffs.describe(diffs.difference(old, new, colour=colour))
