"""Code and constants without effect: what can be taken out of a policy, or changed, and no case differs."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass

from evolve.explaining.cuts import Cut, cuts
from evolve.explaining.hunks import distance, hunks, lines
from evolve.explaining.numbers import numbers
from evolve.explaining.trials import Also, Fate, Outcome, Trials
from evolve.proposers.syntax.splice import Text
from evolve.types import Evaluation

_LONGEST = 1000  # lines of both policies
Same = Callable[[Evaluation], bool]
"""Says whether an evaluation is that of the policy, case by case."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Something without effect, on a line of the policy as it was."""

    line: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A policy without its dead code, which is named; ``lines`` are the numbers that its lines had before."""

    source: str
    dead: tuple[Idle, ...]
    lines: tuple[int, ...]


def trimmed(trials: Trials, base: Sequence[str], source: str, same: Same, most: int, also: Also) -> Trimmed:
    """Returns a policy without what does nothing in the lines that differ from the base, and is not the base's.

    A guard of the base that does nothing on these cases may be needed on others, and without it there is more of a
    difference.
    """
    dead: list[Idle] = []
    old_lines = list(range(1, len(lines(source)) + 1))
    refuted: set[Idle] = set()
    while True:
        tried: list[tuple[Idle, Cut]] = []
        chosen = trials.first(_tries(base, source, old_lines, refuted, tried), same, most, also)
        if chosen is None:
            return Trimmed(source, tuple(dead), tuple(old_lines))
        refuted.update(idle for idle, _ in tried[: chosen + 1])
        idle, cut = tried[chosen]
        dead.append(idle)
        _cut_out(old_lines, source, cut)
        source = Text(source).apply([cut.edit])


def _tries(
    base: Sequence[str],
    source: str,
    old_lines: Sequence[int],
    refuted: Container[Idle],
    tried: list[tuple[Idle, Cut]],
) -> Iterator[str]:
    """Yields a policy without one thing or another, and notes each; what was tried in vain is not tried again."""
    text, nearer = Text(source), _nearer(base, source)
    for cut in cuts(source, changed(base, source)):
        idle = Idle(old_lines[cut.line - 1], cut.kind, cut.text)
        if idle not in refuted and nearer(without := text.apply([cut.edit])):
            tried.append((idle, cut))
            yield without


def _nearer(base: Sequence[str], source: str) -> Callable[[str], bool]:
    """Returns what says of a policy whether it differs less from the base; a huge one is not asked."""
    if len(base) + source.count("\n") > _LONGEST:
        return lambda _: True
    now = distance(base, source)
    return lambda without: distance(base, without) < now


def constants(trials: Trials, base: Sequence[str], policy: Trimmed, same: Same, most: int) -> list[Idle]:
    """Returns the numbers, in the lines that differ from the base, that may be others and no case differs.

    Each is doubled and, where that changes nothing, made one and zero; what does not finish then tells nothing.
    """
    found, text = numbers(policy.source, changed(base, policy.source)), Text(policy.source)
    doubled = trials.judge([text.apply(number.others[:1]) for number in found], most)
    left = [number for number, outcome in zip(found, doubled, strict=True) if _may_be_idle(outcome, same)]
    tried = [trials.judge([text.apply([other]) for other in number.others], most) for number in left]
    return [
        Idle(policy.lines[number.line - 1], "constant", number.text)
        for number, outcomes in zip(left, tried, strict=True)
        if _is_idle(outcomes, same)
    ]


def changed(base: Sequence[str], source: str) -> set[int]:
    """Returns the lines of a policy that differ from the base, from 1."""
    found = hunks(base, lines(source), len(source))
    return {line for hunk in found for line in range(hunk.line, hunk.line + len(hunk.new))}


def _may_be_idle(outcome: Outcome, same: Same) -> bool:
    return not isinstance(outcome, Fate) and (outcome.score is None or same(outcome))


def _is_idle(outcomes: Sequence[Outcome], same: Same) -> bool:
    finished = [outcome for outcome in outcomes if not isinstance(outcome, Fate) and outcome.score is not None]
    return bool(finished) and all(map(same, finished)) and Fate.LEFT_OUT not in outcomes


def _cut_out(old_lines: list[int], source: str, cut: Cut) -> None:
    """Takes the numbers of lines out that an edit takes out."""
    data = source.encode()
    begin, end = data.count(b"\n", 0, cut.edit.start), data.count(b"\n", 0, cut.edit.end)
    left = cut.edit.text.count("\n") + 1
    old_lines[begin : end + 1] = old_lines[begin : end + 1][-left:]
