"""What a mutation is made of: a policy, the donors it may take from, and small expressions in scope."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import NamedTuple

from evolve.proposers.syntax import donors
from evolve.proposers.syntax.anatomy import Anatomy, Function, Place, Reference, Site
from evolve.proposers.syntax.constants import written
from evolve.proposers.syntax.kinds import Kind, label
from evolve.proposers.syntax.splice import ATOM, COMPARISON, NOT, PRODUCT, SUM, wrapped

COMPARISONS = ("<", "<=", ">", ">=")
_ROOT = re.compile(r"\w+")
_OPERATOR = re.compile(r" [-+*/] ")
_INDEX = re.compile(r"\[(\d+)\]$")
_FACTORS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2, 2, 3, 3, 4, 5, 6, 10)
_AMOUNTS = (0, 1, 1, 2, 3, 0.5, 5, 10)


class Expression(NamedTuple):
    """Code of an expression and how tightly its outermost operator binds."""

    text: str
    binding: int

    def within(self, least: int) -> str:
        """Returns the code for a place that needs a binding of at least ``least``."""
        return wrapped(self.text, self.binding, least)


@dataclass
class Material:
    """One policy on the bench, with the other policies whose parts may be used."""

    policy: Anatomy
    others: Sequence[Anatomy]
    rng: Random
    _readable: dict[tuple[Function, frozenset[str]], list[Reference]] = field(default_factory=dict)
    _places: dict[Callable[[Place, Anatomy], bool], list[Place]] = field(default_factory=dict)

    @cached_property
    def donors(self) -> list[Anatomy]:
        """The policy itself and the others."""
        return [self.policy, *self.others]

    def places(self, suits: Callable[[Place, Anatomy], bool]) -> list[Place]:
        """Returns the statements of the policy that suit; each is looked at once for all mutations."""
        if suits not in self._places:
            self._places[suits] = [place for place in self.policy.places if suits(place, self.policy)]
        return self._places[suits]

    def readable(self, place: Site | Place) -> list[Reference]:
        """Returns what its function, and those of the same name elsewhere, read and is bound at a place."""
        where = (place.function, place.bound)
        if where not in self._readable:
            names, found = place.bound | self.policy.module_names, dict[str, Reference]()
            for reference in self._known(place.function):
                if reference.needs <= names and (reference.kind is not Kind.UNKNOWN or reference.text not in found):
                    found[reference.text] = reference
            self._readable[where] = [*found.values(), *_neighbours(found)]
        return self._readable[where]

    def _known(self, function: Function) -> Iterator[Reference]:
        peers = [theirs for donor in self.others for theirs in donor.functions if theirs.call == function.call]
        for theirs in peers if function.call else ():
            yield from _translated(theirs, function)
        yield from function.references.values()
        yield from _ignored_by_all([function, *peers])

    def reference(self, place: Site | Place, kind: Kind, besides: str | None = None) -> str | None:
        """Returns a reference of a kind that is bound at a place."""
        texts = [known.text for known in self.readable(place) if known.kind is kind and known.text != besides]
        return self.rng.choice(texts) if texts else None

    def quantity(self, place: Site | Place) -> Expression:
        """Returns a small numeric expression: something in scope, a multiple, a difference or a constant."""
        one, draw = self.reference(place, Kind.NUMBER), self.rng.random()
        if one is None or draw < 0.08:
            return Expression(written(self._amount()), ATOM)
        if draw < 0.5:
            return Expression(one, ATOM)
        if draw < 0.8:
            return Expression(f"{written(self.rng.choice(_FACTORS))} * {one}", PRODUCT)
        return self._combined(one, self.reference(place, Kind.NUMBER, besides=one))

    def _combined(self, one: str, two: str | None) -> Expression:
        if two is None:
            return Expression(one, ATOM)
        operator = self.rng.choice("+---*/")
        return Expression(f"{one} {operator} {two}", SUM if operator in "+-" else PRODUCT)

    def _amount(self) -> float:
        amounts = [*_AMOUNTS, *(self._value(site) for site in self.policy.numbers)]
        return self.rng.choice(amounts)

    @staticmethod
    def _value(site: Site) -> float:
        value: float = ast.literal_eval(site.node)
        return value

    def condition(self, place: Site | Place) -> Expression | None:
        """Returns a condition: one that some policy uses, a comparison of quantities, of strings, or a boolean."""
        draw = self.rng.random()
        if draw < 0.3:
            return self.borrowed(place, Kind.BOOLEAN)
        if draw < 0.45:
            return self._flag(place)
        return self._identity(place) if draw < 0.6 else self._comparison(place)

    def _flag(self, place: Site | Place) -> Expression | None:
        flag = self.reference(place, Kind.BOOLEAN)
        if flag is None:
            return self._comparison(place)
        return Expression(flag, ATOM) if self.rng.random() < 0.5 else Expression(f"not {flag}", NOT)

    def _identity(self, place: Site | Place) -> Expression | None:
        name = self.reference(place, Kind.STRING)
        values = [] if name is None else self.strings(name)
        if not values:
            return self._comparison(place)
        operator = self.rng.choice(("==", "==", "!="))
        return Expression(f"{name} {operator} {self.rng.choice(values)}", COMPARISON)

    def _comparison(self, place: Site | Place) -> Expression | None:
        left, right = self.quantity(place), self.quantity(place)
        if not self._can_differ(place, left.text, right.text):
            return None
        return Expression(f"{left.text} {self.rng.choice(COMPARISONS)} {right.text}", COMPARISON)

    def _can_differ(self, place: Site | Place, left: str, right: str) -> bool:
        """Returns whether a comparison of two quantities reads anything, and not the same on both sides."""
        read = [tuple(text for text in _parts(side) if not text.isupper()) for side in (left, right)]
        local = place.bound - self.policy.module_names
        return read[0] != read[1] and any(text.split("[")[0].split(".")[0] in local for side in read for text in side)

    def borrowed(self, place: Site | Place, kind: Kind) -> Expression | None:
        """Returns an expression of a kind, more than a constant, that this or another policy uses."""
        donor = self.rng.choice(self.donors)
        sites = [site for site in donor.by_kind[kind] if not isinstance(site.node, ast.Constant)]
        if not sites:
            return None
        return self.fitted(donor, self.rng.choice(sites), place)

    def fitted(self, donor: Anatomy, site: Site, place: Site | Place) -> Expression | None:
        """Returns a donor's expression as it can stand at a place, or None."""
        found = donors.expression(donor, site, self.policy, place)
        return None if found is None else Expression(*found)

    def value(self, place: Site | Place, kind: Kind) -> Expression | None:
        """Returns an expression of a kind for a place."""
        if self.rng.random() < 0.3:
            return self.borrowed(place, kind)
        if kind is Kind.NUMBER:
            return self.quantity(place)
        if kind is Kind.BOOLEAN:
            return self.condition(place)
        text = self.reference(place, kind)
        return None if text is None else Expression(text, ATOM)

    def strings(self, role: str) -> list[str]:
        """Returns the string constants, as code, that policies use in a role (see ``role``)."""
        found = {
            donor.text.of(site.node): None
            for donor in self.donors
            for site in donor.by_kind[Kind.STRING]
            if isinstance(site.node, ast.Constant) and role_of(site) == role
        }
        return [text for text in found if "\n" not in text]


