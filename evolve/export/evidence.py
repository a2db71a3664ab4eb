"""The evidence for a policy, as the message of the commit that brings it into somebody's repository.

A run's folder may come from anybody, and a commit's message is believed.  So its sentences are ours, with figures that
fit the journal and names that are single words; whatever qualifies a claim stands before it; and a line or a
word with `#`, which git and its hosts take for something else, is nowhere in it.
"""

import re
import textwrap
from collections.abc import Sequence

from evolve import claim
from evolve.duel import Duel
from evolve.explaining.base import policy
from evolve.explaining.scores import Scores
from evolve.export import repeating
from evolve.export.figures import Stood
from evolve.export.found import LATE, Found
from evolve.export.headline import subject
from evolve.export.plainword import word
from evolve.export.verified import Explained, Verified
from evolve.publication.result import sha256
from evolve.report import lineage, runs, tables
from evolve.text import brief, counted, inert, kept, unified

COLUMNS = 100
FOREIGN = "these figures come with the run and were not judged here"
_INDENT = "    "
_FEW = 12
"""Lines of one kind that a message holds at most, whatever the run's files do."""


def message(found: Found, file: str) -> str:
    """Returns the message; ``file`` is the policy's path in the repository.

    The first line says what was shown and no more; the last ones let a stranger measure it again.
    """
    paragraphs = [
        subject(found),
        _wrapped(f"{FOREIGN.capitalize()}: whoever made it may have written them.") if found.foreign else "",
        _wrapped(_origin(found)),
        *_minimised(found),
        *(_proved(found, found.verified) if found.verified else _unproved(found)),
        _wrapped(_search(found)),
        *_to_repeat(found, file),
        f"SHA-256 of the policy:\n\n{_INDENT}{sha256(found.text)}",
    ]
    return inert("\n\n".join(paragraph for paragraph in paragraphs if paragraph)) + "\n"


def _origin(found: Found) -> str:
    header, number = found.journal.header, found.candidate.number
    root = found.journal.roots()[number]
    start, reference = policy(found.journal, root), policy(found.journal, 0)
    aim = f", objective {word(header.objective)}" if header.objective else ""
    said = f"A policy for the problem {found.problem}{aim}; {found.name} of a search by evolve."
    name = word(start.operator)
    if start.proposer != "baseline":
        grown = "It grew from no baseline"
    elif root == number:
        grown = f"It is the baseline {name} itself"
    else:
        grown = f"It grew from the baseline {name}"
    if found.explained is not None:
        return f"{said} {grown}."
    lines = f": {_lines(start.source, found.text)}" if root != number else ""
    against = "" if root == 0 else f" (against the reference: {_lines(reference.source, found.text)})"
    return f"{said} {grown}{lines}{against}."


def _lines(old: str, new: str) -> str:
    changed = unified(old, new, "", "")[2:]
    added, removed = (sum(line.startswith(sign) for line in changed) for sign in "+-")
    return f"{counted(added, 'line')} added, {removed} removed"


def _minimised(found: Found) -> list[str]:
    """Says how the smallest diff relates to what it is compared with, and to the candidate that was judged."""
    if found.explained is None:
        return []
    known, share = found.explained, found.explained.kept
    keeps = "" if share is None else f", namely {share:.1%} of it"
    said = (
        f"This is the smallest part of the difference between {known.base} and {found.name} that was found to keep the "
        f"lead of {found.name} over {known.rival} within a tolerance of {known.tolerance:.1%}{keeps}, on the "
        "cases named first below, on which it was also chosen. To the whole policy it is: "
        f"{_lines(found.text, found.candidate.proposal.source)}."
    )
    ordered = sorted(known.scores.items(), key=lambda each: each[0] != known.cases)
    paragraphs = [_wrapped(said), *(_wrapped(_scores_on(cases, each, known)) for cases, each in ordered)]
    if found.verified is None:
        return [*paragraphs, _wrapped(f"This policy itself was not judged on {found.cases}.")]
    which = "What follows is of the whole policy"
    if found.lesser is None:
        return [*paragraphs, _wrapped(f"{which}; this one itself was not judged on {found.cases}.")]
    late = f", which was {LATE}" if found.late else ""
    return [*paragraphs, _wrapped(f"{which}; a line of the table is of this one{late}.")]


def _scores_on(cases: str, scores: Scores, known: Explained) -> str:
    reached = {
        "this one": scores.minimised,
        "the whole policy": scores.policy,
        known.rival: scores.rival,
        known.base: scores.base,
    }
    said = ", ".join(f"{who} {tables.number(score, 4)}" for who, score in reached.items())
    return f"Scores on {word(cases)}: {said}."


