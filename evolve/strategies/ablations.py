"""The default without some of its mechanisms, or with others, so that each has to show what it is worth."""

import difflib
from collections.abc import Collection

from evolve.archives.islands import Part
from evolve.strategies import BANDIT, HELPFUL, RACING, Strategy, embedded
from evolve.types import EvolveError

WITHOUT, WITH = "default-without-", "default-with-"


class Varied(Strategy):
    """The default but for some mechanisms, as its name says: ``default-without-X+Y`` or ``default-with-X+Y``.

    Raises:
        EvolveError: there is no such mechanism, the default lacks or has it as it is, or nobody would propose.
    """

    def __init__(self, name: str) -> None:
        prefix = WITHOUT if name.startswith(WITHOUT) else WITH
        named = name.removeprefix(prefix).split("+")
        known = HELPFUL if prefix == WITHOUT else frozenset(mechanisms()) - HELPFUL
        for mechanism in named:
            _insist_on(mechanism, known, prefix)
        self.name = prefix + "+".join(mechanism for mechanism in mechanisms() if mechanism in named)
        self.parts = HELPFUL.symmetric_difference(named)
        if not self.arms():
            raise EvolveError(f"{self.name} has no proposer left; leave one of them in")


def mechanisms() -> list[str]:
    """Returns the names of all that a strategy can have or do without."""
    return [*map(str, Part), BANDIT, RACING, *(arm.proposer.name for arm in embedded())]


def _insist_on(mechanism: str, known: Collection[str], prefix: str) -> None:
    if mechanism in known:
        return
    if mechanism in mechanisms():
        other = WITH if prefix == WITHOUT else WITHOUT
        raise EvolveError(f"{prefix}{mechanism} is the default itself; there is {other}{mechanism}")
    close = difflib.get_close_matches(mechanism, known, 1)
    hint = f"did you mean {prefix}{close[0]}? " if close else ""
    there_are = ", ".join(name for name in mechanisms() if name in known)
    raise EvolveError(f"there is no mechanism {mechanism!r}; {hint}{prefix}... knows: {there_are or 'none'}")
