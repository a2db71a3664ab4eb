"""Takes a policy of a run into a repository of the user, with its evidence in the commit message."""

import re
from pathlib import Path

from evolve import branch, verified
from evolve.branch import Made, Place
from evolve.evidence import Found, message
from evolve.finalists import leader
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.report import turns
from evolve.types import EvolveError


def export(
    run: RunFolder,
    journal: Journal,
    to: Path,
    number: int | None = None,
    *,
    path: str | None = None,
    on: str | None = None,
    minimised: bool = False,
) -> Made:
    """Makes a branch with a policy in a repository, and returns it.

    ``number`` defaults to the best candidate, ``path`` and the branch ``on`` which it goes to names after the problem.
    ``minimised`` takes the smallest diff that keeps its gain, which `evolve explain` found.

    Raises:
        EvolveError: there is no such policy, nobody could review it, or it cannot go there.
    """
    found = _found(run, journal, leader(journal) if number is None else number, minimised=minimised)
    word = _word(journal.header.problem)
    default = f"evolve/{word}-{found.candidate.number}{'-minimised' if minimised else ''}"
    at = branch.place(to, f"policies/{word}.py" if path is None else path, default if on is None else on)
    _insist_on_elsewhere(run, at)
    return branch.commit(at, found.text, message(found, at.path))


def _found(run: RunFolder, journal: Journal, number: int, *, minimised: bool) -> Found:
    candidate = turns.candidate(journal, number)
    source = candidate.proposal.source
    known = verified.verified(run, journal, number, source)
    if not minimised:
        return Found(run, journal, candidate, source, known)
    explained, text = verified.explained(run, number, source)
    return Found(run, journal, candidate, text, known, explained)


def _insist_on_elsewhere(run: RunFolder, at: Place) -> None:
    """Refuses a repository that came with the run."""
    if Path(at.root).resolve().is_relative_to(run.path.resolve()):
        raise EvolveError(f"{at.root} lies in the run's own folder; give a repository of yours with --to")


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", name)[:60].strip("-") or "problem"
