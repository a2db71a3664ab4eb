"""Takes a policy of a run into a repository of the user, with its evidence in the commit message."""

import re
from pathlib import Path

from evolve import begun
from evolve.export import branch, gitdir, verified
from evolve.export.branch import Made
from evolve.export.evidence import message
from evolve.export.found import Found
from evolve.finalists import leader
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.report import turns
from evolve.text import brief
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
    _insist_on_elsewhere(run, journal, to)
    at = branch.place(to, f"policies/{word}.py" if path is None else path, default if on is None else on)
    return branch.commit(at, found.text, message(found, at.path))


def _found(run: RunFolder, journal: Journal, number: int, *, minimised: bool) -> Found:
    candidate = turns.candidate(journal, number)
    if candidate.evaluation.score is None:
        said = f"{candidate.evaluation.verdict} ({brief(candidate.evaluation.feedback, 200)})"
        raise EvolveError(f"candidate {number} is {said}: a policy without a score is not exported; give another ID")
    source = candidate.proposal.source
    known, doubt = verified.verified(run, journal, number, source)
    if not minimised:
        return Found(run, journal, candidate, source, known, doubt)
    explained, text = verified.explained(run, journal, number, source)
    return Found(run, journal, candidate, text, known, doubt, explained)


def _insist_on_elsewhere(run: RunFolder, journal: Journal, to: Path) -> None:
    """Refuses a repository that came with the run, or that a run of somebody else came with.

    Its settings could have git run whatever they name, so that git is not called before.
    """
    folder, at = run.path.resolve(), gitdir.found(to) if to.is_dir() else None
    places = () if at is None else at.tops
    if to.resolve().is_relative_to(folder) or any(place.is_relative_to(folder) for place in places):
        raise EvolveError(f"{to} lies in the run's own folder, or is kept there; give a repository of yours with --to")
    if any(folder.is_relative_to(place) for place in places) and not begun.is_noted(journal.header):
        raise EvolveError(
            f"{run.path} lies in the repository of {to}, and was not begun here: settings of a repository that came "
            "with a run could have git start any program; copy the run elsewhere, or give another repository with --to"
        )


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", name)[:60].strip("-") or "problem"
