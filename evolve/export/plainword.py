"""Names that anybody may have written, as single words in which nothing can hide."""

import re

_ODD = re.compile(r"[^A-Za-z0-9_.+/-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def word(name: str, width: int = 40) -> str:
    """Returns a name as one word of at most so many characters.

    No mention of a person, number of an issue, trailer or option can be made of it.
    """
    shown = _ODD.sub("-", name[: 4 * width]).strip("-")
    return (shown if len(shown) <= width else f"{shown[: width - 3]}...") or "unnamed"


def is_name(name: str) -> bool:
    """Says whether it is a name as Python has them."""
    return _NAME.fullmatch(name) is not None
