"""The colours of a terminal."""

ADDED, REMOVED, PLACE = "\x1b[32m", "\x1b[31m", "\x1b[36m"
_PLAIN = "\x1b[0m"


def painted(text: str, colour: str) -> str:
    """Returns a text in a colour, and what comes after it without."""
    return f"{colour}{text}{_PLAIN}"
