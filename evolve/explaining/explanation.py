"""An explanation: what a found policy owes its worth to, on cases that anyone may see."""

from collections.abc import Mapping
from dataclasses import dataclass

from evolve.explaining.by_case import ByCase
from evolve.explaining.scores import Scores
from evolve.explaining.trim import Idle
from evolve.explaining.worth import Worth
from evolve.robustness import Setting


@dataclass(frozen=True, slots=True)
class Size:
    """Of a difference: lines removed and added, and words of them that are not the same before and after."""

    removed: int
    added: int
    words: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found out of a policy.

    ``gain`` is how many times better it is than the base.  ``lead`` is how many times better it is than the ``rival``,
    the best of the baselines that it beats, or the base where it does not beat that; ``lead_kept`` the share of the
    lead, of logarithms, that the smallest difference keeps; None where there is none.

    ``scores`` are by split or case set, those on fresh cases among them, drawn from the secret ``fresh``; ``searched``:
    the search saw those of ``cases``.  ``comments`` is the part of the difference that is no code.  ``noisy``: the
    objective is measured, and never twice the same.  ``exhausted``: ``most`` variants were too few to try everything.
    ``note`` says what kept the smallest difference from being any smaller than all of it.
    """

    problem: str
    number: int
    base: str
    cases: str
    number_of_cases: int
    searched: bool
    noisy: bool
    unsafe: bool
    tolerance: float
    gain: float | None
    rival: str
    lead: float | None
    lead_kept: float | None
    scores: Mapping[str, Scores]
    fresh: str
    whole: Size
    smallest: Size
    comments: Size
    hunks: tuple[Worth, ...]
    dead: tuple[Idle, ...]
    constants: tuple[Idle, ...]
    evaluations: int
    most: int
    exhausted: bool
    note: str
    by_case: ByCase
    conditions: tuple[Setting, ...]
    policy_sha256: str
    minimised_sha256: str
    base_source: str
    policy: str
    minimised: str
