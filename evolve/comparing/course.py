"""How the search of one cell went: its best after each evaluation, and what it used."""

import math
from dataclasses import dataclass

from evolve.comparing.cell import validated
from evolve.journal import Journal
from evolve.types import EvolveError, Verdict


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a search on the cases that it saw.

    ``best`` holds the best score after each evaluation of the budget; a search that ended early keeps its last.
    ``validation`` is the score of its best on validation cases, None where it failed there.  ``without_score`` counts
    the evaluations that failed, ``outraced`` those stopped early; ``cpu_seconds`` are the policies' own.
    """

    best: tuple[float, ...]
    validation: float | None
    evaluations: int
    simulations: int
    without_score: int
    outraced: int
    cpu_seconds: float

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
        EvolveError: it has not, or no policy has a score above 0 before the first baseline is judged.
    """
    held_out = validated(journal)
    if held_out is None:
        raise EvolveError("its search has not ended")
    told = [candidate.evaluation for candidate, _, _ in journal.told()]
    verdicts = [evaluation.verdict for evaluation in told]
    outraced = verdicts.count(Verdict.OUTRACED)
    return Course(
        best=_running([evaluation.score for evaluation in told], evaluations),
        validation=held_out.score,
        evaluations=len(told),
        simulations=sum(evaluation.simulations for evaluation in told),
        without_score=len(told) - verdicts.count(Verdict.OK) - outraced,
        outraced=outraced,
        cpu_seconds=math.fsum(evaluation.cpu_seconds for evaluation in told),
    )


def _running(scores: list[float | None], evaluations: int) -> tuple[float, ...]:
    """Returns the best so far after each evaluation; the reference, which comes first, has a score."""
    best, found = 0.0, []
    for score in scores[:evaluations]:
        best = best if score is None else max(best, score)
        found.append(best)
    if not found or found[0] <= 0:
        raise EvolveError("its first baseline has no score")
    return (*found, *[best] * (evaluations - len(found)))
