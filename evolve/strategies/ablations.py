"""The default without some of its mechanisms, so that each has to show what it is worth."""

import difflib
from collections.abc import Sequence

from evolve.archives import Archive
from evolve.archives.grid import Describe
from evolve.archives.islands import Islands, undescribed
from evolve.bandit import Chooser, Fixed
from evolve.racing import Racing
from evolve.search import Arm
from evolve.strategies import DEFAULT, Strategy
from evolve.types import EvolveError

PREFIX = "default-without-"

BANDIT, RACING = "bandit", "racing"

SWITCHES = ("lead", "islands", "niches", "pareto", "migration", "sparing")
"""Parts of ``Islands`` that can be turned off, by the names of its parameters."""


class Without(Strategy):
    """The default without some mechanisms: a proposer by its name, or a part of the archive or of the choice.

    Raises:
        EvolveError: the default has no such mechanism, or nobody would propose.
    """

    def __init__(self, *lacking: str) -> None:
        for mechanism in lacking:
            _insist_on(mechanism)
        self._lacking = frozenset(lacking)
        self.name = PREFIX + "+".join(lacking)
        if not self.arms():
            raise EvolveError(f"{self.name} has no proposer left; leave one of them in")

    def archive(self, describe: Describe = undescribed) -> Archive:
        """Returns the archive of the default with parts turned off."""
        on = {part: part not in self._lacking for part in SWITCHES}
        if all(on.values()):
            return super().archive(describe)
        return Islands(
            describe,
            lead=on["lead"],
            islands=on["islands"],
            niches=on["niches"],
            pareto=on["pareto"],
            migration=on["migration"],
            sparing=on["sparing"],
        )

    def arms(self) -> Sequence[Arm]:
        """Returns the proposers that are left, with their weights."""
        return [arm for arm in super().arms() if arm.proposer.name not in self._lacking]

    def chooser(self) -> Chooser:
        """Returns the chooser of the default, or one that learns nothing."""
        return Fixed() if BANDIT in self._lacking else super().chooser()

    def racing(self) -> Racing | None:
        """Returns what stops policies early, or nothing."""
        return None if RACING in self._lacking else super().racing()


def mechanisms() -> list[str]:
    """Returns the names of all that the default can do without."""
    return [*SWITCHES, BANDIT, RACING, *(arm.proposer.name for arm in DEFAULT.arms())]


def _insist_on(mechanism: str) -> None:
    known = mechanisms()
    if mechanism not in known:
        close = difflib.get_close_matches(mechanism, known, 1)
        hint = f"did you mean {PREFIX}{close[0]}? " if close else ""
        raise EvolveError(f"the default has no mechanism {mechanism!r}; {hint}there are: {', '.join(known)}")
