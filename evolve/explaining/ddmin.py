"""Delta debugging: the parts of a whole that are enough.

The algorithm is ddmin of Zeller & Hildebrandt 2002, "Simplifying and Isolating Failure-Inducing Input".
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

Part = TypeVar("Part")
First = Callable[[Iterable[tuple[Part, ...]]], int | None]
"""Returns which of several choices is the first that is enough; None: none is."""


def ddmin(
    parts: Sequence[Part],
    first: First[Part],
    size: Callable[[Part], int] = lambda _: 1,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Part, ...]:
    """Returns parts, in order, that are enough, and of which none can be left out.

    All parts together are enough.  Of several choices the smaller are tried first.  Once it is ``stopped``, what is
    left may be more than needed.
    """
    if not parts or first([()]) is not None:
        return ()
    current, pieces = tuple(parts), 2
    while len(current) > 1 and not stopped():
        spans = _spans(current, pieces, size)
        found = first(_choices(current, spans))
        if found is not None:
            begin, end, only = spans[found]
            current = current[begin:end] if only else current[:begin] + current[end:]
            pieces = 2 if only else max(pieces - 1, 2)
        elif pieces < len(current):
            pieces = min(2 * pieces, len(current))
        else:
            return current
    return current


def _spans(current: Sequence[Part], pieces: int, size: Callable[[Part], int]) -> list[tuple[int, int, bool]]:
    """Returns where each piece begins and ends, to be taken alone or left out, the smallest choice first."""
    ends = [len(current) * index // pieces for index in range(pieces + 1)]
    total = sum(map(size, current))
    sizes = {span: sum(map(size, current[slice(*span)])) for span in pairwise(ends)}
    alone = [(own, (*span, True)) for span, own in sizes.items()]
    without = [(total - own, (*span, False)) for span, own in sizes.items()] if pieces > 2 else []
    return [span for _, span in sorted([*alone, *without], key=lambda choice: choice[0])]


def _choices(current: tuple[Part, ...], spans: Iterable[tuple[int, int, bool]]) -> Iterator[tuple[Part, ...]]:
    for begin, end, only in spans:
        yield current[begin:end] if only else current[:begin] + current[end:]