def _parts(quantity: str) -> list[str]:
    """Returns the references in a small expression, as they are written."""
    return [part for part in _OPERATOR.split(quantity) if not part[:1].isdigit()]


def role_of(site: Site) -> str | None:
    """Returns what a string constant is for: the reference that it is compared with, "=" for a value, or None."""
    parent = site.parent
    if isinstance(parent, ast.Compare):
        sides = [parent.left, *parent.comparators]
        return next((text for text in map(label, sides) if text is not None), None)
    return "=" if isinstance(parent, ast.Return | ast.Assign | ast.IfExp) else None


def _translated(theirs: Function, ours: Function) -> Iterator[Reference]:
    """Yields what another policy's function reads of its arguments, such as ``argument["item"]``, in our names."""
    names = dict(zip(theirs.positional, ours.positional, strict=False))
    for reference in theirs.references.values():
        root = _ROOT.match(reference.text)
        if root is not None and root[0] in names and not (reference.needs - {root[0]}) & set(theirs.parameters):
            rest = reference.text[root.end() :]
            needs = reference.needs - {root[0]} | {names[root[0]]}
            yield Reference(names[root[0]] + rest, reference.kind, needs)


def _ignored_by_all(functions: list[Function]) -> Iterator[Reference]:
    """Yields the arguments that nobody reads: nothing says what they are, so they are tried as numbers."""
    for position, name in enumerate(functions[0].positional):
        if all(name in peer.ignored for peer in functions for name in peer.positional[position : position + 1]):
            yield Reference(name, Kind.NUMBER, frozenset({name}))


def _neighbours(known: dict[str, Reference]) -> Iterator[Reference]:
    """Yields ``x[1]`` where ``x[0]`` is known: the other fields of a record."""
    for reference in known.values():
        index = _INDEX.search(reference.text)
        for other in () if index is None else (int(index[1]) + 1, int(index[1]) - 1):
            text = _INDEX.sub(f"[{other}]", reference.text)
            if other >= 0 and text not in known:
                yield Reference(text, reference.kind, reference.needs)
