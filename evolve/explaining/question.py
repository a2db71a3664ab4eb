"""A question to explain: which candidate, against what, on which cases."""

from dataclasses import dataclass

from evolve.explaining.base import Base

TOLERANCE, EVALUATIONS = 0.1, 300


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be explained: a candidate against a base, on a split or case set, with at most so many variants.

    The smallest difference has to do on the cases ``beside`` as well, if there are any.  ``fresh`` is the secret of
    those that have no part in finding it; empty: there are none.  ``searched``: the search saw ``cases``.
    """

    number: int
    source: str
    base: Base
    cases: str
    beside: str = ""
    fresh: str = ""
    searched: bool = False
    tolerance: float = TOLERANCE
    evaluations: int = EVALUATIONS
