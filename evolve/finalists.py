"""The finalists of a run: different designs that lead on train; validation cases choose the best among them."""

from collections import Counter

from evolve.executors import Executor, Task
from evolve.journal import Journal
from evolve.types import EvolveError, Proposal

FINALISTS = 12
OF_A_LINEAGE = 4
"""Finalists that may descend from one baseline: what wins on train by a hair need not win elsewhere."""

CONSIDERED = 1000


def finalists(journal: Journal) -> list[int]:
    """Returns the candidates that lead on train, no two of which behave alike there, and the best baseline.

    Raises:
        EvolveError: no candidate has a score.
    """
    numbers = journal.top(CONSIDERED)
    if not numbers:
        raise EvolveError("no candidate of this run has a score yet; run it longer")
    chosen = _different(journal, numbers)
    baseline = journal.best_baseline()  # a search may have found nothing better
    return chosen if baseline is None or baseline in chosen else [*chosen, baseline]


def _different(journal: Journal, numbers: list[int]) -> list[int]:
    """Returns the first few candidates of different behaviour, so many of each lineage."""
    roots = journal.roots()
    taken: Counter[int] = Counter()
    behaviours: set[tuple[float, ...]] = set()
    chosen: list[int] = []
    for number in numbers:
        if len(chosen) == FINALISTS:
            break
        if taken[roots[number]] < OF_A_LINEAGE:
            evaluation = journal.evaluation(number)
            behaviour = () if evaluation is None else tuple(result.ratio for result in evaluation.cases)
            if behaviour not in behaviours:
                behaviours.add(behaviour)
                taken[roots[number]] += 1
                chosen.append(number)
    return chosen


def choose(journal: Journal, executor: Executor) -> int:
    """Judges the finalists on validation, confirmed with a child for each case, and returns the best.

    What the journal holds is not judged again.

    Raises:
        EvolveError: no candidate has a score.
    """
    if not _has_validation(journal):
        return leader(journal)
    waiting = {
        number: executor.submit(Task(proposal(journal, number).source, 0.0, "validation"))
        for number in finalists(journal)
        if journal.evaluation(number, "validation") is None
    }
    for number, future in waiting.items():
        journal.record(number, future.result(), journal.seconds(), "validation")
    return leader(journal)


def leader(journal: Journal) -> int:
    """Returns the finalist with the highest score on validation, of equals the earliest; unjudged ones stand last."""
    if not _has_validation(journal):
        return finalists(journal)[0]
    ranked = {number: _rank(journal, number) for number in finalists(journal)}
    judged = any(has_score for has_score, _ in ranked.values())
    return min(ranked, key=lambda number: (-ranked[number][1], number)) if judged else next(iter(ranked))


def _has_validation(journal: Journal) -> bool:
    """A search on a named case set or a file has no split beside it to choose on."""
    return journal.header.cases == "train"


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
