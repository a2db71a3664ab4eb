"""The evidence for a policy, as the message of the commit that brings it into somebody's repository."""

import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evolve import catalog
from evolve.duel import Duel
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.recipe import recipe
from evolve.report import lineage, runs, tables
from evolve.text import brief, counted, inert, kept, unified
from evolve.types import Candidate
from evolve.verified import Explained, Scores, Stood, Verified, sha256

COLUMNS = 100
_INDENT = "    "
_FEW = 12
"""Lines of one kind that a message holds at most, whatever the run's files do."""


@dataclass(frozen=True, slots=True)
class Found:
    """A policy of a run with what is known of it.

    ``verified`` is what the sealed cases say of the candidate, where they were asked.  ``explained`` is there where
    ``text``, the policy, is not the candidate's but the smallest diff that keeps its gain.
    """

    run: RunFolder
    journal: Journal
    candidate: Candidate
    text: str
    verified: Verified | None
    explained: Explained | None = None

    @property
    def problem(self) -> str:
        """The name of the problem."""
        return brief(self.journal.header.problem, 60)

    @property
    def cases(self) -> str:
        """How the cases are called that no search has seen."""
        return f"{kept(self.journal.header.held_out)} cases"


def message(found: Found, file: str) -> str:
    """Returns the message; ``file`` is the policy's path in the repository.

    The first line says what was shown and no more; the last ones let a stranger measure it again.
    """
    paragraphs = [
        brief(subject(found), 120),
        _wrapped(_origin(found)),
        *_minimised(found),
        *(_proved(found, found.verified) if found.verified else _unproved(found)),
        _wrapped(_search(found)),
        *_to_repeat(found, file),
        f"SHA-256 of the policy:\n\n{_INDENT}{sha256(found.text)}",
    ]
    return inert("\n\n".join(paragraph for paragraph in paragraphs if paragraph)) + "\n"


def subject(found: Found) -> str:
    """Returns in one line what the policy is, and what it was shown to be worth."""
    which = f"smallest diff of #{found.candidate.number}" if found.explained else "policy"
    what, known = f"{found.problem}: {which} found by evolve", found.verified
    if found.candidate.evaluation.score is None:
        return f"{what}, {found.candidate.evaluation.verdict} on {_searched(found)}"
    if known is None:
        return f"{what}, not judged on {found.cases}"
    whole = "; the whole: " if found.explained else ", "
    return f"{what}{whole}{_worth(found, known)}"


def _worth(found: Found, known: Verified) -> str:
    if known.unsafe:
        return "judged where the sandbox does not stand"
    if known.baseline is not None:
        return f"no other than the baseline {brief(known.baseline, 40)}"
    if known.found.evaluation.score is None:
        return f"{known.found.evaluation.verdict} on {found.cases}"
    if known.unbeaten or not known.duels:
        return f"not shown to beat {brief(', '.join(known.unbeaten), 60)} on {found.cases}"
    least = min(known.duels, key=lambda duel: duel.interval.mean)
    ahead = f"{least.interval.mean - 1:.2%} better than {brief(least.baseline, 40)} on {found.cases}"
    return ahead if known.proved else f"{ahead}, which is no proof"


def _origin(found: Found) -> str:
    header, number = found.journal.header, found.candidate.number
    root = found.journal.roots()[number]
    start, reference = found.journal.proposal(root), found.journal.proposal(0)
    assert start is not None
    assert reference is not None
    aim = f", objective {brief(header.objective, 60)}" if header.objective else ""
    said = f"A policy for the problem {found.problem}{aim}; candidate #{number} of a search by evolve."
    if start.proposer != "baseline":
        grown = "It grew from no baseline"
    elif root == number:
        grown = f"It is the baseline {brief(start.operator, 60)} itself"
    else:
        grown = f"It grew from the baseline {brief(start.operator, 60)}: {_lines(start.source, found.text)}"
    against = "" if root == 0 else f" (against the reference: {_lines(reference.source, found.text)})"
    return f"{said} {grown}{against}."


