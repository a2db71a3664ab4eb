"""Two texts side by side in a terminal.

Between the columns stands what happened to a line: ``|`` changed, ``<`` only on the left, ``>`` only on the right.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from evolve.report import paint
from evolve.text import Change, changes, lines, told_apart

NARROWEST, WIDEST = 40, 1000
"""Columns of a terminal in which two texts can be read."""

_TAB = 4
_MOST_PAIRS = 1000  # of lines that are compared by their words, to find the pairs that belong together
_COMPARED = 200  # characters of a line
_WORD = re.compile(r"\w+|[^\w\s]")
_ALIKE = 0.5
_LATE = 0.6
"""Share of a piece of a line behind which it may end with a word."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the old text beside one of the new; None where one side has none."""

    mark: str
    old: int | None
    new: int | None


def side_by_side(old: str, new: str, old_name: str, new_name: str, width: int, *, colour: bool = False) -> str:
    """Returns two texts in columns, together ``width`` wide, where they differ.

    Lines that differ look different, and a long one goes on in its column.  Nothing where all are equal.
    """
    before, after = lines(old), lines(new)
    shown = told_apart(before, after)
    page = _Page([shown[line] for line in before], [shown[line] for line in after], width, colour)
    places = changes(before, after)
    rows = [row for place in places for row in page.place(place)]
    return "\n".join([*page.names(old_name, new_name), *rows]) if places else ""


class _Page:
    """Columns of a width for two texts."""

    def __init__(self, before: Sequence[str], after: Sequence[str], width: int, colour: bool) -> None:
        self._before, self._after, self._colour = before, after, colour
        self._digits = len(str(max(len(before), len(after))))
        self._cell = (min(max(width, NARROWEST), WIDEST) - 2 * (self._digits + 1) - 3) // 2

    def names(self, old: str, new: str) -> Iterator[str]:
        return self._beside(" ", "", old, "", new, paint.PLACE)

    def place(self, place: Sequence[Change]) -> Iterator[str]:
        """Yields the lines of one place where the texts differ, below its header."""
        (_, old, _, new, _), (_, _, old_end, _, new_end) = place[0], place[-1]
        yield self._painted(f"@@ -{_span(old, old_end)} +{_span(new, new_end)} @@", paint.PLACE)
        for row in _rows(place, self._before, self._after):
            yield from self._row(row)

    def _row(self, row: _Row) -> Iterator[str]:
        old = "" if row.old is None else self._before[row.old]
        new = "" if row.new is None else self._after[row.new]
        return self._beside(row.mark, _numbered(row.old), old, _numbered(row.new), new, "")

    def _beside(self, mark: str, old_number: str, old: str, new_number: str, new: str, code: str) -> Iterator[str]:
        removed, added = (code, code) if mark == " " else (paint.REMOVED, paint.ADDED)
        blank, numbers = " " * self._cell, (old_number, new_number)
        for left, right in zip_longest(wrapped(old, self._cell), wrapped(new, self._cell)):
            before, after = (number.rjust(self._digits) for number in numbers)
            cells = self._painted(left or blank, removed), mark, after, self._painted((right or "").rstrip(), added)
            yield " ".join([before, *cells]).rstrip()
            numbers = ("", "")

    def _painted(self, text: str, code: str) -> str:
        return paint.painted(text, code) if self._colour and code and text.strip() else text


def wrapped(line: str, width: int) -> list[str]:
    """Returns a line in pieces that fill so many columns each, blanks at the end included; wide characters take two.

    Where words end late enough in a piece, the next one begins with a word.
    """
    pieces: list[str] = []
    cells = list(_cells(line))
    start = 0
    while True:
        end, used, after_word = start, 0, (start, 0)
        while end < len(cells) and used + cells[end][1] <= width:
            used += cells[end][1]
            end += 1
            if cells[end - 1][0] == " ":
                after_word = (end, used)
        if end == len(cells):
            return [*pieces, _filled(cells[start:end], width - used)]
        if after_word[1] > _LATE * width:
            end, used = after_word
        pieces.append(_filled(cells[start:end], width - used))
        start = end


def _filled(cells: Iterable[tuple[str, int]], blanks: int) -> str:
    return "".join(shown for shown, _ in cells) + " " * blanks


def _cells(line: str) -> Iterator[tuple[str, int]]:
    """Yields each character with the columns it takes; a tab as blanks."""
    column = 0
    for character in line:
        if character == "\t":
            blanks = _TAB - column % _TAB
            column += blanks
            yield from [(" ", 1)] * blanks
        else:
            columns = _columns(character)
            column += columns
            yield character, columns


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _span(start: int, end: int) -> str:
    return f"{start + 1 if end > start else start},{end - start}"


def _numbered(index: int | None) -> str:
    return "" if index is None else str(index + 1)


def _rows(place: Iterable[Change], before: Sequence[str], after: Sequence[str]) -> Iterator[_Row]:
    for what, old, old_end, new, new_end in place:
        if what == "equal":
            yield from (_Row(" ", *pair) for pair in zip(range(old, old_end), range(new, new_end), strict=True))
            continue
        anchors = _anchors(before[old:old_end], after[new:new_end])
        for left, right in [*((old + left, new + right) for left, right in anchors), (old_end, new_end)]:
            for pair in zip_longest(range(old, left), range(new, right)):
                yield _Row("<" if pair[1] is None else ">" if pair[0] is None else "|", *pair)
            if left < old_end:
                yield _Row("|", left, right)
            old, new = left + 1, right + 1


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Returns pairs of lines, in order, that share most of their words; of blocks too large to compare none."""
    if len(old) * len(new) > _MOST_PAIRS:
        return []
    left, right = ([frozenset(_WORD.findall(line[:_COMPARED])) for line in lines] for lines in (old, new))
    # best[i][j]: how alike the best pairs are, of the old lines from i on and the new ones from j on
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + _alike(left[i], right[j]))
    pairs, i, j = [], 0, 0
    while i < len(old) and j < len(new):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def _alike(old: frozenset[str], new: frozenset[str]) -> float:
    """Returns the share of words that two lines have in common; 0 where it is less than half."""
    share = 2 * len(old & new) / max(1, len(old) + len(new))
    return share if share >= _ALIKE else 0.0
