"""What is compared: a side of a difference is a candidate of a run, a baseline or a file."""

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evolve import policyfile
from evolve.finalists import leader
from evolve.journal import Journal
from evolve.report.turns import candidate, origin
from evolve.text import brief
from evolve.types import Candidate, EvolveError

BEST, REFERENCE, PARENT = "best", "reference", "parent"
_NUMBER = re.compile(r"#?(-?[0-9]{1,18})")
_REFERENCE_NUMBER = 0
_SHOWN = 12
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Side:
    """One side: a policy under a name that may be shown."""

    name: str
    source: str


def pair(journal: Journal, named: Sequence[str] = ()) -> tuple[Side, Side]:
    """Returns what to compare: reference and best, a base and what the user names, or the two that are named.

    A name is a candidate's number, ``best``, a baseline's name, ``parent`` (of the other side), or a file.

    Raises:
        EvolveError: there is no such thing; the message names the nearest known one.
    """
    if not named:
        return pair(journal, (REFERENCE, BEST))
    if len(named) == 1:
        return pair(journal, (PARENT, BEST) if named[0] == PARENT else (REFERENCE, named[0]))
    old, new = named
    if old == new == PARENT:
        raise EvolveError("each side would be the parent of the other; name a candidate on one side")
    if old == PARENT:
        return _parent(journal, new), side(journal, new)
    if new == PARENT:
        return side(journal, old), _parent(journal, old)
    return side(journal, old), side(journal, new)


def side(journal: Journal, name: str) -> Side:
    """Returns the policy of a name.

    Raises:
        EvolveError: there is no such candidate, baseline or file, or it cannot be read.
    """
    number = _number(journal, name)
    if number is not None:
        return _candidate(journal, number)
    return Side(brief(name, 200), policyfile.read(name, _known_baselines(journal)))


def of(found: Candidate) -> Side:
    """Returns a candidate as a side."""
    return Side(f"#{found.number} ({origin(found.proposal.proposer, found.proposal.operator)})", found.proposal.source)


def _number(journal: Journal, name: str) -> int | None:
    """Returns the number of the candidate that a name means, or None where it means a file."""
    if written := _NUMBER.fullmatch(name):
        return int(written[1])
    if name == BEST:
        return leader(journal)
    if name == REFERENCE:
        return _REFERENCE_NUMBER
    baselines = journal.baselines()
    if name in baselines:
        return baselines[name]
    if not (os.path.lexists(name) or os.sep in name or name.endswith(".py")):
        raise _unknown(name, baselines)
    return None


def _parent(journal: Journal, of_: str) -> Side:
    number = _number(journal, of_)
    if number is None:
        raise EvolveError(f"{brief(of_, 200)} is a file, and only a candidate has a parent; name the other side")
    parents = candidate(journal, number).proposal.parents
    if not parents:
        raise EvolveError(f"#{number} has no parent: its lineage begins with it")
    return _candidate(journal, parents[0])


def _candidate(journal: Journal, number: int) -> Side:
    found = candidate(journal, number)
    if len(found.proposal.source) > policyfile.MAX_BYTES:  # a stranger's: none is judged here
        raise EvolveError(f"#{number} has {len(found.proposal.source):,} characters; that is no policy to compare")
    return of(found)


def _unknown(name: str, baselines: Iterable[str]) -> EvolveError:
    known = list(dict.fromkeys([BEST, PARENT, REFERENCE, *baselines]))
    close = difflib.get_close_matches(name[:_WIDTH], [word[:_WIDTH] for word in known], 1)
    hint = f"; did you mean {brief(close[0], _WIDTH)!r}?" if close else ""
    words = ", ".join(brief(word, _WIDTH) for word in known[:_SHOWN])
    return EvolveError(
        f"no candidate, baseline or file {brief(name, _WIDTH)!r}{hint or f'; expected a number, {words}, or a file'}"
    )


def _known_baselines(journal: Journal) -> list[str]:
    return [brief(name, _WIDTH) for name in list(journal.baselines())[:_SHOWN]]
