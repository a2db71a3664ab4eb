"""A run on paper: its summary, one candidate, the line to the best, diffs and the proof."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evolve import catalog
from evolve.folder import RunFolder
from evolve.journal import Header, Journal, JournalError
from evolve.problem import Problem
from evolve.report import tables
from evolve.report.text import inert, unified
from evolve.types import Candidate, EvolveError
from evolve.verify import Verification


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in a few lines."""

    run: str
    header: Header
    evaluations: int
    seconds: float
    verdicts: dict[str, int]
    best: int | None
    operator: str
    train_score: float | None
    validation_score: float | None
    sealed_uses: int
    dollars: float = 0.0  # embedded proposers cost nothing


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate in the log."""

    number: int
    verdict: str
    score: float | None
    proposer: str
    operator: str
    parents: tuple[int, ...]
    rationale: str


@contextmanager
def opened(path: Path) -> Iterator[tuple[RunFolder, Journal]]:
    """Opens a run for reading; nothing in its folder is imported."""
    folder = RunFolder(path)
    journal = folder.open()
    try:
        yield folder, journal
    finally:
        journal.close()


def problem_of(folder: RunFolder, journal: Journal) -> Problem:
    """Loads the problem that a run is of.

    Raises:
        JournalError: the problem is not what it was, or lies in the run's own folder.
    """
    spec = journal.header.spec
    if Path(spec).is_absolute() and Path(spec).is_relative_to(folder.path.resolve()):
        raise JournalError(
            f"{folder.path} names a problem inside itself; runs are data and nothing in them is imported"
        )
    problem = catalog.load(spec)
    if catalog.digest(problem) != journal.header.digest:
        raise JournalError(
            f"{problem.name} or its baselines have changed since {folder.path} began; its scores are of the old ones"
        )
    return problem


def summary(path: Path, best: int | None = None) -> Summary:
    """Returns what a run has come to; ``best`` defaults to the leader on validation, else on train."""
    with opened(path) as (_, journal):
        verdicts = journal.verdicts()
        if best is None:
            best = next(iter([*journal.top(1, "validation"), *journal.top(1)]), None)
        found = None if best is None else journal.candidate(best)
        validation = None if best is None else journal.evaluation(best, "validation")
        return Summary(
            run=str(path),
            header=journal.header,
            evaluations=sum(verdicts.values()),
            seconds=journal.seconds(),
            verdicts={str(verdict): count for verdict, count in verdicts.items()},
            best=best,
            operator="" if found is None else f"{found.proposal.proposer}, {found.proposal.operator}",
            train_score=None if found is None else found.evaluation.score,
            validation_score=None if validation is None else validation.score,
            sealed_uses=journal.sealed_uses(),
        )


def describe(run: Summary) -> str:
    """Returns a summary as text."""
    verdicts = ", ".join(
        f"{count} {verdict}" for verdict, count in sorted(run.verdicts.items(), key=lambda item: -item[1])
    )
    lines = [
        f"run         {run.run}",
        f"problem     {run.header.problem}, seed {run.header.seed}, {run.header.proposers}, evolve {run.header.engine}",
        f"evaluations {run.evaluations} in {run.seconds:.0f} s ({run.evaluations / max(run.seconds, 1e-3):.1f}/s): {verdicts}",
        "cost        $0.00 (no model was asked)",
    ]
    if run.best is not None:
        lines += [
            f"best        #{run.best} ({run.operator}): train {tables.number(run.train_score, 4)}, "
            f"validation {tables.number(run.validation_score, 4)}",
            f"sealed      {_times(run.sealed_uses)}",
            f"next        evolve verify {run.run}    evolve diff {run.run}    evolve log {run.run}",
        ]
    return "\n".join(lines)


def candidate(journal: Journal, number: int) -> Candidate:
    """Returns one candidate.

    Raises:
        EvolveError: the run has none of that number.
    """
    found = journal.candidate(number)
    if found is None:
        raise EvolveError(f"the run has no candidate {number}; it has 0 to {sum(journal.verdicts().values()) - 1}")
    return found


def describe_candidate(found: Candidate) -> str:
    """Returns a candidate with its origin, its cases and its source."""
    proposal, evaluation = found.proposal, found.evaluation
    parents = ", ".join(f"#{parent}" for parent in proposal.parents) or "nothing"
    lines = [
        f"#{found.number} by {proposal.proposer}, {proposal.operator}, from {parents}: {inert(proposal.rationale)}",
        f"{evaluation.verdict}, score {tables.number(evaluation.score, 4)}; {evaluation.calls} calls, "
        f"{evaluation.cpu_seconds:.2f} s of CPU{', confirmed alone on each case' if evaluation.confirmed else ''}",
    ]
    lines += [f"    {line}" for line in inert(evaluation.feedback).splitlines()]
    return "\n".join([*lines, "", inert(proposal.source)])


def log(journal: Journal) -> list[Entry]:
    """Returns every candidate in order."""
    return [Entry(*row) for row in journal.summary()]


def line_to_best(journal: Journal) -> list[Entry]:
    """Returns the best candidate's ancestors along the first parents, oldest first, and itself."""
    entries = {entry.number: entry for entry in log(journal)}
    number = next(iter([*journal.top(1, "validation"), *journal.top(1)]), None)
    line: list[Entry] = []
    while number is not None and number in entries:
        line.append(entries[number])
        number = next(iter(entries[number].parents), None)
    return line[::-1]


