"""Words of policies and proposers in a terminal: inert text, diffs and their colours."""

import difflib

_ADDED, _REMOVED, _PLACE, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[36m", "\x1b[0m"
_LONGEST_LINE = 2000


def inert(text: str) -> str:
    """Returns text of a stranger without control characters; a line that is too long says that it was cut."""
    return "\n".join(_inert_line(line) for line in text.replace("\r\n", "\n").split("\n"))


def brief(text: str, width: int) -> str:
    """Returns the same on one line of at most ``width`` characters."""
    line = " ".join(inert(text).split())
    return line if len(line) <= width else line[: width - 3] + "..."


def unified(old: str, new: str, old_name: str, new_name: str, *, colour: bool = False) -> str:
    """Returns a unified diff of two policies; empty when they are equal."""
    lines = difflib.unified_diff(inert(old).splitlines(), inert(new).splitlines(), old_name, new_name, lineterm="")
    return "\n".join(_painted(line) if colour else line for line in lines)


def _inert_line(line: str) -> str:
    shown = line[:_LONGEST_LINE]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() or c == "\t" else "?" for c in shown)
    return shown if len(line) <= _LONGEST_LINE else f"{shown} [{len(line) - _LONGEST_LINE} more characters]"


def _painted(line: str) -> str:
    colour = {"+": _ADDED, "-": _REMOVED, "@": _PLACE}.get(line[:1])
    return line if colour is None else f"{colour}{line}{_PLAIN}"
