"""Answers of models: the policy in the text that a model wrote, or the reason why there is none.

Tolerant in form, strict in effect: marks may be sloppy, but a policy is taken only as a whole and only
where there is no doubt which one is meant.  Nothing in an answer is run or obeyed; it is only text.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from evolve import normal
from evolve.proposers.edits import applied
from evolve.proposers.entries import flaw
from evolve.proposers.layout import CLOSING, DIVIDER, OPENING, Layout, Unusable, lines_of, read
from evolve.source import insist_on_compiling
from evolve.text import brief
from evolve.types import Outcome

__all__ = ["Answer", "Unusable", "edited", "written"]

MOST_CHARACTERS = 64_000
_MOST_RATIONALE = 300
_MOST_BLOCKS = 50

_A_POLICY = "the whole policy in one block ```python"
_EDITS = f"edits of the form `{OPENING}`, old lines, `{DIVIDER}`, new lines, `{CLOSING}`"
_RATIONALE = re.compile(r"[\s>*_#`\"'-]*rationale[\s*_`\"']*(?:[:\u2013\u2014-][\s*_]*(.*))?", re.IGNORECASE)
_LONGEST_LINE = 2000  # of a rationale
_QUOTES = ('""', "''", "``", "__", "\u201c\u201d", "\u2018\u2019")
_LAST_QUOTES = ('"', "`", "\u201d")
_DIFF = re.compile(r"^(?:--- \S.*\n\+\+\+ |@@ -\d|diff --git |\*\*\* Begin Patch)", re.MULTILINE)
_CODE = re.compile(r"^[ \t]*(?:def|class)[ \t]+\w", re.MULTILINE)
_LINE = re.compile(r"line (\d+): ")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole policy, new and fit to be judged, and one printable line of why it should be better, or ''."""

    source: str
    rationale: str


def edited(text: str, parent: str, entry_points: Sequence[str], limit: int = MOST_CHARACTERS) -> Answer:
    """Returns the policy that an answer makes of its parent by edits; a whole policy instead of edits will do.

    Args:
        text: the answer.
        parent: the policy that the model was shown.
        entry_points: the functions that a policy is called by; the new one must offer them as its parent does.
        limit: characters that the new policy may have.

    Raises:
        Unusable: with EMPTY, CUT_OFF, NO_POLICY, BROKEN_EDIT, TOO_LONG or NOT_NEW.
    """
    task, layout = _Task(parent, tuple(entry_points), limit), read(text)
    if layout.edits:
        return _by_edits(layout, task)
    return _whole(layout, task, f"{_EDITS}; or {_A_POLICY}")


def written(text: str, parent: str, entry_points: Sequence[str], limit: int = MOST_CHARACTERS) -> Answer:
    """Returns the whole policy that an answer holds; edits of the parent will do where there is none.

    Arguments and errors are those of ``edited``.
    """
    task, layout = _Task(parent, tuple(entry_points), limit), read(text)
    if layout.edits and not any(map(task.resembles, layout.blocks)):
        return _by_edits(layout, task)
    return _whole(layout, task, _A_POLICY)


class _Task:
    """What a policy is wanted for: it must be new, short enough, and offer what its parent offers."""

    def __init__(self, parent: str, entry_points: tuple[str, ...], limit: int) -> None:
        self.parent, self.entry_points = _ended("\n".join(lines_of(parent))), entry_points
        self._limit = min(limit, normal.MOST_CHARACTERS)
        names = "|".join(map(re.escape, entry_points)) or "Policy"
        pattern = rf"^(?:[ \t]*(?:(?:async[ \t]+)?def[ \t]+(?:{names})|class[ \t]+Policy)\b|(?:{names})[ \t]*=)"
        self._beginning = re.compile(pattern, re.MULTILINE)
        try:
            self._tree: ast.Module | None = normal.parse(parent)
            self._key = normal.digest(self._tree)
        except normal.SourceError:  # it is what the model was asked to repair
            self._tree, self._key = None, ""

    def resembles(self, code: str) -> bool:
        """Returns whether a text looks like a policy, which spares the others being parsed."""
        return self._beginning.search(code) is not None

    def check_length(self, characters: int) -> None:
        """Refuses what is too long even to be parsed."""
        if characters > self._limit:
            message = f"the policy has {characters:,} characters, but at most {self._limit:,} are allowed; shorten it"
            raise Unusable(Outcome.TOO_LONG, message)

    def tree(self, source: str) -> ast.Module:
        """Returns the tree of a policy that offers the entry points; raises Unusable with NO_POLICY or TOO_LONG."""
        self.check_length(len(source))
        try:
            source.encode()
            tree = normal.parse(source)
        except UnicodeEncodeError:
            raise Unusable(Outcome.NO_POLICY, "the code holds a lone surrogate, which is no character") from None
        except normal.SourceError as broken:
            raise _not_python(broken, source) from None
        why = flaw(tree, self.entry_points, self._tree)
        if why:
            raise Unusable(Outcome.NO_POLICY, why)
        return tree

    def answer(self, source: str, tree: ast.Module, layout: Layout) -> Answer:
        """Returns the answer if its policy compiles and is not the parent in another dress."""
        try:
            same = normal.digest(tree) == self._key
            insist_on_compiling(tree, source)
        except normal.SourceError as broken:
            raise _not_python(broken, source) from None
        if same:
            message = "the policy does the same as the one it was made from; change more than its looks"
            raise Unusable(Outcome.NOT_NEW, message)
        return Answer(source, _rationale(layout))