def log_table(entries: Sequence[Entry]) -> str:
    """Returns the log as a table."""
    rows = [
        (
            f"#{entry.number}",
            " ".join(f"#{parent}" for parent in entry.parents),
            f"{entry.proposer}, {entry.operator}",
            inert(entry.rationale)[:70],
            entry.verdict,
            tables.number(entry.score, 4),
        )
        for entry in entries
    ]
    return tables.table(("candidate", "from", "by", "why", "verdict", "score"), rows, left=5)


def diff(journal: Journal, numbers: Sequence[int], *, colour: bool = False) -> str:
    """Returns the diff of the best or of a candidate against the reference, or of two candidates."""
    if not numbers:
        numbers = [*journal.top(1, "validation"), *journal.top(1)][:1]
    pair = [0, *numbers] if len(numbers) < 2 else list(numbers)
    old, new = (candidate(journal, number) for number in pair[:2])
    text = unified(old.proposal.source, new.proposal.source, _title(old), _title(new), colour=colour)
    return text or f"{_title(old)} and {_title(new)} are the same"


def verified(folder: RunFolder, journal: Journal, problem: Problem, result: Verification, *, colour: bool) -> str:
    """Returns the proof: sealed scores, duels, what the search took, the diff, and where the run lies."""
    trains = {
        baseline.name: journal.candidate(number).evaluation.score  # type: ignore[union-attr]
        for number, baseline in enumerate(problem.baselines())
    }
    run = summary(folder.path, result.number)
    better = "lower" if problem.direction == "minimize" else "higher"
    return "\n".join(
        [
            f"{problem.name}: {better} {problem.objective} is better; a score is the geometric mean over cases of the "
            "ratio to the reference",
            "",
            tables.verification(result, problem.objective, trains),
            "",
            f"search  {run.evaluations} evaluations in {run.seconds:.0f} s ({run.evaluations / max(run.seconds, 1e-3):.1f}/s), "
            f"cost ${run.dollars:.2f}",
            f"sealed  {_times(result.uses)}; {result.cases} cases, a child for each; their secret's hash was recorded at the start",
            f"run     {folder.path} (the policy: {folder.best})",
            "",
            diff(journal, [result.number], colour=colour),
        ]
    )


def _title(found: Candidate) -> str:
    proposal = found.proposal
    name = proposal.operator if proposal.proposer == "baseline" else f"{proposal.proposer}"
    return f"#{found.number} {name}"


def _times(uses: int) -> str:
    return (
        f"the sealed cases were used {uses} time{'' if uses == 1 else 's'}"
        if uses
        else "the sealed cases were never used"
    )
