"""The finalists of a run: they lead on train, and validation cases choose the best among them."""

from evolve.executors import Executor, Task
from evolve.journal import Journal
from evolve.types import EvolveError, Proposal

FINALISTS = 8


def finalists(journal: Journal) -> list[int]:
    """Returns the candidates that lead on train, and the best baseline: a search may have found nothing better.

    Raises:
        EvolveError: no candidate has a score.
    """
    numbers = journal.top(FINALISTS)
    if not numbers:
        raise EvolveError("no candidate of this run has a score yet; run it longer")
    baseline = journal.best_baseline()
    return numbers if baseline is None or baseline in numbers else [*numbers, baseline]


def choose(journal: Journal, executor: Executor) -> int:
    """Judges the finalists on validation, a child for each case, and returns the best.

    What the journal holds is not judged again.

    Raises:
        EvolveError: no candidate has a score.
    """
    waiting = {
        number: executor.submit(Task(proposal(journal, number).source, cases="validation", isolated=True))
        for number in finalists(journal)
        if journal.evaluation(number, "validation") is None
    }
    for number, future in waiting.items():
        journal.record(number, future.result(), journal.seconds(), "validation")
    return leader(journal)


def leader(journal: Journal) -> int:
    """Returns the finalist with the highest score on validation, of equals the earliest; unjudged ones stand last."""
    ranked = {number: _rank(journal, number) for number in finalists(journal)}
    judged = any(has_score for has_score, _ in ranked.values())
    return min(ranked, key=lambda number: (-ranked[number][1], number)) if judged else next(iter(ranked))


def proposal(journal: Journal, number: int) -> Proposal:
    """Returns a proposal that the run has.

    Raises:
        EvolveError: it has none of that number.
    """
    found = journal.proposal(number)
    if found is None:
        raise EvolveError(f"the run has no candidate {number}")
    return found


def _rank(journal: Journal, number: int) -> tuple[bool, float]:
    evaluation = journal.evaluation(number, "validation")
    return (False, 0.0) if evaluation is None else evaluation.rank
