"""The layout of a model's answer: the edits and code blocks in it, and the prose around them.

Edits look like conflicts of a merge, code blocks like those of Markdown.  Models get such marks nearly
right, so their width, case, indentation and the fences around them are read with tolerance; a mark that
is missing is an error all the same, since what it leaves out nobody can know.
"""

import re
from dataclasses import dataclass

from evolve.text import brief
from evolve.types import Outcome

_MOST_CHARACTERS = 400
_LONGEST_MARK = 80
_MARK = re.compile(r"(?:(<{5,9}|>{5,9})\s{0,4}[a-z]*\s{0,4}:?|(={5,9}):?|(`{3,}|~{3,})([^`]*))", re.IGNORECASE)
_THOUGHT = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_THINKING = re.compile(r"\s*<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)

OPENING, DIVIDER, CLOSING = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"


class Unusable(Exception):  # noqa: N818 - it carries an outcome
    """An answer that leads to no policy.

    ``outcome`` says in which way; the message is a printable line of at most 400 characters, fit for a
    prompt that asks the model to repair its answer.
    """

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(brief(message, _MOST_CHARACTERS))
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines of the policy and the lines to stand in their place; ``number`` counts the edits of an answer."""

    number: int
    search: tuple[str, ...]
    replace: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """An answer taken apart: its edits, the code blocks that hold none, and all lines outside both."""

    edits: tuple[Edit, ...]
    blocks: tuple[str, ...]
    prose: tuple[str, ...]


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text, whatever ends them; only what ends a line for Python does."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read(text: str) -> Layout:
    """Returns the layout of an answer, without the thoughts that come before it.

    Raises:
        Unusable: it is EMPTY, CUT_OFF within an edit, a code block or a thought, or a BROKEN_EDIT lacks a mark.
    """
    reader = _Reader()
    for line in lines_of(without_thoughts(text)):
        reader.take(line)
    return reader.finished()


def without_thoughts(text: str) -> str:
    """Returns an answer without the thoughts that come before it.

    Raises:
        Unusable: it is EMPTY, or CUT_OFF within a thought.
    """
    answer = _THOUGHT.split(text.removeprefix("\ufeff"))[-1]
    if _THINKING.match(answer):
        raise Unusable(Outcome.CUT_OFF, "the answer ends within its thoughts; think less and give the answer")
    if not answer.strip():
        raise Unusable(Outcome.EMPTY, "the answer is empty")
    return answer


@dataclass(frozen=True, slots=True)
class _Mark:
    """A line that opens, divides or closes something: its sign, how often the sign stands there, how deep."""

    sign: str
    width: int
    indent: int
    label: str = ""

    @property
    def fence(self) -> bool:
        return self.sign in "`~"


def _mark(line: str) -> _Mark | None:
    stripped = line.strip()
    if not stripped or stripped[0] not in "<=>`~" or len(stripped) > _LONGEST_MARK:
        return None
    match = _MARK.fullmatch(stripped)
    if match is None:
        return None
    run = match[1] or match[2] or match[3]
    return _Mark(run[0], len(run), len(line) - len(line.lstrip()), (match[4] or "").strip())


class _Reader:
    """Sorts the lines of an answer, in one pass: an edit hides fences, a code block hides all but edits."""

    def __init__(self) -> None:
        self._edits: list[Edit] = []
        self._blocks: list[str] = []
        self._prose: list[str] = []
        self._opening: _Mark | None = None  # of the edit that we are in
        self._fence: _Mark | None = None  # of the code block that we are in
        self._body: list[str] = []  # of that edit
        self._held: list[str] = []  # lines of that code block
        self._holds_edits = False

    def take(self, line: str) -> None:
        """Sorts one more line."""
        mark = _mark(line)
        if self._opening is not None:
            self._inside_edit(self._opening, mark, line)
        elif mark is None or mark.sign == "=":
            (self._prose if self._fence is None else self._held).append(line)
        elif mark.sign == "<":
            self._opening, self._body, self._holds_edits = mark, [], True
        elif mark.sign == ">":
            raise Unusable(Outcome.BROKEN_EDIT, f"a line `{CLOSING}` has no line `{OPENING}` before it")
        elif self._fence is None:
            self._open_block(mark)
        else:
            self._inside_block(self._fence, mark, line)

    def finished(self) -> Layout:
        """Returns what was read once the answer has ended."""
        if self._opening is not None:
            raise Unusable(Outcome.CUT_OFF, f"edit {self._number} has no end: no line `{CLOSING}` follows")
        if self._fence is not None and (self._holds_edits or any(map(str.strip, self._held))):
            raise Unusable(Outcome.CUT_OFF, "the answer ends within a code block: no line ``` closes it")
        self._prose += self._held
        return Layout(tuple(self._edits), tuple(self._blocks), tuple(self._prose))

    @property
    def _number(self) -> int:
        return len(self._edits) + 1

    def _inside_edit(self, opening: _Mark, mark: _Mark | None, line: str) -> None:
        if mark is None or mark.sign != ">" or mark.indent > opening.indent:
            if mark is not None and mark.sign == "<" and mark.indent <= opening.indent:
                message = f"edit {self._number} has no line `{CLOSING}` before the next edit begins"
                raise Unusable(Outcome.BROKEN_EDIT, message)
            self._body.append(line)
            return
        at = self._divider(opening)
        search, replace = _bare(self._body[:at]), _bare(self._body[at + 1 :])
        self._edits.append(Edit(self._number, search, replace))
        self._opening = None

    def _divider(self, opening: _Mark) -> int:
        """Returns which line divides the edit; one that is as wide as the opening wins over the others."""
        marks = [(at, mark) for at, line in enumerate(self._body) if (mark := _mark(line)) is not None]
        dividers = [(at, mark) for at, mark in marks if mark.sign == "=" and mark.indent <= opening.indent]
        if len(dividers) > 1:
            dividers = [(at, mark) for at, mark in dividers if mark.width == opening.width] or dividers
        if len(dividers) != 1:
            count = len(dividers) or "no"
            message = f"edit {self._number} has {count} lines `{DIVIDER}` between its old and its new lines; give one"
            raise Unusable(Outcome.BROKEN_EDIT, message)
        return dividers[0][0]

    def _open_block(self, mark: _Mark) -> None:
        self._fence, self._held, self._holds_edits = mark, [], False

    def _inside_block(self, fence: _Mark, mark: _Mark, line: str) -> None:
        if mark.label:  # a block in a block: the outer one, say of Markdown, is only wrapping
            self._prose += self._held
            self._open_block(mark)
        elif mark.sign != fence.sign or mark.width < fence.width:
            self._held.append(line)
        else:
            self._close_block(fence)

    def _close_block(self, fence: _Mark) -> None:
        if self._holds_edits:
            self._prose += self._held
        else:
            self._blocks.append("\n".join(_outdented(line, fence.indent) for line in self._held))
        self._fence, self._held = None, []


def _outdented(line: str, indent: int) -> str:
    return line[:indent].lstrip() + line[indent:]


def _bare(lines: list[str]) -> tuple[str, ...]:
    """Returns the lines of one half of an edit without a fence of its own."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:
        return tuple(lines)
    first, last = (_mark(lines[at]) for at in (filled[0], filled[-1]))
    fenced = first is not None and last is not None and first.fence and last.sign == first.sign and not last.label
    return tuple(lines[filled[0] + 1 : filled[-1]] if fenced else lines)
