"""Policies that a reviewer sees all of: no character in them is hidden, and no two names look the same."""

import io
import tokenize
from collections.abc import Iterator

from evolve.types import EvolveError

LONGEST_LINE = 2000
_IGNORABLE = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Code points that are not shown where nothing is known of them: Default_Ignorable_Code_Point in Unicode's
DerivedCoreProperties.txt (15.1).  Python takes some for printable."""

_BLANK = ((0x2800, 0x2800), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159), (0x13441, 0x13446))
"""Others that look like nothing: the Braille pattern without dots, fillers, a musical head that is none."""

_HIDDEN = frozenset(chr(code) for first, last in (*_IGNORABLE, *_BLANK) for code in range(first, last + 1))
_WITHOUT = "it is not exported: take it out of a copy of the policy, and judge that with `evolve score`"


def insist_on_readable(text: str) -> None:
    """Refuses a policy of which a reviewer would not see all.

    Raises:
        EvolveError: it holds a character that is not shown or changes how others are, a name with other letters than
            ASCII's, or a line so long that its end is not seen.
    """
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        hidden = next((c for c in line if c in _HIDDEN or (not c.isprintable() and c != "\t")), None)
        if hidden is not None:
            raise EvolveError(
                f"line {number} of the policy holds the character U+{ord(hidden):04X}, which a reviewer would not see; "
                + _WITHOUT
            )
        if len(line) > LONGEST_LINE:
            raise EvolveError(
                f"line {number} of the policy has {len(line):,} characters, and a reviewer would not see its end; "
                f"it is not exported: break it in a copy of the policy ({LONGEST_LINE:,} are taken), and judge that "
                "with `evolve score`"
            )
    if not text.isascii():
        _insist_on_plain_code(text)


def _insist_on_plain_code(text: str) -> None:
    """Refuses code with letters that look like others: two names could look the same."""
    try:
        wrong = next((token for token in _code(text) if not token.string.isascii()), None)
    except (SyntaxError, tokenize.TokenError):
        raise EvolveError(f"the policy is no Python, and holds other letters than ASCII's; {_WITHOUT}") from None
    if wrong is not None:
        odd = next(c for c in wrong.string if not c.isascii())
        raise EvolveError(
            f"line {wrong.start[0]} of the policy holds the letter U+{ord(odd):04X} in its code, which may look like "
            f"another in a name; {_WITHOUT}"
        )


def _code(text: str) -> Iterator[tokenize.TokenInfo]:
    """Yields the tokens that are neither comments nor plain strings; in those of f-strings names can stand."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        quoted = token.type == tokenize.STRING and "f" not in token.string.partition(token.string[-1])[0].lower()
        if token.type != tokenize.COMMENT and not quoted:
            yield token
