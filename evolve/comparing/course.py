"""How the search of one cell went: its best after each evaluation, and what it used."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evolve.comparing.cell import validated
from evolve.comparing.folder import ADVICE
from evolve.journal import Journal
from evolve.judge.wave import LARGEST, SMALLEST, fit_for_ratios
from evolve.types import Evaluation, EvolveError, Verdict

_RANGE = f"they lie between {SMALLEST:g} and {LARGEST:g}"


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a search on the cases that it saw.

    ``best`` holds the best score after each evaluation of the budget; a search that ended early keeps its last.
    ``validation`` is the score of its best on validation cases, None where it failed there.  ``without_score`` counts
    the evaluations that failed, ``outraced`` those stopped early.
    """

    best: tuple[float, ...]
    validation: float | None
    evaluations: int
    simulations: int
    without_score: int
    outraced: int

    @property
    def final(self) -> float:
        """The score of the best."""
        return self.best[-1]

    @property
    def area(self) -> float:
        """The geometric mean of the best over all evaluations: of two equal ends, the earlier one has more."""
        return math.exp(math.fsum(map(math.log, self.best)) / len(self.best))


def course(journal: Journal, evaluations: int) -> Course:
    """Returns the course of a search that has ended, with that budget.

    Raises:
        EvolveError: it has not, its first baseline has no score, or it holds what no search with that budget does.
    """
    held_out = validated(journal)
    if held_out is None:
        raise EvolveError("its search has not ended")
    told = [candidate.evaluation for candidate, _, _ in journal.told()]
    _insist_on_sense(told, held_out, evaluations)
    verdicts = [evaluation.verdict for evaluation in told]
    outraced = verdicts.count(Verdict.OUTRACED)
    return Course(
        best=_running([evaluation.score for evaluation in told], evaluations),
        validation=held_out.score,
        evaluations=len(told),
        simulations=sum(evaluation.simulations for evaluation in told),
        without_score=len(told) - verdicts.count(Verdict.OK) - outraced,
        outraced=outraced,
    )


def _insist_on_sense(told: Sequence[Evaluation], held_out: Evaluation, evaluations: int) -> None:
    """Refuses figures of which no statistics can be made; a journal may hold any."""
    if len(told) > evaluations:
        raise EvolveError(f"its search had {len(told)} evaluations, and its budget is {evaluations}; {ADVICE}")
    for each in (*told, held_out):
        if each.score is not None and not fit_for_ratios(each.score):
            raise EvolveError(f"it has a score of {each.score:g}, which none can be ({_RANGE}); {ADVICE}")
        if each.simulations < 0:
            raise EvolveError(f"it has an evaluation of {each.simulations} simulations, fewer than none; {ADVICE}")


def _running(scores: list[float | None], evaluations: int) -> tuple[float, ...]:
    """Returns the best so far after each evaluation; the reference, which comes first, has a score."""
    best, found = 0.0, []
    for score in scores:
        best = best if score is None else max(best, score)
        found.append(best)
    if not found or found[0] <= 0:
        raise EvolveError("its first baseline has no score")
    return (*found, *[best] * (evaluations - len(found)))
