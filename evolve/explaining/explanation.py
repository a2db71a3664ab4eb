"""An explanation: what a found policy owes its worth to, on cases that anyone may see."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from evolve.explaining.by_case import ByCase
from evolve.explaining.trim import Idle
from evolve.explaining.worth import Worth
from evolve.robustness import Setting


@dataclass(frozen=True, slots=True)
class Three:
    """The same of the base, the policy and the policy with the smallest difference; None where there is none."""

    base: float | None
    policy: float | None
    minimised: float | None

    @property
    def kept(self) -> float | None:
        """The share of the gain that the smallest difference keeps, of logarithms; None where there is no gain."""
        if self.base is None or self.policy is None or self.minimised is None or self.policy <= self.base:
            return None
        return math.log(self.minimised / self.base) / math.log(self.policy / self.base)


@dataclass(frozen=True, slots=True)
class Size:
    """Lines of a difference."""

    removed: int
    added: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found out of a policy.

    ``gain`` is how many times better it is than the base, ``gain_kept`` the share of that, of logarithms, that the
    smallest difference keeps; None where there is none.  ``scores`` are by split or case set; ``searched``: the search
    saw those of ``cases``.  ``comments`` is the part of the difference that is no code.  ``noisy``: the objective is
    measured, and never twice the same.  ``exhausted``: more than ``most`` variants would have been judged.
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
    gain_kept: float | None
    scores: Mapping[str, Three]
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
