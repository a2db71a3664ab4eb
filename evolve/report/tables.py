"""Plain text tables, and their rows as JSON."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from evolve.statistics import Interval
from evolve.verify import Standing, Verification


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Returns aligned columns: the first ``left`` to the left, the others to the right."""
    cells = [tuple(headings), *map(tuple, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    lines = [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def as_json(value: Any) -> str:
    """Returns a value of ours as JSON; dataclasses become objects."""
    return json.dumps(value, default=_plain, indent=2)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def number(value: float | None, digits: int = 3) -> str:
    """Returns a number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def share(value: float | None) -> str:
    """Returns a share in percent, or a dash."""
    return "-" if value is None else f"{value:.1%}"


def interval(value: Interval | None) -> str:
    """Returns a 95% interval, or a dash."""
    return "-" if value is None else f"[{value.low:.3f}, {value.high:.3f}]"


def standings(rows: Sequence[Standing], objective: str) -> str:
    """Returns policies side by side, and under the table why those without a score have none."""
    body = [
        (
            row.name,
            str(row.evaluation.verdict),
            number(row.evaluation.score),
            interval(row.interval),
            number(row.mean),
            share(row.gap),
            number(row.evaluation.cpu_seconds),
        )
        for row in rows
    ]
    headings = ("policy", "verdict", "score", "95% interval", f"mean {objective}", "gap closed", "CPU s")
    failed = [f"{row.name}: {row.evaluation.feedback}" for row in rows if row.evaluation.score is None]
    return "\n".join([table(headings, body, left=2), *failed])


def verification(result: Verification, objective: str, trains: Mapping[str, float | None]) -> str:
    """Returns reference, best baseline and best found on the sealed cases, and the duels with every baseline."""
    reference, best = result.standings[0], result.best_baseline
    rows = []
    for role, row in (("reference", reference), ("best baseline", best), ("best found", result.found)):
        name = row.name.removeprefix("best found, ")
        rows.append(
            (
                role,
                name,
                number(trains.get(row.name, result.train.score)),
                number(row.evaluation.score),
                interval(row.interval),
                number(row.mean, 2),
                share(row.gap),
            )
        )
    headings = ("", "policy", "train score", "sealed score", "95% interval", f"mean {objective}", "gap closed")
    return "\n".join([table(headings, rows, left=2), "", _duels(result)])


def _duels(result: Verification) -> str:
    if result.found.evaluation.score is None:
        return f"the best found is {result.found.evaluation.verdict} on the sealed cases: {result.found.evaluation.feedback}"
    rows = [
        (
            duel.baseline,
            number(duel.interval.mean, 4),
            _fine(duel.interval),
            f"{duel.better}",
            f"{duel.equal}",
            f"{duel.worse}",
        )
        for duel in result.duels
    ]
    headings = ("best found against", "ratio", "95% interval", "better", "equal", "worse")
    return f"on {result.cases} sealed cases, above 1 is better:\n{table(headings, rows)}"


def _fine(value: Interval) -> str:
    return f"[{value.low:.4f}, {value.high:.4f}]"
