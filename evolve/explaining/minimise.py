"""The smallest difference that keeps the gain: of hunks first, then of lines, then of words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evolve.explaining.ddmin import ddmin
from evolve.explaining.hunks import WORD, Hunk, applied, hunks, lines, single
from evolve.explaining.trials import Also, Trials
from evolve.text import changes
from evolve.types import Evaluation


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of the base's line, from ``start`` to ``end``, that others take the place of, in the hunk of a number."""

    hunk: int
    start: int
    end: int
    new: str


def minimised(
    trials: Trials, base: Sequence[str], source: str, enough: Callable[[Evaluation], bool], most: int, also: Also
) -> str:
    """Returns a policy that is enough and differs less from the base; one that is enough is given."""

    def stopped() -> bool:
        return trials.spent_all(most)

    def least(found: Sequence[Hunk]) -> Sequence[Hunk]:
        return ddmin(
            found, lambda tried: trials.first((applied(base, c) for c in tried), enough, most, also), _size, stopped
        )

    kept = least(hunks(base, lines(source)))
    kept = least([part for hunk in kept for part in single(hunk)])
    words = [part for number, hunk in enumerate(kept) for part in _words(number, hunk)]
    chosen = ddmin(
        words,
        lambda tried: trials.first((_with(base, kept, words, c) for c in tried), enough, most, also),
        stopped=stopped,
    )
    return _with(base, kept, words, chosen)


def _size(hunk: Hunk) -> int:
    return hunk.size


def _words(number: int, hunk: Hunk) -> list[_Words]:
    """Returns the changes within a line that takes the place of another, as far indented."""
    if not hunk.paired or _indent(hunk.old[0]) != _indent(hunk.new[0]):
        return []
    old, new = (WORD.findall(line) for line in (*hunk.old, *hunk.new))
    return [
        _Words(number, start, end, "".join(new[first:last]))
        for place in changes([word.strip() for word in old], [word.strip() for word in new], 0)
        for tag, start, end, first, last in place
        if tag != "equal"
    ]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _with(base: Sequence[str], kept: Sequence[Hunk], words: Sequence[_Words], chosen: Sequence[_Words]) -> str:
    """Returns the base with the hunks; of those that are changes of words, with the chosen ones."""
    parted = {part.hunk for part in words}
    made = [hunk for number, hunk in enumerate(kept) if number not in parted]
    for number in sorted(parted):
        hunk = kept[number]
        line = _line(hunk.old[0], [part for part in chosen if part.hunk == number])
        made.append(replace(hunk, new=(line,)))
    return applied(base, made)


def _line(old: str, words: Sequence[_Words]) -> str:
    pieces, parts, position = WORD.findall(old), [], 0
    for part in words:
        parts += [*pieces[position : part.start], part.new]
        position = part.end
    return "".join([*parts, *pieces[position:]])
