"""The scores of four policies on the same cases, and what is left of the lead of one."""

import math
from dataclasses import dataclass

from evolve.statistics import EQUAL


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores on the same cases: of what the policy is compared with, its strongest rival, itself, its smallest diff."""

    base: float | None
    rival: float | None
    policy: float | None
    minimised: float | None

    @property
    def kept(self) -> float | None:
        """The share of the lead over the rival that the smallest diff keeps, of logarithms; None without a lead."""
        if self.rival is None or self.policy is None or self.minimised is None:
            return None
        if self.policy / self.rival <= 1 + EQUAL:
            return None
        return math.log(self.minimised / self.rival) / math.log(self.policy / self.rival)