def _lines(old: str, new: str) -> str:
    changed = unified(old, new, "", "")[2:]
    added, removed = (sum(line.startswith(sign) for line in changed) for sign in "+-")
    return f"{counted(added, 'line')} added, {removed} removed"


def _minimised(found: Found) -> list[str]:
    """Says how the smallest diff relates to the candidate that was judged."""
    if found.explained is None:
        return []
    share, whole = found.explained.lead_kept, found.candidate
    keeps = "" if share is None else f", namely {share:.1%} of it"
    said = (
        f"This is the smallest part of what the search changed in #{whole.number} that was found to keep its lead over "
        f"{brief(found.explained.rival, 60)} within a tolerance of {found.explained.tolerance:.1%}{keeps}, on the "
        "cases named first below, on which it was also chosen. To the whole policy it is: "
        f"{_lines(found.text, whole.proposal.source)}."
    )
    scores = list(found.explained.scores.items())[:_FEW]
    paragraphs = [_wrapped(said), *(_wrapped(_scores_on(cases, each, found.explained)) for cases, each in scores)]
    if found.verified is None:
        return paragraphs
    own = _lesser(found, found.verified)
    which = "What follows is of the whole policy" + (
        "; a line of the table is of this one." if own else ", not of this one."
    )
    return [*paragraphs, which]


def _scores_on(cases: str, scores: Scores, known: Explained) -> str:
    reached = {
        "this one": scores.minimised,
        "the whole policy": scores.policy,
        brief(known.rival, 60): scores.rival,
        brief(known.base, 60): scores.base,
    }
    said = ", ".join(f"{who} {tables.number(score, 4)}" for who, score in reached.items())
    return f"Scores on {brief(cases, 60)}: {said}."


def _lesser(found: Found, known: Verified) -> Stood | None:
    """Returns how the smallest diff itself did on the sealed cases, where that is known."""
    lesser = known.minimised
    return lesser.standing if found.explained and lesser and lesser.sha256 == sha256(found.text) else None


def _proved(found: Found, known: Verified) -> list[str]:
    """Returns what the sealed cases say: in a sentence, of each policy, and against each baseline."""
    said = [known.conclusion, *known.words[:_FEW]]
    better = "lower" if known.direction == "minimize" else "higher"
    note = (
        f"{better} {brief(known.objective, 60)} is better; a score is the geometric mean over cases of the ratio to "
        "the reference, the gap closed is of totals"
    )
    return [
        "\n".join(_wrapped(brief(sentence, 600)) for sentence in said),
        *([_wrapped(tables.UNSAFE)] if known.unsafe else []),
        f"{_scores(found, known)}\n{_wrapped(note)}",
        *([_duels(known.duels)] if known.duels else []),
        _wrapped(_judged(known)),
    ]


def _scores(found: Found, known: Verified) -> str:
    rows = [_row("reference", known.standings[0]), _row("best baseline", known.rival), _row("found", known.found)]
    lesser = _lesser(found, known)
    rows += [] if lesser is None else [_row("this policy", lesser)]
    if known.mean_bound is not None:
        rows.append(("bound", "(no policy can do better)", "-", "-", tables.natural(known.mean_bound), "100.0%"))
    score = f"{kept(known.held_out)} score"
    headings = ("", "policy", score, "95% interval", tables.mean_of(brief(known.objective, 30)), "gap closed")
    return tables.table(headings, rows, left=2)


def _row(role: str, row: Stood) -> tuple[str, ...]:
    return (
        role,
        brief(row.name, 32),
        tables.number(row.evaluation.score, 4),
        tables.interval(row.interval, 4),
        tables.natural(row.mean),
        tables.share(row.gap),
    )


