"""Where a policy loses to another: its worst cases, and its ratio over groups of cases whose labels share a word."""

from collections.abc import Sequence
from dataclasses import dataclass

from evolve.statistics import geometric_mean
from evolve.types import Evaluation

WORST = 5
_FEWEST_CASES = 5
"""In a group: the mean over fewer says little."""

_MOST_GROUPS = 8
"""That one place in a label may make: more are no settings but numbers of cases."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A case with its ratio to the other policy; below one the policy is worse."""

    case: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Group:
    """Cases whose labels share a word, the geometric mean of their ratios, and how many of them lie below one."""

    word: str
    cases: int
    ratio: float
    worse: int


@dataclass(frozen=True, slots=True)
class Losses:
    """Where a policy loses to ``against``: its worst cases, and all groups, each from the worst on."""

    against: str
    worse: int
    worst: tuple[Loss, ...]
    groups: tuple[Group, ...]


def losses(against: str, found: Evaluation, other: Evaluation) -> Losses:
    """Returns where a policy loses to another on the same cases; both have finished all of them."""
    pairs = zip(found.cases, other.cases, strict=True)
    ratios = [Loss(ours.case, ours.ratio / theirs.ratio) for ours, theirs in pairs]
    below = sorted((loss for loss in ratios if _is_worse(loss)), key=lambda loss: loss.ratio)
    return Losses(against, len(below), tuple(below[:WORST]), tuple(_groups(ratios)))


def _groups(ratios: Sequence[Loss]) -> list[Group]:
    """Returns the groups that the parts of labels such as "test 17, 52 h, 72 s" make, of each part by its place."""
    labels = [[part.strip() for part in loss.case.split(",")] for loss in ratios]
    found = []
    for place in range(min(map(len, labels))):
        words = [label[place] for label in labels]
        known = sorted(set(words))
        if 1 < len(known) <= _MOST_GROUPS and min(map(words.count, known)) >= _FEWEST_CASES:
            found += [
                _group(name, [r for r, word in zip(ratios, words, strict=True) if word == name]) for name in known
            ]
    return sorted(found, key=lambda group: group.ratio)


def _group(word: str, ratios: Sequence[Loss]) -> Group:
    mean = geometric_mean([loss.ratio for loss in ratios])
    return Group(word, len(ratios), mean, sum(map(_is_worse, ratios)))


def _is_worse(loss: Loss) -> bool:
    return loss.ratio < 1 - 1e-9
