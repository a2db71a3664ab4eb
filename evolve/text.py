"""Text for people; that of strangers is made inert, for policies, models and providers may write anything."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

_LONGEST_LINE = 2000
_EXCERPT = 60
"""Characters shown of the end of a line where it differs from one that begins alike."""

_LONGEST_SPACED = 10_000
"""Characters in which the words of a brief text are looked for, blanks between them included."""

_MOST_COMPARISONS = 20_000_000
"""Of lines in a diff: a second's work.  Texts made for it would take minutes."""

Change = tuple[str, int, int, int, int]
"""One of difflib's opcodes: what happens to which lines of the old text, and which of the new one stand there."""


def inert(text: str) -> str:
    """Returns text without control characters; a line that is too long says that it was cut."""
    return "\n".join(_inert_line(line) for line in text.replace("\r\n", "\n").split("\n"))


def visible(text: str) -> str:
    """Returns text without control characters, its lines as long as they are."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line if line.isprintable() else _shown(line) for line in lines)


def brief(text: str, width: int) -> str:
    """Returns the same on one line of at most ``width`` characters."""
    begin = text[: max(_LONGEST_SPACED, 4 * width)]
    line = " ".join(inert(begin).split())
    return line if len(line) <= width and begin == text else line[: width - 3] + "..."


def amid(text: str, width: int) -> str:
    """Returns the same as ``brief``, but that where it is too long it is the middle that is left out."""
    line = brief(text, _LONGEST_SPACED)
    half = (width - 3) // 2
    return line if len(line) <= width else f"{line[: width - 3 - half]}...{line[-half:]}"


def clipped(text: str, characters: int, lines: int) -> list[str]:
    """Returns the lines of the beginning of a text, inert; where that is not all of it, the last line says so."""
    shown = inert(text[:characters]).splitlines()
    if len(text) <= characters and len(shown) <= lines:
        return shown
    return [*shown[:lines], f"[cut here; it has {counted(len(text), 'character')} in all]"]


def counted(number: int, noun: str) -> str:
    """Returns a count with its noun: 1 case, 1,200 cases."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def kept(held_out: bool) -> str:
    """Returns how test cases are kept from a search: drawn from a secret, or recorded for all to read."""
    return "held-out" if held_out else "sealed"


def unified(old: str, new: str, old_name: str, new_name: str, context: int = 3) -> list[str]:
    """Returns the lines of a unified diff of two policies, inert; none when they are equal but for line ends.

    Lines that differ look different.  Where it would take too long to find out what the texts share, all of one is
    replaced by all of the other.
    """
    before, after = lines(old), lines(new)
    if before != after and _is_endless(before, after):
        places = f"@@ -1,{len(before)} +1,{len(after)} @@"
        diff = [places, *(f"-{line}" for line in before), *(f"+{line}" for line in after)]
    else:
        diff = list(difflib.unified_diff(before, after, lineterm="", n=context))[2:]
    shown = told_apart(before, after) if diff else {}
    body = [line if line[0] == "@" else line[0] + shown[line[1:]] for line in diff]
    return [f"--- {old_name}", f"+++ {new_name}", *body] if diff else []


def lines(text: str) -> list[str]:
    """Returns a text's lines as they are compared: without their ends, which may be those of Windows."""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


def told_apart(*texts: Iterable[str]) -> dict[str, str]:
    """Returns how each of some lines is shown: inert, and so that two that differ do not look the same."""
    alike: dict[str, list[str]] = {}
    for line in dict.fromkeys(chain(*texts)):
        alike.setdefault(_inert_line(line), []).append(line)
    plain = {same[0]: shown for shown, same in alike.items() if len(same) == 1}
    return plain | {line: shown for same in alike.values() if len(same) > 1 for line, shown in _distinct(same)}


def changes(before: Sequence[str], after: Sequence[str], context: int = 3) -> list[list[Change]]:
    """Returns the places where two texts differ, each with so many equal lines around; none when they are equal.

    As in ``unified``, there is one place where it would take too long to find them.
    """
    if before == after:
        return []
    if _is_endless(before, after):
        return [[("replace", 0, len(before), 0, len(after))]]
    return list(difflib.SequenceMatcher(None, before, after).get_grouped_opcodes(context))


def _is_endless(before: Sequence[str], after: Sequence[str]) -> bool:
    return _comparisons(before, after) > _MOST_COMPARISONS


def _comparisons(before: Sequence[str], after: Sequence[str]) -> int:
    """Returns about how many lines difflib compares at worst: all equal pairs, again for every match."""
    left, right = Counter(before), Counter(after)
    popular = 1 + len(after) // 100 if len(after) >= 200 else len(after)  # difflib does not match by more frequent ones
    pairs = sum(count * right[line] for line, count in left.items() if right[line] <= popular)
    return pairs * min(len(before), len(after))


def _inert_line(line: str) -> str:
    shown = line[:_LONGEST_LINE]
    if not shown.isprintable():
        shown = _shown(shown)
    return shown if len(line) <= _LONGEST_LINE else f"{shown} [{len(line) - _LONGEST_LINE} more characters]"


def _distinct(same: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields lines that look the same, each as it is shown beside the others."""
    ordered = sorted(same)
    shared = [_shared(one, other) for one, other in pairwise(ordered)]
    for line, before, after in zip(ordered, [0, *shared], [*shared, 0], strict=True):
        column = max(before, after)  # in order, the most alike are neighbours
        more = f"{len(line) - _LONGEST_LINE} more characters"
        if column >= _LONGEST_LINE:
            more += f"; others differ from column {column + 1:,} on: {_escaped(line[column : column + _EXCERPT])}"
        yield line, _escaped(line[:_LONGEST_LINE]) + (f" [{more}]" if len(line) > _LONGEST_LINE else "")


def _shared(one: str, other: str) -> int:
    """Returns how many characters two lines have in common at their beginnings."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def _escaped(line: str) -> str:
    """Returns a line whose control characters are written as Python writes them."""
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode("ascii") for c in line)


def _shown(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in line)
