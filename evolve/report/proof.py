"""A verification on paper: sealed scores, duels with every baseline, the diff, and where the run lies."""

import shlex
from collections.abc import Mapping
from typing import Any

from evolve import claim
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.problem import Problem
from evolve.report import lineage, robustness, runs, tables, turns
from evolve.standings import Standing
from evolve.text import brief, inert, kept
from evolve.verify import Verification


def proof(folder: RunFolder, journal: Journal, problem: Problem, result: Verification, *, colour: bool) -> str:
    """Returns all that was found out, the conclusion first."""
    run = runs.summary(folder, journal, result.number)
    better = "lower" if problem.direction == "minimize" else "higher"
    return "\n".join(
        [
            inert(conclusion(problem, result)),
            *map(inert, words(result)),
            *([tables.UNSAFE] if result.unsafe else []),
            "",
            _scores(result, problem.objective, brief(run.header.cases, 30)),
            f"{better} {problem.objective} is better; a score is the geometric mean over cases of the ratio to the "
            "reference, the gap closed is of totals",
            *_bases(run.header, result),
            "",
            *_duels(result),
            *_failures(result),
            *_conditions(result),
            *_kept(result),
            f"walls   {', '.join(result.found.evaluation.layers) or 'not known'}",
            f"search  {run.pace}{_cases(run)}; cost {runs.cost(run)}",
            *map(inert, _files(folder, result)),
            "",
            *_descent(journal, colour=colour),
            "against the reference:",
            lineage.diff(journal, [result.number], colour=colour),
            *map(inert, _next(folder, result)),
        ]
    )


def record(folder: RunFolder, journal: Journal, problem: Problem, result: Verification) -> Mapping[str, Any]:
    """Returns the same for programs, with what others need to judge again."""
    return {
        "problem": problem.name,
        "objective": problem.objective,
        "direction": problem.direction,
        "run": runs.summary(folder, journal, result.number),
        "policy": turns.candidate(journal, result.number).proposal.source,
        "diff": lineage.diff(journal, [result.number]),
        "conclusion": conclusion(problem, result),
        "words": words(result),
        "proved": result.proved,
        "unsafe": result.unsafe,
        **{name: getattr(result, name) for name in result.__dataclass_fields__},
    }


def conclusion(problem: Problem, result: Verification) -> str:
    """Returns in one sentence what the sealed or held-out cases say."""
    return claim.conclusion(problem.name, f"the best found, #{result.number},", result)


def _scores(result: Verification, objective: str, searched: str) -> str:
    best = result.best_baseline
    rows = [
        _row("reference", result.standings[0], result.trains[0]),
        _row("best baseline", result.standings[best], result.trains[best]),
        _row("best found", result.found, result.train.score),
    ]
    if result.minimised is not None:
        rows.append(_row("smallest diff", result.minimised.standing, None))
    if result.mean_bound is not None:
        rows.append(
            ("bound", "(no policy can do better)", "-", "-", "-", tables.natural(result.mean_bound), "100.0%", "-")
        )
    scores = f"{searched} score", f"{kept(result.held_out)} score"
    headings = ("", "policy", *scores, "95% interval", tables.mean_of(objective), "gap closed", tables.CPU_OF_A_CALL)
    return tables.table(headings, rows, left=2)


def words(result: Verification) -> list[str]:
    """Returns what a person would say of it: on how many cases it is better, and under what it is ahead or behind."""
    if result.found.evaluation.score is None or result.baseline is not None:
        return []
    reference = result.standings[0].name
    duel = next((duel for duel in result.duels if duel.baseline == reference), None)
    cases = f"{result.cases} {kept(result.held_out)} cases"
    said = [] if duel is None else [f"better than the {reference} on {duel.better} of {cases}, worse on {duel.worse}"]
    return [*said, *robustness.words(result.conditions)]


def _conditions(result: Verification) -> list[str]:
    return [*robustness.table(result.conditions), ""] if result.conditions else []


