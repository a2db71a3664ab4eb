"""Which proposer is asked, and in which way: those more often that have led to more for what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from evolve.proposers import Way


class Lever(NamedTuple):
    """What a chooser can pull: a proposer's name and one of its ways."""

    proposer: str
    way: Way


@dataclass(frozen=True, slots=True)
class Yield:
    """What became of a turn.

    ``reward`` lies between 0 (of no use) and 1 (a new best); ``cases`` counts simulations, ``tokens`` what models read
    and wrote.  Seconds do not count, for a run is to be the same on a busy machine.
    """

    reward: float
    cases: int
    tokens: int


class Chooser(Protocol):
    """Chooses a lever for each turn.  It depends on nothing but ``rng`` and what it was told."""

    def choose(self, weights: Mapping[Lever, float], rng: Random) -> Lever:
        """Returns one of the levers, of which there is at least one; by their weights while nothing is known."""

    def tell(self, lever: Lever, yielded: Yield) -> None:
        """Learns what a lever has led to."""


class Fixed:
    """Chooses by the weights alone."""

    def choose(self, weights: Mapping[Lever, float], rng: Random) -> Lever:
        """Returns a lever as often as its weight says."""
        return rng.choices(list(weights), list(weights.values()))[0]

    def tell(self, lever: Lever, yielded: Yield) -> None:
        """Nothing to learn."""
