"""The difference of two policies as hunks, of which any can be applied without the others."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evolve.text import changes

MOST = 40
"""Hunks that a difference is split into; of more, those that lie nearest to each other are one."""

_ALIKE = 0.5
_MOST_PAIRS = 2_500  # of lines that are compared by their words
_COMPARED = 400  # characters of a line
WORD = re.compile(r"\s*(?:\"[^\"]*\"|'[^']*'|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\w+|[^\w\s])|\s+$")
"""A word of code: a text, a number, a name, white space or a sign."""

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of the base, from index ``at``, that others take the place of; ``line`` is where those stand, from 1."""

    at: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    line: int

    @property
    def size(self) -> int:
        """Lines removed and added."""
        return len(self.old) + len(self.new)

    @property
    def paired(self) -> bool:
        """Whether one line takes the place of one."""
        return len(self.old) == len(self.new) == 1


def lines(source: str) -> list[str]:
    """Returns the lines of a policy as Python counts them."""
    return source.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def hunks(base: Sequence[str], policy: Sequence[str], most: int = MOST) -> list[Hunk]:
    """Returns what turns the lines of one policy into those of another, in order; at most so many.

    Lines that are alike take each other's place on their own.
    """
    return _joined(list(_fine(base, policy)), base, policy, most)


def applied(base: Sequence[str], chosen: Iterable[Hunk]) -> str:
    """Returns the base with some hunks of a difference from it."""
    made: list[str] = []
    position = 0
    for hunk in sorted(chosen, key=_order):
        made += [*base[position : hunk.at], *hunk.new]
        position = hunk.at + len(hunk.old)
    return "\n".join([*made, *base[position:]]) + "\n"


def single(hunk: Hunk) -> list[Hunk]:
    """Returns the same as changes of single lines: one in place of one that is like it, one removed, one added."""
    parts = []
    for part in _fine(hunk.old, hunk.new):
        at, line = hunk.at + part.at, hunk.line + part.line - 1
        if part.paired:
            parts.append(Hunk(at, part.old, part.new, line))
            continue
        parts += [Hunk(at + index, (old,), (), line) for index, old in enumerate(part.old)]
        parts += [Hunk(at + len(part.old), (), (new,), line + index) for index, new in enumerate(part.new)]
    return parts


def words_changed(hunk: Hunk) -> int:
    """Returns how many words of a hunk are removed or added; a word is a name, a number, a text or a sign."""
    old, new = (WORD.findall(" ".join(line.strip() for line in side)) for side in (hunk.old, hunk.new))
    before, after = ([word for word in words if not word.isspace()] for words in (old, new))
    return sum(
        (end - start) + (last - first)
        for place in changes(before, after, 0)
        for tag, start, end, first, last in place
        if tag != "equal"
    )


def distance(base: Sequence[str], source: str) -> int:
    """Returns how many words a policy differs in from the base."""
    return sum(map(words_changed, hunks(base, lines(source), len(base) + len(source))))


def _order(hunk: Hunk) -> tuple[int, bool, int]:
    return hunk.at, bool(hunk.old), hunk.line  # what is added before a line stands before what takes its place


def _fine(base: Sequence[str], policy: Sequence[str]) -> Iterator[Hunk]:
    for place in changes(base, policy, 0):
        for tag, start, end, new_start, new_end in place:
            if tag == "equal":
                continue
            for i, j, m, n in _split(base[start:end], policy[new_start:new_end]):
                old, new = tuple(base[start + i : start + j]), tuple(policy[new_start + m : new_start + n])
                yield Hunk(start + i, old, new, new_start + m + 1)


def _split(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yields the ranges of lines that take each other's place: pairs that are alike, and what lies between."""
    at = below = 0
    for left, right in [*_pairs(old, new), (len(old), len(new))]:
        if (at, below) != (left, right):
            yield at, left, below, right
        if left < len(old):
            yield left, left + 1, right, right + 1
        at, below = left + 1, right + 1


def _pairs(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Returns pairs of lines in order that are as much alike, in all, as can be."""
    if not old or not new or len(old) * len(new) > _MOST_PAIRS:
        return []
    before, after = [_words(line) for line in old], [_words(line) for line in new]
    best: dict[tuple[int, int], tuple[float, tuple[tuple[int, int], ...]]] = {}
    nothing: tuple[float, tuple[tuple[int, int], ...]] = (0.0, ())
    for i, left in enumerate(before):
        for j, right in enumerate(after):
            options = [best.get((i - 1, j), nothing), best.get((i, j - 1), nothing)]
            if (alike := _alike(left, right)) >= _ALIKE:
                worth, pairs = best.get((i - 1, j - 1), nothing)
                options.append((worth + alike, (*pairs, (i, j))))
            best[i, j] = max(options, key=lambda option: option[0])
    return [*best[len(old) - 1, len(new) - 1][1]]


def _words(line: str) -> Counter[str]:
    return Counter(_WORD.findall(line[:_COMPARED]))


def _alike(left: Counter[str], right: Counter[str]) -> float:
    """Returns the share of words that two lines have in common (Dice 1945)."""
    return 2 * (left & right).total() / max(left.total() + right.total(), 1)


def _joined(found: list[Hunk], base: Sequence[str], policy: Sequence[str], most: int) -> list[Hunk]:
    """Returns at most so many hunks: the nearest are one, with what lies between them."""
    if len(found) <= most:
        return found
    gaps = [second.at - first.at - len(first.old) for first, second in pairwise(found)]
    closed = {*sorted(range(len(gaps)), key=lambda index: (gaps[index], index))[: len(found) - most]}
    joined, begin = [], 0
    for index, hunk in enumerate(found):
        if index in closed:
            continue
        first = found[begin]
        end, new_end = hunk.at + len(hunk.old), hunk.line - 1 + len(hunk.new)
        joined.append(Hunk(first.at, tuple(base[first.at : end]), tuple(policy[first.line - 1 : new_end]), first.line))
        begin = index + 1
    return joined
