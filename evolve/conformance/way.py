"""A way to decide wrongly, and the tools that find places in a decision for it."""

import copy
import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from evolve.sandbox import wire

Change = Callable[[Any, Sequence[Any], Random], Any]
"""Makes a wrong decision of a legal one, which it may change, given the arguments of the call."""


class Kind(enum.StrEnum):
    """What a way is an instance of; the text says what is wrong."""

    TYPE = "a value is of another type"
    MISSING = "elements are missing"
    EXTRA = "there are more elements than asked for"
    DUPLICATE = "an element stands in place of another"
    UNKNOWN = "a decision names what is not there"
    EMPTY = "parts are empty"
    RANGE = "a number is out of range"
    TOGETHER = "too much is put together"
    OTHER = "another decision is taken"  # may well be legal
    OPTION = "another of the options is taken"  # surely legal


class Unfit(Exception):  # noqa: N818 - nothing failed
    """The decision has no place for this mistake."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to decide wrongly; ``about`` says of the decision what was done to it."""

    kind: Kind
    about: str
    change: Change

    def of(self, decision: Any, arguments: Sequence[Any], random: Random) -> Any:
        """Returns a wrong decision and leaves the legal one as it is.

        Raises:
            Unfit: nothing in it can be wrong in this way.
        """
        wrong = self.change(copy.deepcopy(decision), arguments, random)
        if type(wrong) is type(decision) and _same(wrong, decision):
            raise Unfit
        return wrong


def leaves(decision: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yields every value in a decision that is no list and no dict, with the keys that lead to it."""
    if type(decision) is list:
        for index, item in enumerate(decision):
            yield from leaves(item, (*path, index))
    elif type(decision) is dict:
        for key, item in decision.items():
            yield from leaves(item, (*path, key))
    else:
        yield path, decision


def containers(decision: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yields every list and dict in a decision, the outermost first, with the keys that lead to it."""
    if type(decision) in (list, dict):
        yield path, decision
        for key, item in enumerate(decision) if type(decision) is list else decision.items():
            yield from containers(item, (*path, key))


def _same(one: Any, other: Any) -> bool:
    try:
        return wire.pack(one) == wire.pack(other)
    except wire.WireError:  # no legal decision is like that
        return False


def put(decision: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Returns the decision with another value at a place."""
    if not path:
        return value
    inner = decision
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return decision


def pick(found: Sequence[Any], random: Random) -> Any:
    """Returns one of them, drawn at random.

    Raises:
        Unfit: there is none.
    """
    if not found:
        raise Unfit
    return random.choice(found)
