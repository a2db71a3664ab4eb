"""How a search goes about it: what it builds on, who proposes, and who is asked how often.

A strategy is a small class; `evolve compare` compares them at equal budgets.  Subclass this one, change what is to
differ and give it another name: whatever a method does not say stays as it is by default.
"""

from collections.abc import Sequence

from evolve.archives import Archive
from evolve.archives.lineages import Lineages
from evolve.bandit import Chooser, Fixed
from evolve.proposers.mutate import Mutate
from evolve.proposers.tune import Tune
from evolve.search import Arm


class Strategy:
    """The default.  Each method is called once a run and returns something new."""

    name = "default"

    def archive(self) -> Archive:
        """Returns what keeps the candidates worth building on, still empty."""
        return Lineages()

    def arms(self) -> Sequence[Arm]:
        """Returns the embedded proposers with their weights."""
        return Arm(Mutate(), 3.0), Arm(Tune(), 1.0)

    def chooser(self) -> Chooser:
        """Returns what chooses among the proposers."""
        return Fixed()


DEFAULT = Strategy()