def _proved(found: Found, known: Verified) -> list[str]:
    """Returns what the sealed cases say: in a sentence, of each policy, and against each baseline."""
    said = [claim.conclusion(found.problem, found.name, known), *known.words[:_FEW]]
    better = "lower" if known.direction == "minimize" else "higher"
    note = (
        f"{better} {known.objective} is better; a score is the geometric mean over cases of the ratio to "
        "the reference, the gap closed is of totals"
    )
    return [
        "\n".join(_wrapped(_unnumbered(brief(sentence, 2000))) for sentence in said),
        *([_wrapped(tables.UNSAFE)] if known.unsafe else []),
        f"{_scores(found, known)}\n{_wrapped(note)}",
        *([_duels(known.duels)] if known.duels else []),
        _wrapped(_judged(known)),
    ]


def _unnumbered(sentence: str) -> str:
    return re.sub("#(?=[0-9])", "candidate ", sentence).replace("#", "")


def _scores(found: Found, known: Verified) -> str:
    rows = [_row("reference", known.standings[0]), _row("best baseline", known.rival), _row("found", known.found)]
    rows += [] if found.lesser is None else [_row("this policy", found.lesser)]
    if known.mean_bound is not None:
        rows.append(("bound", "(no policy can do better)", "-", "-", tables.natural(known.mean_bound), "100.0%"))
    score = f"{kept(known.held_out)} score"
    headings = ("", "policy", score, "95% interval", tables.mean_of(brief(known.objective, 30)), "gap closed")
    return tables.table(headings, rows, left=2)


def _row(role: str, row: Stood) -> tuple[str, ...]:
    return (
        role,
        row.name,
        tables.number(row.evaluation.score, 4),
        tables.interval(row.interval, 4),
        tables.natural(row.mean),
        tables.share(row.gap),
    )


def _duels(duels: Sequence[Duel]) -> str:
    rows = [
        (
            duel.baseline,
            tables.number(duel.interval.mean, 4),
            tables.interval(duel.interval, 4),
            *map(str, (duel.better, duel.equal, duel.worse)),
        )
        for duel in duels
    ]
    table = tables.table(("found against", "ratio", "95% interval", "better", "equal", "worse"), rows)
    return f"{table}\nratios above 1 are better; the last columns count cases"


def _judged(known: Verified) -> str:
    walls = ", ".join(known.found.evaluation.layers) or "not known"
    uses = "for the first time" if known.uses == 1 else f"{known.uses} times by now, this policy "
    uses += "" if known.uses == 1 else f"was found {'before' if known.covered else 'after'} the first showed them"
    return f"Judged on {known.cases} {kept(known.held_out)} cases, used {uses}, behind these walls: {walls}."


def _unproved(found: Found) -> list[str]:
    """Returns the scores that are known, and that they prove nothing."""
    judged, number = found.candidate.evaluation, found.candidate.number
    validation = found.journal.evaluation(number, "validation")
    scores = [f"{tables.verdict(judged)} on {found.searched}", *_reached(judged.score)]
    if validation is not None:
        scores += [f"{tables.verdict(validation)} on validation", *_reached(validation.score)]
    which = found.name.capitalize() if found.explained else "It"
    said = (
        f"{which} was not judged on {found.cases}, so that nothing is proved: a search presses on the cases that it "
        f"sees. What it reached there, as the run's journal has it: {', '.join(scores)}; 1 is the reference."
    )
    doubt = f"A verification that lies beside the journal is no evidence: {found.doubt}." if found.doubt else ""
    return [_wrapped(said), _wrapped(doubt), *([_wrapped(tables.UNSAFE)] if judged.unsafe else [])]


def _reached(score: float | None) -> list[str]:
    return [] if score is None else [f"score {tables.number(score, 4)}"]


def _search(found: Found) -> str:
    run = runs.summary(found.run, found.journal, found.candidate.number)
    models = dict.fromkeys(
        word(made.model, 60)
        for entry in lineage.line_to_best(found.journal)
        if (made := found.journal.proposal(entry.number)) is not None and made.model
    )
    asked = f" by {claim.listed(list(models))}" if models else ""
    return f"The search: {run.pace}{asked}; cost {runs.cost(run)}."


def _to_repeat(found: Found, file: str) -> list[str]:
    """Returns the commands with which a stranger measures it again, and what for that has to be the same."""
    header, known = found.journal.header, found.verified
    paragraphs = [
        _wrapped(f"To repeat the measurement ({repeating.same(header)}):"),
        f"{_INDENT}{repeating.score(header, file, known)}",
    ]
    if known is not None and not known.held_out:
        paragraphs += [
            _wrapped(
                "The cases are drawn from that secret, and the secret was drawn by whoever made the run. Its SHA-256, "
                "recorded when the search began:"
            ),
            f"{_INDENT}{known.secret_hash}",
            _wrapped("On fresh cases, which nobody could prepare for, drawn from any word of your own:"),
            f"{_INDENT}{repeating.score_afresh(header, file, known)}",
        ]
    command = repeating.search(header, found.journal.count())
    what = found.name if found.explained else "it"
    return [*paragraphs, *([f"To find {what} again:", f"{_INDENT}{command}"] if command else [])]


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, COLUMNS, break_on_hyphens=False))
