"""Differences of policies in a terminal."""

from evolve import text

_ADDED, _REMOVED, _PLACE, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[36m", "\x1b[0m"


def unified(old: str, new: str, old_name: str, new_name: str, *, colour: bool = False) -> str:
    """Returns a unified diff of two policies; empty when they are equal."""
    return "\n".join(_painted(line) if colour else line for line in text.unified(old, new, old_name, new_name))


def _painted(line: str) -> str:
    colour = {"+": _ADDED, "-": _REMOVED, "@": _PLACE}.get(line[:1])
    return line if colour is None else f"{colour}{line}{_PLAIN}"
