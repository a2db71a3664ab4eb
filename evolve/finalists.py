"""The finalists of a run: different designs that lead on train; validation cases choose the best among them."""

from collections import Counter
from collections.abc import Callable

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
    roots: dict[int, int] = {}
    taken: Counter[int] = Counter()
    behaviours: set[tuple[float, ...]] = set()
    chosen: list[int] = []
    for number in numbers:
        if len(chosen) == FINALISTS:
            break
        root = _root(journal, number, roots)
        if taken[root] < OF_A_LINEAGE:
            behaviour = journal.ratios(number)
            if behaviour not in behaviours:
                behaviours.add(behaviour)
                taken[root] += 1
                chosen.append(number)
    return chosen


def _root(journal: Journal, number: int, known: dict[int, int]) -> int:
    """Returns the baseline that a candidate descends from by first parents; what is ``known`` is not looked up."""
    line = [number]
    while line[-1] not in known and (parents := journal.parents(line[-1])):
        line.append(parents[0])
    root = known.get(line[-1], line[-1])
    known.update(dict.fromkeys(line, root))
    return root


def choose(journal: Journal, executor: Executor, judged: Callable[[int, int], None] = lambda _, __: None) -> int:
    """Judges the finalists on validation, confirmed with a child for each case, and returns the best.

    What the journal holds is not judged again.  ``judged`` hears how many of how many others are, first that none is.

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
    for count, (number, future) in enumerate(waiting.items()):
        judged(count, len(waiting))
        journal.record(number, future.result(), journal.seconds(), "validation")
    return leader(journal)


def leader(journal: Journal) -> int:
    """Returns the finalist with the highest score on validation, of equals the earliest; unjudged ones stand last."""
    leading = finalists(journal)
    scores = journal.scores("validation") if _has_validation(journal) else {}
    judged = [number for number in leading if number in scores]
    return min(judged, key=lambda number: (-scores[number], number)) if judged else leading[0]


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