def _row(role: str, standing: Standing, train: float | None) -> tuple[str, ...]:
    return (
        role,
        standing.name,
        tables.number(train),
        tables.number(standing.evaluation.score),
        tables.interval(standing.interval),
        tables.natural(standing.mean),
        tables.share(standing.gap),
        tables.cpu_of_a_call(standing.evaluation),
    )


def _duels(result: Verification) -> list[str]:
    rows = [
        (
            duel.baseline,
            tables.number(duel.interval.mean, 4),
            tables.interval(duel.interval, 4),
            str(duel.better),
            str(duel.equal),
            str(duel.worse),
        )
        for duel in result.duels
        if duel.baseline != result.baseline
    ]
    headings = ("best found against", "ratio", "95% interval", "better", "equal", "worse")
    counts = f"ratios above 1 are better; the last columns count {kept(result.held_out)} cases"
    return [tables.table(headings, rows), counts, ""] if rows else []


def _failures(result: Verification) -> list[str]:
    """Says which policies failed on the sealed or held-out cases."""
    failed = [row for row in result.standings if row.evaluation.score is None]
    lines = [
        f"{brief(row.name, 60)} is {row.evaluation.verdict}: {brief(row.evaluation.feedback, 300)}" for row in failed
    ]
    return [f"failed on the {kept(result.held_out)} cases:", *lines, ""] if lines else []


def _descent(journal: Journal, *, colour: bool) -> list[str]:
    """Shows what the search changed, where the best grew from another baseline than the reference."""
    line = lineage.line_to_best(journal)
    if len(line) < 2 or line[0].number == 0:
        return []
    changed = lineage.diff(journal, [line[0].number, line[-1].number], colour=colour)
    return [f"it grew from the baseline {brief(line[0].operator, 60)!r}; what the search changed:", changed, ""]


def _bases(header: Header, result: Verification) -> list[str]:
    """Says what the scores rest on, of the search apart where that was something else."""
    if header.basis == result.basis:
        return tables.basis(result.basis)
    searched, proved = (basis or "simulation alone" for basis in (header.basis, result.basis))
    return tables.basis(f"{searched} ({brief(header.cases, 30)}); {proved} ({kept(result.held_out)})")


def _kept(result: Verification) -> list[str]:
    """Says how the cases were kept from the search."""
    if result.held_out:
        return [f"cases   {result.cases} held out, a process for each: recorded and public, not secret; {uses(result)}"]
    return [
        f"sealed  {result.cases} cases, a process for each; {uses(result)}",
        f"secret  drawn when the run began; its SHA-256 {result.secret_hash[:16]}... was recorded then",
    ]


def _files(folder: RunFolder, result: Verification) -> list[str]:
    return [
        f"run     {folder.path}",
        f"policy  {folder.best}",
        f"record  {folder.proof} ({'' if result.held_out else 'with the secret, '}for others to judge again)",
    ]


def _next(folder: RunFolder, result: Verification) -> list[str]:
    if result.baseline is not None:
        return []
    run = shlex.quote(str(folder.path))
    export = f"evolve export {run} --to REPO    a branch in your repository, with this evidence"
    if result.minimised is not None:
        return ["", f"next    {export}; with --minimised the smallest diff"]
    explain = f"evolve explain {run}    what each change is worth, and the smallest diff that keeps the lead"
    return ["", f"next    {explain}", f"        {export}"]


def _cases(run: runs.Summary) -> str:
    """Says so where the search saw other cases than those that the sealed ones are like."""
    return "" if run.header.cases == "train" else f" on the cases {brief(run.header.cases, 80)}"


def uses(result: Verification) -> str:
    """Says how often the cases were used, and how often when they were no secret any more."""
    by = "by this run" if result.held_out else ""  # other runs use the same
    if result.uses == 1:
        return f"used for the first time {by}".rstrip()
    known = result.uses_after_reveal
    after = f", {known} of them after {tables.revealed(result.held_out)}" if known else ""
    found = "before" if result.covered else "after"
    return f"used {result.uses} times {by or 'by now'}{after}; this policy was found {found} that"
