"""What a policy is judged by: an objective, and the constraints that it must keep besides."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["minimize", "maximize"]
DIRECTIONS = ("minimize", "maximize")


@dataclass(frozen=True, slots=True)
class Constraint:
    """What must hold besides the objective, such as a balance that must not suffer for the sake of speed.

    On each case the metric's ratio to the reference is taken, turned so that larger is better.  The geometric mean
    over the cases must be at least ``least``, or the policy is INVALID.
    """

    metric: str
    direction: Direction
    least: float

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS or not 0 < self.least <= 1:
            raise ValueError(
                f"a constraint asks to minimize or maximize {self.metric!r} and for a ratio to the reference above 0 "
                f"and at most 1, which the reference meets; got {self.direction!r} and {self.least!r}"
            )


@dataclass(frozen=True, slots=True)
class Objective:
    """One of several things that a problem may be judged by; what each field means is said at ``Problem``'s."""

    metric: str
    direction: Direction = "minimize"
    floor: float = 0.0
    timed: bool = False
    constraints: tuple[Constraint, ...] = ()
