"""The finalists of a run: designs that led on train, now or earlier; validation cases choose the best among them."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from evolve.executors import Executor, Task
from evolve.journal import Journal
from evolve.types import EvolveError, Proposal

FINALISTS, LEADERS = 12, 8
"""Places, and how many of them are for those that led."""

CONSIDERED = 1000
"""Candidates with the best scores on train, among which the others are."""


def finalists(journal: Journal) -> list[int]:
    """Returns who led each lineage on train when the run was as long as now, half as long, a quarter, and so on.

    A long search presses on its train cases until what it finds holds on no others, so that who led earlier may be
    better there.  Of these the best on train are taken, then others that are best there, no two of which behave alike,
    and always the best baseline.  They are returned best on train first.

    Raises:
        EvolveError: no candidate has a score.
    """
    scores = journal.scores("train")  # as of now; whoever works on the run may add to it meanwhile
    if not scores:
        raise EvolveError("no candidate of this run has a score yet; run it longer")
    best_first = partial(sorted, key=lambda number: (-scores[number], number))
    chosen = _different(journal, best_first(_leaders(scores, journal.roots())), LEADERS)
    chosen = _different(journal, [*chosen, *best_first(scores)[:CONSIDERED]], FINALISTS)
    baseline = journal.best_baseline()  # a search may have found nothing better
    return best_first({*chosen, baseline} if baseline in scores else {*chosen})


def _leaders(scores: Mapping[int, float], roots: Mapping[int, int]) -> set[int]:
    """Returns the first with the highest score of each lineage, but for its root, at each of those moments."""
    leading: dict[int, int] = {}
    found: set[int] = set()
    moments = [max(scores) >> halved for halved in range(max(scores).bit_length())]
    for number in sorted(scores):
        while moments and number > moments[-1]:
            found.update(leading.values())
            moments.pop()
        root = roots[number]
        if root != number and (root not in leading or scores[number] > scores[leading[root]]):
            leading[root] = number
    return found | {*leading.values()}


def _different(journal: Journal, numbers: Iterable[int], count: int) -> list[int]:
    """Returns the first ``count`` candidates of different behaviour."""
    behaviours: dict[tuple[float, ...], int] = {}
    for number in numbers:
        if len(behaviours) == count:
            break
        behaviours.setdefault(journal.ratios(number), number)
    return [*behaviours.values()]


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
