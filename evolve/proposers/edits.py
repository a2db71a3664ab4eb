"""Edits by search and replace: where the lines that they name stand in a policy, and the policy they make.

Every edit is looked for in the policy as it was shown, so their order means nothing; all are made or none.
"""

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evolve.proposers.layout import Edit, Unusable, lines_of
from evolve.text import brief
from evolve.types import Outcome

MOST_EDITS = 50
_MOST_COMPARED = 2000  # lines, in search of the nearest
_MOST_QUOTED = 80  # characters of a line


def applied(edits: Sequence[Edit], policy: str) -> str:
    """Returns the policy with all edits made.

    Raises:
        Unusable: BROKEN_EDIT where one is empty, fits nowhere or in several places, or overlaps another;
            NOT_NEW where none changes anything.
    """
    for edit in edits:
        if not any(_bare(edit.search)):
            message = f"the SEARCH text of edit {edit.number} is empty; repeat the lines that the edit is to replace"
            raise Unusable(Outcome.BROKEN_EDIT, message)
    if all(_bare(edit.search) == _bare(edit.replace) for edit in edits):
        raise Unusable(Outcome.NOT_NEW, "every edit replaces lines by themselves, so the policy stays the same")
    different: dict[object, Edit] = {}  # one written twice is one
    for edit in edits:
        different.setdefault((edit.search, edit.replace), edit)
    if len(different) > MOST_EDITS:
        message = f"the answer has {len(different)} edits; give at most {MOST_EDITS}, or the whole policy"
        raise Unusable(Outcome.BROKEN_EDIT, message)
    text = _Text(policy)
    changes = sorted((text.change(edit) for edit in different.values()), key=lambda change: change.start)
    for first, second in itertools.pairwise(changes):
        if second.start < first.end:
            low, high = sorted((first.number, second.number))
            raise Unusable(Outcome.BROKEN_EDIT, f"edits {low} and {high} overlap; make them one edit")
    for change in reversed(changes):
        text.lines[change.start : change.end] = change.lines
    return "\n".join(text.lines)


@dataclass(frozen=True, slots=True)
class _Change:
    """Lines to stand in place of those from ``start`` up to ``end``, which count from 0."""

    number: int
    start: int
    end: int
    lines: tuple[str, ...]


class _Text:
    """The lines of a policy, to be searched without regard to white space at their ends."""

    def __init__(self, policy: str) -> None:
        self.lines = lines_of(policy)
        self._bare = _bare(self.lines)
        self._joined = _joined(self._bare)

    def change(self, edit: Edit) -> _Change:
        """Returns the change that an edit makes: of exactly its lines, else of lines indented otherwise."""
        for search, replace in self._readings(edit):
            starts = self._starts(search)
            if len(starts) > 1:
                raise _ambiguous(edit.number, starts)
            if starts:
                return _Change(edit.number, starts[0], starts[0] + len(search), tuple(replace))
        raise self._lost(edit)

    def _readings(self, edit: Edit) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """Yields what an edit may mean, the literal reading first: more readings only where those fit nowhere."""
        yield edit.search, edit.replace
        search, replace = _without_blank_edges(edit)
        yield search, replace
        yield from self._shifted(edit.number, search, replace)

    def _shifted(
        self, number: int, search: Sequence[str], replace: Sequence[str]
    ) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """Yields the edit indented as the places where it fits, if the places agree on the indentation."""
        content, own = search[0].strip(), _indentation(search[0])
        depths = {_indentation(line) for line in self._bare if line.strip() == content} - {own}
        fitting = []
        for depth in sorted(depths):
            moved = _moved(search, own, depth)
            if moved is not None and (starts := self._starts(moved)):
                fitting.append((depth, moved, starts))
        if len(fitting) > 1:
            raise _ambiguous(number, sorted(start for *_, starts in fitting for start in starts))
        for depth, moved, _ in fitting:
            new = _moved(replace, own, depth)
            if new is None:
                message = f"the REPLACE text of edit {number} is indented less than its SEARCH text can be; "
                raise Unusable(Outcome.BROKEN_EDIT, message + "give both the indentation of the policy")
            yield moved, new

    def _starts(self, search: Sequence[str]) -> list[int]:
        """Returns the first lines of up to four places where these lines stand."""
        wanted, at = _joined(_bare(search)), -1
        starts: list[int] = []
        while len(starts) < 4 and (at := self._joined.find(wanted, at + 1)) >= 0:
            starts.append(self._joined.count("\n", 0, at))
        return starts

    def _lost(self, edit: Edit) -> Unusable:
        """Returns why an edit fits nowhere: a line that the policy lacks, or lines that do not follow each other."""
        known: dict[str, int] = {}
        for number, line in enumerate(self._bare, 1):
            known.setdefault(line.strip(), number)
        wanted = [line.strip() for line in edit.search if line.strip()]
        missing = next((line for line in wanted if line not in known), None)
        message = f"the SEARCH text of edit {edit.number} fits nowhere in the policy; "
        if missing is None:
            message += f"its first line is line {known[wanted[0]]}, but the lines do not stand together like this; "
        else:
            message += f"there is no line {_quoted(missing)}; {_nearest(missing, known)}"
        return Unusable(Outcome.BROKEN_EDIT, message + "SEARCH must repeat the policy's lines exactly")


