"""Text for people; that of strangers is made inert, for policies, models and providers may write anything."""

import difflib
from collections import Counter
from collections.abc import Sequence

_LONGEST_LINE = 2000
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
    line = " ".join(inert(text).split())
    return line if len(line) <= width else line[: width - 3] + "..."


def counted(number: int, noun: str) -> str:
    """Returns a count with its noun: 1 case, 1,200 cases."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def kept(held_out: bool) -> str:
    """Returns how test cases are kept from a search: drawn from a secret, or recorded for all to read."""
    return "held-out" if held_out else "sealed"


def unified(old: str, new: str, old_name: str, new_name: str, context: int = 3) -> list[str]:
    """Returns the lines of a unified diff of two policies; none when they are equal.

    Where it would take too long to find out what they share, all of one is replaced by all of the other.
    """
    before, after = inert(old).splitlines(), inert(new).splitlines()
    if before == after or not _is_endless(before, after):
        return list(difflib.unified_diff(before, after, old_name, new_name, lineterm="", n=context))
    head = [f"--- {old_name}", f"+++ {new_name}", f"@@ -1,{len(before)} +1,{len(after)} @@"]
    return [*head, *(f"-{line}" for line in before), *(f"+{line}" for line in after)]


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


def _shown(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in line)
