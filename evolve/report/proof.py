"""A verification on paper: sealed scores, duels with every baseline, the diff, and where the run lies."""

from collections.abc import Mapping
from typing import Any

from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.problem import Problem
from evolve.report import runs, tables
from evolve.report.text import brief
from evolve.verify import Standing, Verification


def proof(folder: RunFolder, journal: Journal, problem: Problem, result: Verification, *, colour: bool) -> str:
    """Returns all that was found out, the conclusion first."""
    run = runs.summary(folder, journal, result.number)
    better = "lower" if problem.direction == "minimize" else "higher"
    return "\n".join(
        [
            conclusion(problem, result),
            "",
            _scores(result, problem.objective),
            f"{better} {problem.objective} is better; scores are geometric means of the ratios to the reference",
            "",
            *_duels(result),
            *_failures(result),
            f"sealed  {result.cases} cases, a process for each; {_uses(result.uses)}",
            f"secret  drawn when the run began; its SHA-256 {result.secret_hash[:16]}... was recorded then",
            f"search  {run.pace}; cost ${run.dollars:.2f}",
            f"run     {folder.path}",
            f"policy  {folder.best}",
            f"record  {folder.proof} (with the secret, for others to judge again)",
            *_descent(folder, journal),
            "",
            runs.diff(journal, [result.number], colour=colour),
        ]
    )


def record(folder: RunFolder, journal: Journal, problem: Problem, result: Verification) -> Mapping[str, Any]:
    """Returns the same for programs, with what others need to judge again."""
    return {
        "problem": problem.name,
        "objective": problem.objective,
        "direction": problem.direction,
        "run": runs.summary(folder, journal, result.number),
        "policy": runs.candidate(journal, result.number).proposal.source,
        "diff": runs.diff(journal, [result.number]),
        **{name: getattr(result, name) for name in result.__dataclass_fields__},
    }


def conclusion(problem: Problem, result: Verification) -> str:
    """Returns in one sentence what the sealed cases say."""
    found = f"{problem.name}: the best found, #{result.number},"
    if result.baseline is not None:
        return f"{problem.name}: the search found nothing better than the baseline {result.baseline!r}; run it longer"
    evaluation = result.found.evaluation
    if evaluation.score is None:
        return f"{found} is {evaluation.verdict} on the sealed cases: {brief(evaluation.feedback, 300)}"
    beaten = [duel for duel in result.duels if duel.interval.low > 1 and duel.interval.stretches > 1]
    if len(beaten) == len(result.duels):
        return f"{found} beats every baseline on the sealed cases (every 95% interval is above 1)"
    open_ = ", ".join(duel.baseline for duel in result.duels if duel not in beaten)
    return f"{found} is not shown to beat {open_} on the sealed cases"


def _scores(result: Verification, objective: str) -> str:
    best = result.best_baseline
    rows = [
        _row("reference", result.standings[0], result.trains[0]),
        _row("best baseline", result.standings[best], result.trains[best]),
        _row("best found", result.found, result.train.score),
    ]
    if result.mean_bound is not None:
        rows.append(("bound", "(no policy can do better)", "-", "-", "-", tables.natural(result.mean_bound), "100.0%"))
    headings = ("", "policy", "train score", "sealed score", "95% interval", f"mean {objective}", "gap closed")
    return tables.table(headings, rows, left=2)


def _row(role: str, standing: Standing, train: float | None) -> tuple[str, ...]:
    return (
        role,
        standing.name,
        tables.number(train),
        tables.number(standing.evaluation.score),
        tables.interval(standing.interval),
        tables.natural(standing.mean),
        tables.share(standing.gap),
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
    return (
        [tables.table(headings, rows), "ratios above 1 are better; the last columns count sealed cases", ""]
        if rows
        else []
    )


def _failures(result: Verification) -> list[str]:
    """Says which policies failed on the sealed cases."""
    failed = [row for row in result.standings if row.evaluation.score is None]
    lines = [f"{row.name} is {row.evaluation.verdict}: {brief(row.evaluation.feedback, 300)}" for row in failed]
    return ["failed on the sealed cases:", *lines, ""] if lines else []


def _descent(folder: RunFolder, journal: Journal) -> list[str]:
    """Says which baseline the best grew from, where that is not the reference that the diff is against."""
    line = runs.line_to_best(journal)
    if len(line) < 2 or line[0].number == 0:
        return []
    command = f"evolve diff {folder.path} {line[0].number} {line[-1].number}"
    return [f"origin  it grew from the baseline {line[0].operator!r}; `{command}` shows what the search changed"]


def _uses(uses: int) -> str:
    if uses == 1:
        return "used for the first time"
    return f"used {uses} times by now: a choice made by looking at them is no longer proved by them"
