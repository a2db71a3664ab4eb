"""How a search goes about it: what it builds on, who proposes, and who is asked how often.

A strategy is a small class; `evolve compare` compares them at equal budgets.  Subclass this one, change what is to
differ and give it another name: whatever a method does not say stays as it is by default.
"""

from collections.abc import Collection, Sequence

from evolve.archives import Archive
from evolve.archives.grid import Describe
from evolve.archives.islands import Islands, Part, undescribed
from evolve.bandit import Bandit, Chooser, Fixed
from evolve.proposers.crossover import Crossover
from evolve.proposers.mutate import LEAP, SIMPLIFY, Mutate
from evolve.proposers.syntax.stock import Stock
from evolve.proposers.tune import Tune
from evolve.racing import Racing
from evolve.search import Arm

BANDIT, RACING = "bandit", "racing"

HELPFUL = frozenset((Part.LEAD, Part.ISLANDS, Part.NICHES, Part.PARETO, BANDIT, "mutate", "tune"))
"""The mechanisms that the default has: those that have not shown themselves to be of no use (see README.md)."""


class Strategy:
    """The default.  Each method is called once a run and returns something new.

    ``parts`` names the mechanisms that it has: parts of the archive, the bandit, racing, and embedded proposers.
    """

    name = "default"
    digest = ""  # of the file that it came from, where that is a user's
    parts: Collection[str] = HELPFUL

    @property
    def identity(self) -> str:
        """What a run must have in common with itself when it is resumed."""
        return f"{self.name} {self.digest}".strip()

    def archive(self, describe: Describe = undescribed) -> Archive:
        """Returns what keeps the candidates worth building on, still empty; ``describe`` is ``Problem.descriptors``."""
        return Islands(describe, parts=[part for part in Part if part in self.parts])

    def arms(self) -> Sequence[Arm]:
        """Returns the embedded proposers with their weights."""
        return [arm for arm in embedded() if arm.proposer.name in self.parts]

    def asking(self, models: Arm) -> Arm:
        """Returns the proposer that asks models, as this strategy has it."""
        return models

    def chooser(self) -> Chooser:
        """Returns what chooses among the proposers."""
        return Bandit() if BANDIT in self.parts else Fixed()

    def racing(self) -> Racing | None:
        """Returns what stops policies early; None: all are judged in full."""
        return Racing() if RACING in self.parts else None


def embedded() -> Sequence[Arm]:
    """Returns all proposers that need no model, with their weights."""
    stock = Stock()
    return (
        Arm(Mutate(stock=stock), 2.0),
        Arm(Crossover(stock=stock), 1.5),
        Arm(Tune(), 1.5),
        Arm(Mutate(SIMPLIFY, stock), 0.1),
        Arm(Mutate(LEAP, stock), 0.2),
    )


DEFAULT = Strategy()
