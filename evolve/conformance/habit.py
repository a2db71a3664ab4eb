"""What the legal decisions of one function have in common, so that a wrong one can be told from another legal one.

Whether a list may lack an element is for the problem to say.  But if every decision of every baseline has
exactly as many elements as something in its question, then one that has fewer is wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evolve.conformance.play import Step
from evolve.conformance.way import Kind, containers, leaves
from evolve.sandbox import wire

MOST_STEPS = 300
"""Decisions that are looked at; a habit that holds so often is one."""


@dataclass(frozen=True, slots=True)
class Habit:
    """What holds for every legal decision seen.

    ``complete``: it has as many elements (or, with its parts, values) as a list of its question; ``distinct``:
    no value comes twice; ``names``: every whole number and text in it is one that the question shows, or an index.
    """

    complete: bool
    distinct: bool
    names: bool

    def breaks(self, kind: Kind) -> bool:
        """Says whether a decision that is wrong in this way is none that baselines would ever take."""
        if kind in (Kind.MISSING, Kind.EXTRA, Kind.EMPTY):
            return self.complete
        if kind is Kind.DUPLICATE:
            return self.complete and self.distinct
        return kind is Kind.UNKNOWN and self.names


def habit(steps: Sequence[Step]) -> Habit:
    """Returns the habit of decisions on one function."""
    seen = [(step.decision, step.arguments()) for step in steps[:: max(1, len(steps) // MOST_STEPS)]]
    return Habit(
        complete=any(all(count(decision) in sizes(asked) for decision, asked in seen) for count in (_size, _values)),
        distinct=all(_distinct(decision) for decision, _ in seen),
        names=all(_named(decision, asked) for decision, asked in seen),
    )


def sizes(arguments: Sequence[Any]) -> set[int]:
    """Returns the sizes of all lists, dicts and arrays in a question, and the whole numbers it consists of."""
    found = {len(item) for path, item in containers(list(arguments)) if path}
    for path, value in leaves(list(arguments)):
        if wire.is_array(value):
            found.update(value.shape)
        elif type(value) is int and (len(path) == 1 or (len(path) == 2 and type(path[1]) is str)):
            found.add(value)  # a number of its own, not one of many
    return found


def _size(decision: Any) -> int:
    """Returns how many elements a decision has; -1, which nothing has, where it can have none."""
    if wire.is_array(decision):
        return len(decision) if decision.ndim else -1
    return len(decision) if type(decision) in (list, dict) else -1


def _values(decision: Any) -> int:
    return sum(1 for path, _ in leaves(decision) if path) if type(decision) in (list, dict) else -1


def _distinct(decision: Any) -> bool:
    values = list(_values_of(decision))
    return len(values) > 0 and len(set(values)) == len(values)


def _named(decision: Any, arguments: Sequence[Any]) -> bool:
    known = set(_shown(arguments))
    largest = max(sizes(arguments), default=0)
    values = [*_values_of(decision), *_keys(decision)]
    return all(value in known or (type(value) is int and 0 <= value < largest) for value in values)


def _values_of(value: Any) -> Iterable[Any]:
    """Yields every whole number and text in a decision or question, those of arrays included."""
    for _, inner in leaves(value):
        if wire.is_array(inner):
            yield from inner.ravel().tolist() if inner.dtype.kind in "iu" else ()
        elif type(inner) in (int, str):
            yield inner


def _shown(arguments: Sequence[Any]) -> Iterable[Any]:
    """Yields every number and text of a question, keys included."""
    yield from _values_of(list(arguments))
    yield from _keys(list(arguments))


def _keys(value: Any) -> list[Any]:
    return [key for _, item in containers(value) if type(item) is dict for key in item]
