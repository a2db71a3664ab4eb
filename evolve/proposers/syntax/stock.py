"""The policies that embedded proposers take apart, and the baselines, which lend their parts to every policy."""

from collections import OrderedDict
from collections.abc import Sequence
from random import Random

from evolve import normal
from evolve.archives import Archive
from evolve.proposers.syntax.anatomy import Anatomy
from evolve.types import Candidate, Miss, Verdict

_REMEMBERED = 128


class Stock:
    """Takes each policy apart once, as long as it is among those asked for last; several proposers may share it."""

    def __init__(self) -> None:
        self._baselines: dict[int, Candidate] = {}
        self._anatomies: OrderedDict[str, Anatomy | None] = OrderedDict()

    @property
    def baselines(self) -> Sequence[Candidate]:
        """The baselines that have a score."""
        return list(self._baselines.values())

    def tell(self, told: Candidate | Miss) -> None:
        """Learns the baselines; hearing of one again changes nothing."""
        if isinstance(told, Miss) or told.proposal.proposer != "baseline":
            return
        if told.evaluation.verdict is Verdict.OK:
            self._baselines[told.number] = told

    def anatomy(self, source: str) -> Anatomy | None:
        """Returns the parts of a policy, or None where it cannot be taken apart."""
        if source not in self._anatomies:
            self._anatomies[source] = _taken_apart(source)
            if len(self._anatomies) > _REMEMBERED:
                self._anatomies.popitem(last=False)
        self._anatomies.move_to_end(source)
        return self._anatomies[source]

    def donors(self, archive: Archive, parent: Candidate, rng: Random) -> list[Anatomy]:
        """Returns two other members of the archive and all baselines, as far as they can be taken apart."""
        lenders = [*archive.inspirations(parent, 2, rng), *self._baselines.values()]
        found = (self.anatomy(lender.proposal.source) for lender in lenders)
        return [anatomy for anatomy in found if anatomy is not None]


def _taken_apart(source: str) -> Anatomy | None:
    try:
        return Anatomy(source)
    except normal.SourceError:
        return None
