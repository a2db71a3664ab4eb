"""A published result on paper: the README that lies beside it, and what is said when it is judged again."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from evolve.publication.figures import Pair, Value
from evolve.publication.losses import Group, Losses
from evolve.publication.rejudge import Fresh, Rejudgement
from evolve.publication.result import Duel, Figure, Published, Result
from evolve.report import tables
from evolve.statistics import Interval
from evolve.text import brief, counted, inert, kept

_WIDTH = 120
_MOST_FIGURES = 40


@dataclass(frozen=True, slots=True)
class Page:
    """What a README is made from, beside the record.

    ``name`` is the result's, ``spec`` what `evolve run` takes for its problem.  ``origin`` says in a line what the
    baseline is that the policy grew from, ``diff`` how the policy differs from the baseline ``differs_from``.
    """

    result: Result
    name: str
    spec: str
    origin: str
    differs_from: str
    diff: str
    losses: tuple[Losses, ...]


def readme(page: Page) -> str:
    """Returns the README of a result, in Markdown; of what it quotes nothing is obeyed."""
    parts = [
        f"# {page.result.problem}: {page.name}",
        *_verdict(page.result),
        "## What it does",
        *_about(page),
        "## Scores",
        *_scores(page.result),
        "## Where it loses",
        *_losses(page),
        f"## How it differs from {_code(page.differs_from)}",
        _fenced(page.diff or "not at all", "diff"),
        "## Repeat it",
        *_repeat(page),
        "## How it was found",
        _fenced("\n".join(_found(page.result))),
    ]
    return "\n\n".join(parts) + "\n"


def describe(published: Published) -> str:
    """Returns what was published and where, in a few lines."""
    result = published.result
    return "\n".join(
        [
            result.conclusion,
            *([tables.UNSAFE] if result.unsafe else []),
            "",
            score_table(result),
            "",
            f"published {published.path}",
            f"command   {result.search.command or 'none: models wrote policies, and would not write the same again'}",
            f"again     evolve verify {published.path}",
        ]
    )


def describe_again(found: Rejudgement) -> str:
    """Returns what came of judging a result again, the answer first."""
    answer = "agrees with its record" if found.agrees else "does not agree with its record"
    lines = [
        f"{found.result} {'could not be judged here' if found.slow else answer}: {found.said}",
        *([tables.UNSAFE] if found.unsafe else []),
        *_compared(found.pairs),
        *([] if found.fresh is None else _on_fresh(found.fresh)),
        "",
        "not judged again:",
        *(f"  {what}" for what in found.unjudged),
        *(f"changed since it was published: {change}" for change in found.changes),
        *found.failures,
    ]
    return "\n".join(lines)


def _compared(pairs: Sequence[Pair]) -> list[str]:
    """Returns the main figures and those that differ, each by its place in the record, and how many there are."""
    if not pairs:
        return []
    differ = [pair for pair in pairs if not pair.same]
    shown = [pair for pair in pairs if pair.main or pair in differ][:_MOST_FIGURES]
    rows = [(brief(pair.name, 80), *_exact(pair), "yes" if pair.same else "no") for pair in shown]
    said = f"{len(differ)} differ" if differ else "all equal"
    table = tables.table(("figure", "published", "now", "the same"), rows)
    return ["", table, "", f"{counted(len(pairs), 'figure')} compared, {said}"]


def _on_fresh(fresh: Fresh) -> list[str]:
    """Says how the policy does on cases that nobody could choose, and why that was asked."""
    score = "none" if fresh.score is None else _interval(fresh.score)
    ratio = "none" if fresh.ratio is None else _interval(fresh.ratio)
    return [
        "its sealed cases follow from a secret that its publisher chose; believe a stranger's no more than fresh ones:",
        f"on fresh sealed cases: score {score}, ratio to the baseline {brief(fresh.baseline, 60)} {ratio}",
        *([fresh.failure] if fresh.failure else []),
    ]


def _interval(interval: Interval) -> str:
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def _exact(pair: Pair) -> tuple[str, str]:
    """Returns two figures with as many digits as it takes to see that they differ, at least seven."""
    both = ((_digits(pair.published, digits), _digits(pair.now, digits)) for digits in range(7, 18))
    return next((shown for shown in both if pair.same or shown[0] != shown[1]), ("-", "-"))


def _digits(value: Value, digits: int) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else brief(str(value), 40)


def score_table(result: Result) -> str:
    """Returns reference, best baseline, policy and bound side by side."""
    sealed = result.sealed
    rows = [
        _row("reference", sealed.reference, sealed.stretches),
        _row("best baseline", sealed.best_baseline, sealed.stretches),
        _row("this policy", sealed.found, sealed.stretches),
    ]
    if sealed.bound is not None:
        rows.append(("bound", "(no policy can do better)", "-", "-", "-", tables.natural(sealed.bound), "100.0%"))
    scores = f"{brief(result.search.cases, 30)} score", f"{_kept(result)} score"
    headings = ("", "policy", *scores, "95% interval", f"mean {result.objective.metric}", "gap closed")
    return tables.table(headings, rows, left=2)


def _row(role: str, figure: Figure, stretches: int) -> tuple[str, ...]:
    interval = f"[{figure.low:.3f}, {figure.high:.3f}]" if stretches > 1 else "-"
    scores = tables.number(figure.train), tables.number(figure.sealed)
    return (role, figure.policy, *scores, interval, tables.natural(figure.mean), tables.share(figure.gap_closed))


def _verdict(result: Result) -> list[str]:
    """Returns the conclusion, with what takes from it."""
    said = result.conclusion.removeprefix(f"{result.problem}: ")
    marks = [f"**{tables.UNSAFE}**"] if result.unsafe else []
    return [*marks, _paragraph(f"{_plain(said[:1].upper() + said[1:])}.")]


def _about(page: Page) -> list[str]:
    result = page.result
    about = [_paragraph(_plain(result.about))] if result.about else []
    first = result.lineage[0]
    origin = "" if page.origin in (first.operator, first.proposer) else f" ({_code(page.origin)})"
    if result.baseline is not None:
        return [*about, _paragraph(f"It is the baseline {_code(result.baseline)} as it stands{origin}.")]
    if len(result.lineage) < 2:
        return [*about, _paragraph("It was written without a parent.")]
    start = _code(first.operator or first.proposer)
    count = counted(len(result.lineage) - 1, "step")
    grew = f"It grew from the baseline {start}{origin}. The search changed that in {count}:"
    rows = [
        (f"#{step.number}", tables.number(step.score), step.model or step.operator or step.proposer, step.rationale)
        for step in result.lineage[1:]
    ]
    head, _, *steps = tables.table(("candidate", "score", "by", "change"), rows, left=4).splitlines()
    return [*about, _paragraph(grew), _fenced("\n".join([head, *steps]))]


def _scores(result: Result) -> list[str]:
    better = "Lower" if result.objective.direction == "minimize" else "Higher"
    spread = result.sealed.spread
    explained = (
        f"{better} {_code(result.objective.metric)} is better. A score is the geometric mean over cases of the ratio "
        "to the reference on the same case: above 1 is better than the reference. The gap closed is the share of the "
        "way from the reference to the bound, on totals. Over the "
        f"{counted(result.sealed.cases, f'{_kept(result)} case')} the ratio runs from {spread.least:.3f} to "
        f"{spread.most:.3f}; its quartiles are {spread.quarter:.3f}, {spread.median:.3f} and "
        f"{spread.three_quarters:.3f}."
    )
    failed = [f"{name} is {said}" for name, said in result.sealed.failed.items()]
    return [
        _fenced(score_table(result)),
        _paragraph(explained),
        *([_paragraph(f"Scores rest on {_code(result.basis)}.")] if result.basis else []),
        *_duels(result.sealed.duels),
        *([_fenced("\n".join(["failed:", *failed]))] if failed else []),
    ]


def _duels(duels: Sequence[Duel]) -> list[str]:
    rows = [
        (
            duel.baseline,
            f"{duel.ratio:.4f}",
            f"[{duel.low:.4f}, {duel.high:.4f}]",
            *map(str, (duel.better, duel.equal, duel.worse)),
        )
        for duel in duels
    ]
    headings = ("this policy against", "ratio", "95% interval", "better", "equal", "worse")
    return [_fenced(tables.table(headings, rows))] if rows else []


def _losses(page: Page) -> list[str]:
    """Returns against each baseline the worst cases, and how groups of cases fare."""
    parts = []
    for lost in page.losses:
        cases = counted(page.result.sealed.cases, f"{_kept(page.result)} case")
        against = f"Against {_code(lost.against)} it is worse on {lost.worse} of {cases}"
        worst = [(loss.case, f"{loss.ratio:.3f}") for loss in lost.worst]
        if not worst:
            parts.append(_paragraph(f"{against}."))
            continue
        parts.append(_paragraph(f"{against}; the worst of them:"))
        parts.append(_fenced(tables.table(("case", "ratio"), worst)))
        if lost.groups:
            parts.append(_paragraph("Of all cases, by what their labels share:"))
            parts.append(_fenced(_groups(lost.groups)))
    return parts or ["It has no other policy to lose to."]


def _groups(groups: Sequence[Group]) -> str:
    rows = [(group.word, str(group.cases), f"{group.ratio:.3f}", str(group.worse)) for group in groups]
    return tables.table(("cases", "number", "ratio", "worse on"), rows)


def _repeat(page: Page) -> list[str]:
    result = page.result
    spec, named = page.spec, "" if page.spec == result.problem else f" --problem {page.spec}"
    here = f"results/{result.problem}/{page.name}"
    parts = []
    if result.search.command is None:
        parts.append(
            _paragraph("Models wrote policies, and would not write the same again: the search has no command.")
        )
    else:
        parts += [_fenced(f"{result.search.command} --out RUN\nevolve verify RUN", "sh"), _paragraph(_fresh(result))]
    cases, fresh = ("held-out", "") if result.seal.held_out else ("very same sealed", " and on fresh ones")
    again = (
        f"This judges the policy here and every baseline on the {cases} cases{fresh}, and compares the figures "
        "with the record:"
    )
    other = dict.fromkeys(("reference", result.sealed.best_baseline.policy))
    objective = f" --objective {result.objective.name}" if result.objective.name else ""
    score = f"evolve score {spec}{objective} {here}/policy.py {' '.join(other)}"
    return [*parts, _paragraph(again), _fenced(f"evolve verify {here}{named}\n{score}", "sh")]


def _fresh(result: Result) -> str:
    """Says what repeating a search comes to."""
    if result.objective.timed:
        return (
            "This repeats the search, but what it times is never twice the same, so it may go another way: then it is "
            "about the score that repeats, not the policy."
        )
    same = (
        "The same code and versions find the same policy, with any number of workers. (Whatever ended the search, its "
        "number of evaluations repeats it.) "
    )
    if result.seal.held_out:
        return f"{same}It has the same score, for the held-out cases are the same for all."
    return (
        f"{same}The sealed cases are drawn anew, so the score differs a little; it should lie in the interval above, "
        "or near it."
    )


def _found(result: Result) -> list[str]:
    search, versions, seal = result.search, result.versions, result.seal
    dollars = "unknown price" if search.dollars is None else tables.dollars(search.dollars)
    tokens = f", {search.input_tokens} tokens in, {search.output_tokens} out" if search.models else ""
    uses = "used once" if seal.uses == 1 else f"used {seal.uses} times"
    if seal.uses_after_reveal:
        uses += f", {seal.uses_after_reveal} of them after {tables.revealed(seal.held_out)}"
    validation = "" if result.validation is None else f"; validation score {result.validation:.4f}"
    return [
        f"search   seed {search.seed}, {counted(search.evaluations, 'evaluation')} in {search.minutes:.1f} minutes on "
        f"{counted(search.cores, 'core')}{validation}",
        f"written  {brief(search.proposers, 200)}; {dollars}{tokens}",
        f"begun    {brief(search.started, 40)}",
        f"cases    {result.sealed.cases} {_kept(result)}, of {result.sealed.stretches} independent stretches; {uses}",
        *([] if seal.held_out else [f"secret   {brief(seal.secret, 80)}, its SHA-256 recorded when the search began"]),
        f"walls    {', '.join(map(str, result.walls)) or 'not known'}",
        f"versions evolve {versions.evolve}, Python {versions.python}, numpy {versions.numpy}, Optuna "
        f"{versions.optuna}, {versions.machine}; problem {versions.problem}",
        f"policy   SHA-256 {result.policy_sha256}",
    ]


def _kept(result: Result) -> str:
    return kept(result.seal.held_out)


def _paragraph(text: str) -> str:
    """Returns text in lines, none of which begins a list, a rule or a heading."""
    filled = textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return re.sub(r"(?m)^(?=[-+=#>])|(?<=^)\d+(?=[.)](?:\s|$))", r"\g<0>\\", filled)


def _plain(text: str) -> str:
    """Returns text of one paragraph without links, tags or code in it; names of baselines stay as they are."""
    marks = r"[\\`*\[\]<>|&~]|#(?=[# ])|=(?==)|(?<![^\W_])_|_(?![^\W_])|(?<=:)/(?=/)|(?<=www)\."
    return re.sub(f"({marks})", r"\\\1", brief(text, 4000), flags=re.IGNORECASE)


def _code(text: str) -> str:
    """Returns a few words as code on one line."""
    return f"`{brief(text, 200).replace('`', chr(39))}`"


def _fenced(text: str, language: str = "text") -> str:
    """Returns a block of code with fences that nothing in it can end."""
    shown = inert(text)
    longest = max(map(len, re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"
