"""Offline mutation: small edits of a good policy's syntax tree, spliced into its text, with no model."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from random import Random

from evolve import normal
from evolve.archives import Archive
from evolve.proposers import ONLY, Way
from evolve.proposers.syntax import expressions, statements
from evolve.proposers.syntax.anatomy import Anatomy, signatures
from evolve.proposers.syntax.material import Material
from evolve.proposers.syntax.splice import Edit
from evolve.source import insist_on_compiling
from evolve.types import Candidate, Miss, Proposal, Verdict

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
_MOST_EDITS = 3
_ANOTHER = 0.5  # chance of one more edit
_ATTEMPTS = 60
_REMEMBERED = 128


class Mutate:
    """Proposes policies that differ from a member of the archive by one to three small edits.

    Every proposal parses and compiles, has its parent's signatures, and differs from it after
    normalisation.  Donors of expressions and statements are other members and all baselines.
    """

    name = "mutate"
    trouble = ""

    def __init__(self, operators: tuple[tuple[Operator, float], ...] = OPERATORS) -> None:
        self._operators = [operator for operator, _ in operators]
        self._weights = [weight for _, weight in operators]
        self._baselines: list[str] = []
        self._anatomies: OrderedDict[str, Anatomy] = OrderedDict()

    def ways(self, idle: int) -> Mapping[Way, float]:  # noqa: ARG002
        return {ONLY: 1.0}

    def propose(self, parent: Candidate, archive: Archive, rng: Random, way: Way) -> Proposal | None:  # noqa: ARG002
        """Returns a mutant of the parent, or None when none was found."""
        try:
            policy = self._anatomy(parent.proposal.source)
        except normal.SourceError:
            return None
        material = Material(policy, self._donors(archive, parent, rng), rng)
        for _ in range(_ATTEMPTS):
            edits = self._edits(material)
            source = policy.text.apply(edits.values()) if edits else policy.source
            if accepted(policy, source):
                why = "; ".join(edit.why for edit in edits.values())
                return Proposal(source, self.name, "+".join(edits), (parent.number,), why)
        return None

    def recall(self, _: Proposal | Miss, /) -> None:
        """Forgets at once: no question depends on those before it."""

    def tell(self, told: Candidate | Miss, /) -> None:
        """Learns the baselines, which may lend their parts to every policy."""
        if isinstance(told, Miss) or told.proposal.proposer != "baseline":
            return
        if told.evaluation.verdict is Verdict.OK:
            self._baselines.append(told.proposal.source)

    def _edits(self, material: Material) -> dict[str, Edit]:
        """Returns edits by operator that do not overlap; possibly none."""
        edits: dict[str, Edit] = {}
        wanted = 1
        while wanted < _MOST_EDITS and material.rng.random() < _ANOTHER:
            wanted += 1
        for operator in material.rng.choices(self._operators, self._weights, k=wanted):
            edit = operator(material)
            if edit is not None and not any(edit.overlaps(other) for other in edits.values()):
                edits.setdefault(operator.__name__, edit)
        return edits

    def _donors(self, archive: Archive, parent: Candidate, rng: Random) -> list[Anatomy]:
        members = [member.proposal.source for member in archive.inspirations(parent, 2, rng)]
        found = []
        for source in [*members, *self._baselines]:
            try:
                found.append(self._anatomy(source))
            except normal.SourceError:
                continue
        return found

    def _anatomy(self, source: str) -> Anatomy:
        if source not in self._anatomies:
            self._anatomies[source] = Anatomy(source)
            if len(self._anatomies) > _REMEMBERED:
                self._anatomies.popitem(last=False)
        self._anatomies.move_to_end(source)
        return self._anatomies[source]


def accepted(parent: Anatomy, source: str) -> bool:
    """Returns whether a mutant compiles, has its parent's signatures and differs from it."""
    if source == parent.source:
        return False
    try:
        tree = normal.parse(source)
        if normal.digest(tree) == parent.key or signatures(tree) != parent.signatures:
            return False
        insist_on_compiling(tree, source)
    except normal.SourceError:
        return False
    return True
