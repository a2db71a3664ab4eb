"""What each hunk of a difference is worth: the policy without it, and the base with it alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from evolve.explaining.hunks import Hunk, applied
from evolve.explaining.measure import Measure
from evolve.explaining.trials import Fate, Outcome, Trials
from evolve.statistics import Interval
from evolve.text import brief
from evolve.types import Evaluation

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Effect:
    """How many times better a policy is with a hunk than without it; else ``note`` says why that is not known.

    ``none``: no case changes.
    """

    factor: Interval | None
    none: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Worth:
    """A hunk with its effect in the policy, and its effect alone on the base.

    ``needed``: without it the gain is not kept within the tolerance.
    """

    number: int
    line: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    policy: Effect
    alone: Effect
    needed: bool


def code(trials: Trials, base: Sequence[str], hunks: Sequence[Hunk]) -> list[Hunk]:
    """Returns the hunks that are code: not only comments, docstrings and layout."""
    whole = trials.key(applied(base, hunks))
    return [hunk for hunk in hunks if trials.key(_without(base, hunks, hunk)) != whole]


def worths(
    trials: Trials, measure: Measure, base: Sequence[str], hunks: Sequence[Hunk], code: Sequence[Hunk]
) -> list[Worth]:
    """Returns the worth of each hunk that is code; at most two variants of each are judged, all at once."""
    variants = [source for hunk in code for source in (_without(base, hunks, hunk), applied(base, [hunk]))]
    outcomes = trials.judge(variants)
    pairs = zip(outcomes[::2], outcomes[1::2], strict=True)
    return [
        _worth(number, hunk, measure, without, alone)
        for number, (hunk, (without, alone)) in enumerate(zip(code, pairs, strict=True), 1)
    ]


def _worth(number: int, hunk: Hunk, measure: Measure, without: Outcome, alone: Outcome) -> Worth:
    needed = without is Fate.NO_PYTHON or (isinstance(without, Evaluation) and not measure.enough(without))
    in_policy = _effect(measure, measure.policy, without) or Effect(None, note=f"without it: {_said(without)}")
    on_base = _effect(measure, alone, measure.base) or Effect(None, note=f"alone: {_said(alone)}")
    return Worth(number, hunk.line, hunk.old, hunk.new, in_policy, on_base, needed)


def _effect(measure: Measure, one: Outcome, other: Outcome) -> Effect | None:
    """Returns what one is against the other; None where either has no score."""
    if isinstance(one, Fate) or isinstance(other, Fate):
        return None
    factor = measure.factor(one, other)
    return None if factor is None else Effect(factor, measure.same(one, other))


def _said(outcome: Outcome) -> str:
    if isinstance(outcome, Fate):
        return str(outcome)
    if outcome.score is not None:
        return "the base has no score"
    return brief(f"{outcome.verdict}: {outcome.feedback}", _LONGEST)


def _without(base: Sequence[str], hunks: Sequence[Hunk], left_out: Hunk) -> str:
    return applied(base, [hunk for hunk in hunks if hunk is not left_out])
