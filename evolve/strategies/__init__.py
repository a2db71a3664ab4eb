"""How a search goes about it: what it builds on, who proposes, and who is asked how often.

A strategy is a small class; `evolve compare` compares them at equal budgets.  Subclass this one, change what is to
differ and give it another name: whatever a method does not say stays as it is by default.
"""

from collections.abc import Sequence

from evolve.archives import Archive
from evolve.archives.grid import Describe
from evolve.archives.islands import Islands, undescribed
from evolve.bandit import Bandit, Chooser
from evolve.proposers.crossover import Crossover
from evolve.proposers.mutate import LEAP, SIMPLIFY, Mutate
from evolve.proposers.syntax.stock import Stock
from evolve.proposers.tune import Tune
from evolve.racing import Racing
from evolve.search import Arm


class Strategy:
    """The default.  Each method is called once a run and returns something new."""

    name = "default"

    def archive(self, describe: Describe = undescribed) -> Archive:
        """Returns what keeps the candidates worth building on, still empty; ``describe`` is ``Problem.descriptors``."""
        return Islands(describe)

    def arms(self) -> Sequence[Arm]:
        """Returns the embedded proposers with their weights."""
        stock = Stock()
        return (
            Arm(Mutate(stock=stock), 2.0),
            Arm(Crossover(stock=stock), 1.5),
            Arm(Tune(), 1.5),
            Arm(Mutate(SIMPLIFY, stock), 0.1),
            Arm(Mutate(LEAP, stock), 0.2),
        )

    def chooser(self) -> Chooser:
        """Returns what chooses among the proposers."""
        return Bandit()

    def racing(self) -> Racing | None:
        """Returns what stops policies early; None: all are judged in full."""
        return Racing()


DEFAULT = Strategy()