def _by_edits(layout: Layout, task: _Task) -> Answer:
    source = _ended(applied(layout.edits, task.parent))
    try:
        return task.answer(source, task.tree(source), layout)
    except Unusable as reason:
        if reason.outcome is not Outcome.NO_POLICY:
            raise
        raise Unusable(Outcome.BROKEN_EDIT, f"with the edits made, {reason}") from None


def _whole(layout: Layout, task: _Task, expected: str) -> Answer:
    if not layout.blocks:
        return _unfenced(layout, task, expected)
    blocks = list(dict.fromkeys(_code(block.split("\n")) for block in layout.blocks))
    likely = list(filter(task.resembles, blocks)) or [max(blocks, key=len)]
    if len(likely) > _MOST_BLOCKS:
        raise _several(len(likely), task)
    task.check_length(sum(map(len, likely)))
    good, flaws = _policies(likely, task)
    if not good:
        raise _diff(layout, expected) or flaws[-1]
    new = [policy for policy in good if policy[0] != task.parent] or good  # some quote the parent first
    if len(new) > 1:
        raise _several(len(new), task)
    return task.answer(*new[0], layout)


def _unfenced(layout: Layout, task: _Task, expected: str) -> Answer:
    """Returns the policy that an answer is as a whole."""
    text = _code(layout.prose)
    if not task.resembles(text) and not _CODE.search(text):
        raise _diff(layout, expected) or Unusable(
            Outcome.NO_POLICY, f"the answer holds no policy; expected is {expected}"
        )
    try:
        return task.answer(text, task.tree(text), layout)
    except Unusable as reason:
        if reason.outcome is not Outcome.NO_POLICY:
            raise
        message = f"the answer holds no code block, and as a whole it is no policy: {reason}; expected is {expected}"
        raise _diff(layout, expected) or Unusable(Outcome.NO_POLICY, message) from None


def _policies(blocks: Sequence[str], task: _Task) -> tuple[list[tuple[str, ast.Module]], list[Unusable]]:
    """Returns the blocks that are policies, with their trees, and what is wrong with the others."""
    good, flaws = [], []
    for block in blocks:
        try:
            good.append((block, task.tree(block)))
        except Unusable as reason:
            flaws.append(reason)
    return good, flaws


def _several(count: int, task: _Task) -> Unusable:
    names = " and ".join(f"`{name}`" for name in task.entry_points)
    return Unusable(Outcome.NO_POLICY, f"{count} code blocks define {names or 'a policy'}; give one")


def _diff(layout: Layout, expected: str) -> Unusable | None:
    if not any(_DIFF.search(part) for part in (*layout.blocks, "\n".join(layout.prose))):
        return None
    return Unusable(Outcome.NO_POLICY, f"the answer is a diff, which is not applied; expected is {expected}")


def _not_python(broken: normal.SourceError, source: str) -> Unusable:
    message, found = str(broken), _LINE.match(str(broken))
    lines = lines_of(source)
    if found and 0 < int(found[1]) <= len(lines):
        message += f": `{brief(lines[int(found[1]) - 1][:_LONGEST_LINE], 120)}`"
    return Unusable(Outcome.NO_POLICY, f"the code is not Python: {message}")


def _ended(source: str) -> str:
    return source.rstrip() + "\n"


def _rationale(layout: Layout) -> str:
    """Returns what an answer says of itself, outside its code if possible."""
    for lines in (layout.prose, "\n".join(layout.blocks).split("\n")):
        for at, line in enumerate(lines):
            found = _RATIONALE.fullmatch(line[:_LONGEST_LINE])
            if found:
                said = found[1] or next((after for after in lines[at + 1 :] if after.strip()), "")
                return brief(_unquoted(said[:_LONGEST_LINE]), _MOST_RATIONALE)
    return ""


def _unquoted(text: str) -> str:
    """Returns a sentence without the quotes or marks of emphasis around it."""
    text = text.strip().strip("*").strip()
    while len(text) > 1 and text[0] + text[-1] in _QUOTES and text[-1] not in text[1:-1]:
        text = text[1:-1].strip()
    alone = text[-1:] in _LAST_QUOTES and text.count(text[-1:]) == 1  # its partner stood before the word
    return text[:-1].strip() if alone else text


def _code(lines: Sequence[str]) -> str:
    """Returns the code in lines that may begin with the rationale; where it stands in a comment, it may stay."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    first = lines[filled[0]].lstrip() if filled else ""
    if first and first[0] not in "#\"'" and _RATIONALE.fullmatch(first[:_LONGEST_LINE]):
        lines = lines[filled[1] :] if len(filled) > 1 else ()
    return _ended("\n".join(lines))
