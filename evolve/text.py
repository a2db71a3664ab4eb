"""Text of strangers, made inert: policies, models and providers may write anything."""

import difflib

_LONGEST_LINE = 2000


def inert(text: str) -> str:
    """Returns text without control characters; a line that is too long says that it was cut."""
    return "\n".join(_inert_line(line) for line in text.replace("\r\n", "\n").split("\n"))


def brief(text: str, width: int) -> str:
    """Returns the same on one line of at most ``width`` characters."""
    line = " ".join(inert(text).split())
    return line if len(line) <= width else line[: width - 3] + "..."


def unified(old: str, new: str, old_name: str, new_name: str, context: int = 3) -> list[str]:
    """Returns the lines of a unified diff of two policies; none when they are equal."""
    before, after = inert(old).splitlines(), inert(new).splitlines()
    return list(difflib.unified_diff(before, after, old_name, new_name, lineterm="", n=context))


def _inert_line(line: str) -> str:
    shown = line[:_LONGEST_LINE]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() or c == "\t" else "?" for c in shown)
    return shown if len(line) <= _LONGEST_LINE else f"{shown} [{len(line) - _LONGEST_LINE} more characters]"
