"""The problems that there are, on paper."""

import sys
from collections.abc import Sequence

from evolve.overview import Overview
from evolve.report import tables
from evolve.text import brief

_LONGEST = 600
_WIDEST = 150
_MARGIN = 2


class Progress:
    """Rewrites one line of a terminal while problems are judged; elsewhere it says nothing."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def __call__(self, said: str) -> None:
        """Shows what is waited for."""
        self._write(f"\r\x1b[K{brief(said, _WIDEST)}")

    def clear(self) -> None:
        """Leaves the line empty."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._live:
            sys.stderr.write(text)
            sys.stderr.flush()


def describe(rows: Sequence[Overview]) -> str:
    """Returns problems side by side, each with what is decided and what its reference is below it.

    At the end stand what scores rest on where that is no simulation, and what some problems lack.
    """
    headings = (
        "problem",
        "objective",
        "reference",
        "best baseline",
        "bound",
        "best result",
        "gap closed",
        "s/evaluation",
    )
    head, rule, *lines = tables.table(headings, [_cells(row) for row in rows], left=2).splitlines()
    blocks = [line for row, first in zip(rows, lines, strict=True) for line in (first, *_below(row), "")]
    bases = [f"{row.problem}: {line}" for row in rows for line in tables.basis(row.basis)]
    lacks = [f"not ready: {brief(row.unready, _LONGEST)}" for row in rows if row.unready]
    return "\n".join([head, rule, *blocks, _legend(rows), *bases, *lacks])


def _cells(row: Overview) -> tuple[str, ...]:
    return (
        row.problem,
        f"{row.objective} ({row.direction})",
        tables.natural(row.reference),
        "not ready" if row.unready else f"{row.best_baseline} {tables.number(row.best_score)}",
        tables.natural(row.bound),
        _result(row),
        f"{tables.share(row.result_gap)} (result)" if row.result else tables.share(row.gap),
        tables.number(row.seconds, 2),
    )


def _result(row: Overview) -> str:
    if not row.result:
        return "-"
    marks = [mark for mark, holds in (("not proved", not row.result_proved), ("outdated", row.outdated)) if holds]
    said = f"{row.result} {tables.number(row.result_score)}"
    return f"{said} ({', '.join(marks)})" if marks else said


def _below(row: Overview) -> list[str]:
    """Returns what is decided, what the reference is, and what else the problem may be judged by."""
    lines = [row.about, f"reference: {row.reference_about}" if row.reference_about else "", _beside(row)]
    if len(row.objectives) > 1:
        first, *others = row.objectives
        lines.append(f"objectives: {first} (above), {', '.join(others)} (with --objective)")
    return [f"{' ' * _MARGIN}{brief(line, _WIDEST)}" for line in lines if line]


def _beside(row: Overview) -> str:
    """Says what a result is to be compared with: scores on other cases than its own say little."""
    if not row.result:
        return ""
    rival = f"{row.rival} {tables.number(row.rival_score)}"
    if not row.result_found:
        return f"best result: the baseline {rival}, for the search found nothing better"
    return f"best result: {row.result} {tables.number(row.result_score)}, the best baseline beside it {rival}"


def _legend(rows: Sequence[Overview]) -> str:
    """Says what the columns mean, and on which cases the figures are reached."""
    lines = ["reference, bound and best baseline are on train, scores ratios to the reference"]
    gap = "the gap closed from reference to bound is the best baseline's"
    if any(row.result for row in rows):
        lines.append("results are as published, on their sealed cases; `evolve verify` judges one again")
        gap += ", or where it says so the result's"
    return "\n".join([*lines, gap])
