"""Plain text tables, numbers in them, and values of ours as JSON."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from evolve.standings import Standing
from evolve.statistics import Interval
from evolve.text import brief
from evolve.types import Evaluation, Usage

UNSAFE = "UNSAFE: judged with --unsafe on a machine where the sandbox does not stand; such a score may be forged"
CPU_OF_A_CALL = "CPU ms/call"
_WIDEST = 300


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Returns aligned columns, the first ``left`` to the left, the others to the right; each row is one line."""
    cells = [tuple(brief(cell, _WIDEST) for cell in row) for row in (headings, *rows)]
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
    """Returns a value of ours as JSON; dataclasses become objects, what is no finite number null.

    A list has a line for each item: it may be long.
    """
    if isinstance(value, list | tuple) and value:
        encoder = json.JSONEncoder(allow_nan=False, default=_fields)
        return "[\n" + ",\n".join(_line(encoder, item) for item in value) + "\n]"
    return json.dumps(_plain(value), indent=2, allow_nan=False)


def _line(encoder: json.JSONEncoder, value: Any) -> str:
    try:
        return encoder.encode(value)
    except ValueError:  # a number is not finite
        return encoder.encode(_plain(value))


def _fields(value: Any) -> dict[str, Any]:
    """Returns what an object holds, for an encoder that does the rest."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):  # most of it
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def number(value: float | None, digits: int = 3) -> str:
    """Returns a number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def natural(value: float | None) -> str:
    """Returns a value of a metric with at least four significant digits, or a dash."""
    if value is None or value == 0:
        return number(value, 0)
    if not 1e-4 <= abs(value) < 1e12:
        return f"{value:.3e}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def share(value: float | None) -> str:
    """Returns a share in percent, or a dash."""
    return "-" if value is None else f"{round(value, 3) + 0.0:.1%}"  # no -0.0%


def cost(usage: Usage) -> str:
    """Returns dollars, or tokens where a price is not known."""
    if usage.dollars is None:
        return f"{usage.tokens / 1000:.0f}k tokens of unknown price"
    return dollars(usage.dollars)


def dollars(amount: float) -> str:
    """Returns an amount with cents, or with more digits where it is less than a dollar."""
    return f"${amount:.2f}" if amount == 0 or amount >= 1 else f"${amount:.4f}"


def interval(value: Interval | None, digits: int = 3) -> str:
    """Returns a 95% interval, or a dash: a single stretch of data tells nothing of others."""
    if value is None or value.stretches < 2:
        return "-"
    return f"[{value.low:.{digits}f}, {value.high:.{digits}f}]"


def standings(rows: Sequence[Standing], objective: str) -> str:
    """Returns policies side by side, then the bound; below, why some have no score, and what all of them rest on."""
    summaries = list(dict.fromkeys(name for row in rows for name in row.summary))
    body = [(*_standing(row), *_figures(row.summary, summaries)) for row in rows]
    for bound in [row.bound for row in rows if row.bound is not None][:1]:
        cells = ("bound (no policy can do better)", "-", "-", "-", natural(bound.mean), "100.0%", "-")
        body.append((*cells, *_figures(bound.summary, summaries)))
    headings = (
        "policy",
        "verdict",
        "score",
        "95% interval",
        mean_of(objective),
        "gap closed",
        CPU_OF_A_CALL,
        *summaries,
    )
    failed = [
        f"{brief(row.name, 60)}: {brief(row.evaluation.feedback, 300)}" for row in rows if row.evaluation.score is None
    ]
    marks = [UNSAFE] if any(row.evaluation.unsafe for row in rows) else []
    based = [line for row in rows[:1] for line in basis(row.basis)]
    return "\n".join([table(headings, body, left=2), *failed, *marks, *based])


def mean_of(metric: str) -> str:
    """Returns the heading of a mean over cases of a metric, which may be a mean itself."""
    return f"mean of {metric}" if metric.startswith("mean") else f"mean {metric}"


def revealed(held_out: bool) -> str:
    """Says what the first verification of a run gave away."""
    return "scores on them had been shown" if held_out else "the secret had been revealed"


def basis(said: str, width: int = 0) -> list[str]:
    """Returns a line on what scores rest on where that is no simulation; its first word fills ``width``."""
    return [f"{'basis':{width}} {brief(said, _WIDEST)}"] if said else []


def _standing(row: Standing) -> tuple[str, ...]:
    return (
        brief(row.name, 60),
        verdict(row.evaluation),
        number(row.evaluation.score),
        interval(row.interval),
        natural(row.mean),
        share(row.gap),
        cpu_of_a_call(row.evaluation),
    )


def cpu_of_a_call(evaluation: Evaluation) -> str:
    """Returns the milliseconds of CPU that the sandbox used for a call, its start included, or a dash."""
    return natural(1e3 * evaluation.cpu_seconds / evaluation.calls) if evaluation.calls else "-"


def verdict(evaluation: Evaluation) -> str:
    """Returns a verdict, marked where the sandbox did not stand."""
    return f"{evaluation.verdict}, UNSAFE" if evaluation.unsafe else str(evaluation.verdict)


def _figures(summary: Mapping[str, float], names: Sequence[str]) -> list[str]:
    """Returns the figures of a summary with four decimals, as published ones are compared."""
    return [number(summary.get(name), 4) for name in names]