def _duels(duels: Sequence[Duel]) -> str:
    rows = [
        (
            brief(duel.baseline, 40),
            tables.number(duel.interval.mean, 4),
            tables.interval(duel.interval, 4),
            *map(str, (duel.better, duel.equal, duel.worse)),
        )
        for duel in duels
    ]
    table = tables.table(("found against", "ratio", "95% interval", "better", "equal", "worse"), rows)
    return f"{table}\nratios above 1 are better; the last columns count cases"


def _judged(known: Verified) -> str:
    walls = brief(", ".join(known.found.evaluation.layers), 200) or "not known"
    uses = "for the first time" if known.uses == 1 else f"{known.uses} times by now, this policy "
    uses += "" if known.uses == 1 else f"was found {'before' if known.covered else 'after'} the first showed them"
    return f"Judged on {known.cases} {kept(known.held_out)} cases, used {uses}, behind these walls: {walls}."


def _unproved(found: Found) -> list[str]:
    """Returns the scores that are known, and that they prove nothing."""
    judged, number = found.candidate.evaluation, found.candidate.number
    validation = found.journal.evaluation(number, "validation")
    scores = [f"{tables.verdict(judged)} on {_searched(found)}", *_reached(judged.score)]
    if validation is not None:
        scores += [f"{tables.verdict(validation)} on validation", *_reached(validation.score)]
    which = f"#{number}" if found.explained else "It"
    said = (
        f"{which} was not judged on {found.cases}, so that nothing is proved: a search presses on the cases that it "
        f"sees. What it reached there: {', '.join(scores)}; 1 is the reference."
    )
    return [_wrapped(said), *([_wrapped(tables.UNSAFE)] if judged.unsafe else [])]


def _reached(score: float | None) -> list[str]:
    return [] if score is None else [f"score {tables.number(score, 4)}"]


def _searched(found: Found) -> str:
    return brief(found.journal.header.cases, 60)


def _search(found: Found) -> str:
    run = runs.summary(found.run, found.journal, found.candidate.number)
    models = dict.fromkeys(
        brief(made.model, 60)
        for entry in lineage.line_to_best(found.journal)
        if (made := found.journal.proposal(entry.number)) is not None and made.model
    )
    asked = f" by {brief(', '.join(models), 300)}" if models else ""
    return f"The search: {run.pace}{asked}; cost {runs.cost(run)}."


def _to_repeat(found: Found, file: str) -> list[str]:
    """Returns the commands with which a stranger measures it again, and what for that has to be the same."""
    header, known = found.journal.header, found.verified
    same = f"evolve {brief(header.engine, 20)}, {found.problem} with the digest {brief(header.digest, 64)}"
    paragraphs = [f"To repeat the measurement ({same}):", f"{_INDENT}{_score(found, file)}"]
    if known is not None and not known.held_out:
        paragraphs += [
            _wrapped("The cases are drawn from that secret. Its SHA-256, recorded when the search began:"),
            f"{_INDENT}{known.secret_hash}",
        ]
    command = recipe(header, _spec(header.spec), found.journal.count(), brief(header.objective, 60))
    what = f"#{found.candidate.number}" if found.explained else "it"
    return [*paragraphs, *([f"To find {what} again:", f"{_INDENT}{command}"] if command else [])]


def _score(found: Found, file: str) -> str:
    header, known = found.journal.header, found.verified
    words = ["evolve", "score", _spec(header.spec), file]
    words += ["--objective", brief(header.objective, 60)] if header.objective else []
    if known is not None:
        rival = [] if known.rival.name == known.standings[0].name else [brief(known.rival.name, 100)]
        words += [*rival, "--revealed", brief(known.secret, 100)]
    elif header.cases != "train":
        words += ["--cases", brief(Path(header.cases).name, 100)]
    return shlex.join(words)


def _spec(spec: str) -> str:
    """Returns what a problem is called on any machine: its name, or that of its file or folder."""
    if spec in catalog.names():
        return spec
    path = Path(brief(spec, 1000))
    return path.parent.name if path.name == "problem.py" else path.name


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, COLUMNS, break_on_hyphens=False))
