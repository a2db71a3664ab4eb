"""Offline crossover: parts of one good policy put into the same place of another, with no model.

Crossover of syntax trees (Cramer 1985; Koza 1992), homologous where it can be: parts change places with those that
play the same role, as in one-point and uniform crossover of trees (Poli & Langdon 1998).
"""

from collections.abc import Mapping
from random import Random

from evolve.archives import Archive
from evolve.proposers import ONLY, Way
from evolve.proposers.syntax import exchange
from evolve.proposers.syntax.anatomy import Anatomy
from evolve.proposers.syntax.exchange import Pair
from evolve.proposers.syntax.scope import unresolved
from evolve.proposers.syntax.soundness import sound
from evolve.proposers.syntax.stock import Stock
from evolve.types import Candidate, Miss, Proposal

EXCHANGES = (exchange.uniform, exchange.expression, exchange.branch, exchange.function)
WEIGHTS = (4.0, 1.0, 1.0, 2.0)
_ATTEMPTS = 12
_BASELINE = 0.25
"""How often the second parent is a baseline, whether or not the archive still holds it."""


class Crossover:
    """Proposes policies that have most parts of one parent and some of another.

    Every proposal parses and compiles, has its first parent's signatures, reads no name that nothing
    binds, and differs from both parents after normalisation.
    """

    name = "crossover"
    trouble = ""

    def __init__(self, stock: Stock | None = None) -> None:
        self._stock = Stock() if stock is None else stock

    def ways(self, idle: int) -> Mapping[Way, float]:  # noqa: ARG002
        return {ONLY: 1.0}

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Proposal | None:  # noqa: ARG002
        """Returns a child of the parent and another candidate, or None when none was found."""
        ours = self._stock.anatomy(parent.proposal.source)
        if ours is None:
            return None
        for _ in range(_ATTEMPTS):
            other = self._other(parent, archive, rng)
            theirs = None if other is None else self._stock.anatomy(other.proposal.source)
            if other is None or theirs is None or theirs.key == ours.key:
                continue
            exchanged = rng.choices(EXCHANGES, WEIGHTS)[0]
            edits = exchanged(Pair(ours, theirs, rng))
            source = ours.text.apply(edits)
            if _viable(ours, theirs, source):
                why = "; ".join(edit.why for edit in edits)
                return Proposal(source, self.name, exchanged.__name__, (parent.number, other.number), why)
        return None

    def hear(self, _: str, /) -> None:
        """Words mean nothing to it."""

    def recall(self, _: Proposal | Miss, /) -> None:
        """Forgets at once: no question depends on those before it."""

    def tell(self, told: Candidate | Miss, /) -> None:
        """Learns the baselines, with which every policy may be crossed."""
        self._stock.tell(told)

    def _other(self, parent: Candidate, archive: Archive, rng: Random) -> Candidate | None:
        baselines = [known for known in self._stock.baselines if known.number != parent.number]
        if baselines and rng.random() < _BASELINE:
            return rng.choice(baselines)
        members = archive.inspirations(parent, 1, rng)
        return members[0] if members else None


def _viable(ours: Anatomy, theirs: Anatomy, source: str) -> bool:
    tree = sound(ours, source, theirs)
    return tree is not None and unresolved(tree) <= ours.unresolved
