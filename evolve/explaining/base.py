"""What a found policy is compared with: the reference, or the baseline that it grew from."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from evolve.journal import Journal
from evolve.journal.database import ADVICE, JournalError
from evolve.text import brief, unified
from evolve.types import Baseline, EvolveError, Proposal


@dataclass(frozen=True, slots=True)
class Base:
    """A policy that another is compared with."""

    name: str
    source: str


def start(journal: Journal, number: int) -> Base:
    """Returns the baseline that a candidate grew from, by first parents."""
    made = policy(journal, journal.roots()[number])
    return Base(made.operator or made.proposer, made.source)


def nearest(journal: Journal, number: int) -> Base:
    """Returns the reference, or the baseline that a candidate grew from where fewer lines differ."""
    reference, found = policy(journal, 0), policy(journal, number)
    choices = [Base("reference", reference.source), start(journal, number)]
    return min(choices, key=lambda base: _changed(base.source, found.source))


def policy(journal: Journal, number: int) -> Proposal:
    """Returns a policy that others grew from, or are compared with.

    Raises:
        JournalError: there is none of that number.
    """
    made = journal.proposal(number)
    if made is None:
        raise JournalError(f"the journal is damaged: turn {number}, which others grew from, led to no policy; {ADVICE}")
    return made


def named(problem: str, baselines: Sequence[Baseline], name: str) -> Base:
    """Returns a baseline of a problem by its name.

    Raises:
        EvolveError: there is none; the message names the nearest known one.
    """
    known = {baseline.name: baseline.source for baseline in baselines}
    if name in known:
        return Base(name, known[name])
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise EvolveError(f"{problem} has no baseline {brief(name, 60)!r}; {hint}there are: {', '.join(known)}")


def _changed(old: str, new: str) -> int:
    """Returns how many lines of a diff are added or removed."""
    return sum(line[:1] in ("+", "-") for line in unified(old, new, "", "")[2:])
