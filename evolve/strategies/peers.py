"""What every search is compared with at equal budget: best-of-N, sequential refinement, and a random walk.

All have the embedded proposers of the default with their fixed weights: no bandit, no racing.
"""

from collections.abc import Sequence
from dataclasses import replace

from evolve.archives import Archive
from evolve.archives.grid import Describe
from evolve.archives.islands import undescribed
from evolve.archives.plain import Latest, Reservoir, Starts
from evolve.proposers.deaf import Deaf
from evolve.search import Arm
from evolve.strategies import BANDIT, HELPFUL, RACING, Strategy

PLAIN = HELPFUL - {BANDIT, RACING}
"""What the peers have of the default, but for its archive."""


class BestOfN(Strategy):
    """N independent proposals, each made from the best baseline; nothing is learned from what became of them."""

    name = "best-of-n"
    parts = PLAIN

    def archive(self, describe: Describe = undescribed) -> Archive:  # noqa: ARG002
        """Returns one that keeps the baselines alone."""
        return Starts()

    def arms(self) -> Sequence[Arm]:
        """Returns the proposers of the default, who hear of nothing."""
        return [_deaf(arm) for arm in super().arms()]

    def asking(self, models: Arm) -> Arm:
        """Returns the one that asks models, who hears of nothing either."""
        return _deaf(models)


def _deaf(arm: Arm) -> Arm:
    return replace(arm, proposer=Deaf(arm.proposer))


class Sequential(Strategy):
    """Sequential refinement: every proposal is made from the best so far, of equals from the latest.

    To go on from the latest of equals is what crosses plateaus (Jansen & Wegener 2001).
    """

    name = "sequential"
    parts = PLAIN

    def archive(self, describe: Describe = undescribed) -> Archive:  # noqa: ARG002
        """Returns one that offers the best alone."""
        return Latest()


class Anyone(Strategy):
    """Every proposal is made from a candidate drawn from all before it that have a score, each as likely."""

    name = "random"
    parts = PLAIN

    def archive(self, describe: Describe = undescribed) -> Archive:  # noqa: ARG002
        """Returns a sample of all."""
        return Reservoir()
