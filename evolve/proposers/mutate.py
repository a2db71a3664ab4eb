"""Offline mutation: small edits of a good policy's syntax tree, spliced into its text, with no model.

One proposer in three styles: ``mutate`` makes a few edits, ``simplify`` only takes away, and ``leap`` makes many at
once where small steps have led nowhere for long.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from evolve.archives import Archive
from evolve.proposers import ONLY, Way
from evolve.proposers.syntax import expressions, statements
from evolve.proposers.syntax.anatomy import Anatomy
from evolve.proposers.syntax.material import Material
from evolve.proposers.syntax.soundness import accepted, size, sound
from evolve.proposers.syntax.splice import Edit
from evolve.proposers.syntax.stock import Stock
from evolve.types import Candidate, Miss, Proposal

__all__ = ["LEAP", "MUTATE", "OPERATORS", "SIMPLIFY", "Mutate", "Operator", "Style", "accepted"]

Operator = Callable[[Material], Edit | None]

OPERATORS: tuple[tuple[Operator, float], ...] = (
    (expressions.constant, 2.0),
    (expressions.comparison, 1.5),
    (expressions.arithmetic, 0.5),
    (expressions.negate, 0.5),
    (expressions.condition, 1.5),
    (expressions.term, 3.0),
    (expressions.scale, 1.5),
    (expressions.limit, 0.5),
    (expressions.name, 0.5),
    (expressions.string, 1.0),
    (expressions.graft, 1.5),
    (expressions.choice, 0.5),
    (expressions.simplify, 1.5),
    (statements.drop, 2.0),
    (statements.swap, 1.0),
    (statements.guard, 2.0),
    (statements.transplant, 1.0),
)
_LESS: tuple[tuple[Operator, float], ...] = (
    (expressions.simplify, 3.0),
    (statements.drop, 2.0),
    (statements.flatten, 1.0),
)
_ATTEMPTS = 60
_SPARE = 2  # operators asked for each edit wanted


@dataclass(frozen=True, slots=True)
class Style:
    """How a mutant differs from its parent.

    It has ``least`` to ``most`` edits, each one more with the chance ``another``.  Where ``shorter``, its syntax tree
    has fewer nodes.  It is offered from ``patience`` candidates without progress on.
    """

    name: str
    operators: tuple[tuple[Operator, float], ...] = OPERATORS
    least: int = 1
    most: int = 3
    another: float = 0.5
    shorter: bool = False
    patience: int = 0


MUTATE = Style("mutate")
SIMPLIFY = Style("simplify", _LESS, shorter=True)
LEAP = Style("leap", least=4, most=8, another=0.7, patience=25)


class Mutate:
    """Proposes policies that differ from a member of the archive by some edits.

    Every proposal parses and compiles, has its parent's signatures, and differs from it after
    normalisation.  Donors of expressions and statements are other members and all baselines.
    """

    trouble = ""

    def __init__(self, style: Style = MUTATE, stock: Stock | None = None) -> None:
        self.name = style.name
        self._style = style
        self._operators = [operator for operator, _ in style.operators]
        self._weights = [weight for _, weight in style.operators]
        self._stock = Stock() if stock is None else stock

    def ways(self, idle: int) -> Mapping[Way, float]:
        return {ONLY: 1.0} if idle >= self._style.patience else {}

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Proposal | None:  # noqa: ARG002
        """Returns a mutant of the parent, or None when none was found."""
        policy = self._stock.anatomy(parent.proposal.source)
        if policy is None:
            return None
        material = Material(policy, self._stock.donors(archive, parent, rng), rng)
        for _ in range(_ATTEMPTS):
            found = self._edits(material)
            source = policy.text.apply(edit for _, edit in found)
            if self._fits(policy, source):
                operators = "+".join(dict.fromkeys(name for name, _ in found))
                why = "; ".join(edit.why for _, edit in found)
                return Proposal(source, self.name, operators, (parent.number,), why)
        return None

    def hear(self, _: str, /) -> None:
        """Words mean nothing to it."""

    def recall(self, _: Proposal | Miss, /) -> None:
        """Forgets at once: no question depends on those before it."""

    def tell(self, told: Candidate | Miss, /) -> None:
        """Learns the baselines, which may lend their parts to every policy."""
        self._stock.tell(told)

    def _fits(self, policy: Anatomy, source: str) -> bool:
        tree = sound(policy, source)
        return tree is not None and not (self._style.shorter and size(tree) >= size(policy.tree))

    def _edits(self, material: Material) -> list[tuple[str, Edit]]:
        """Returns operators' names and their edits, which do not overlap; none where too few were found."""
        style, edits = self._style, list[tuple[str, Edit]]()
        wanted = style.least
        while wanted < style.most and material.rng.random() < style.another:
            wanted += 1
        for operator in material.rng.choices(self._operators, self._weights, k=_SPARE * wanted):
            edit = operator(material) if len(edits) < wanted else None
            if edit is not None and not any(edit.overlaps(other) for _, other in edits):
                edits.append((operator.__name__, edit))
        return edits if len(edits) >= style.least else []
