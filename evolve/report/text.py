"""Policies and their words in a terminal: inert text, diffs and their colours."""

import difflib

_ADDED, _REMOVED, _PLACE, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[36m", "\x1b[0m"
_LONGEST_LINE = 2000


def inert(text: str) -> str:
    """Returns text of a policy or a model without control characters, each line capped."""
    return "\n".join(
        "".join(c if c.isprintable() or c == "\t" else "?" for c in line[:_LONGEST_LINE]) for line in text.split("\n")
    )


def unified(old: str, new: str, old_name: str, new_name: str, *, colour: bool = False) -> str:
    """Returns a unified diff of two policies; empty when they are equal."""
    lines = difflib.unified_diff(inert(old).splitlines(), inert(new).splitlines(), old_name, new_name, lineterm="")
    return "\n".join(_painted(line) if colour else line for line in lines)


def _painted(line: str) -> str:
    colour = {"+": _ADDED, "-": _REMOVED, "@": _PLACE}.get(line[:1])
    return line if colour is None else f"{colour}{line}{_PLAIN}"