def _ambiguous(number: int, starts: Sequence[int]) -> Unusable:
    lines = [str(start + 1) for start in starts[:3]]
    shown = f"{', '.join(lines)} and more" if len(starts) > 3 else f"{', '.join(lines[:-1])} and {lines[-1]}"
    count = "more than 3" if len(starts) > 3 else len(starts)
    return Unusable(
        Outcome.BROKEN_EDIT,
        f"the SEARCH text of edit {number} fits in {count} places (lines {shown}); "
        "add lines around it until it fits once",
    )


def _nearest(line: str, known: Mapping[str, int]) -> str:
    """Returns the line most like another, among lines with their numbers."""
    places = {
        place[:_MOST_QUOTED]: number for place, number in itertools.islice(known.items(), _MOST_COMPARED) if place
    }
    close = difflib.get_close_matches(line[:_MOST_QUOTED], places, 1, cutoff=0.5)
    return f"the nearest is line {places[close[0]]}: {_quoted(close[0])}; " if close else ""


def _quoted(line: str) -> str:
    return f"`{brief(line[: 4 * _MOST_QUOTED], _MOST_QUOTED)}`"


def _bare(lines: Sequence[str]) -> list[str]:
    return [line.rstrip() for line in lines]


def _joined(lines: Sequence[str]) -> str:
    """Returns lines as a text in which each of them can be found only whole."""
    return "\n".join(["", *lines, ""])


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _moved(lines: Sequence[str], old: str, new: str) -> list[str] | None:
    """Returns lines with the indentation of all changed as ``old`` is by becoming ``new``; None if some cannot."""
    if new.endswith(old):
        more = new[: len(new) - len(old)]
        return [more + line if line.strip() else line for line in lines]
    less = old[: len(old) - len(new)] if old.endswith(new) else ""
    if not less or any(line.strip() and not line.startswith(less) for line in lines):
        return None
    return [line.removeprefix(less) for line in lines]


def _without_blank_edges(edit: Edit) -> tuple[Sequence[str], Sequence[str]]:
    """Returns an edit without the blank lines around what it searches, nor as many of those around the new lines."""
    filled = [at for at, line in enumerate(edit.search) if line.strip()]
    before, after = filled[0], len(edit.search) - filled[-1] - 1
    search, replace = edit.search[before : filled[-1] + 1], list(edit.replace)
    while before and replace and not replace[0].strip():
        before -= 1
        del replace[0]
    while after and replace and not replace[-1].strip():
        after -= 1
        del replace[-1]
    return search, replace
