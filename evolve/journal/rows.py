"""What the journal's rows hold: evaluations with their cases, and lines of the log."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from typing import Any

from evolve.text import brief
from evolve.types import CaseResult, Evaluation, Layer, Miss, Outcome, Proposal, Usage, Verdict


@dataclass(frozen=True, slots=True)
class Entry:
    """One turn in the log; ``verdict`` is the outcome where there is no policy.

    Where there is none, or it has no score, ``rationale`` says why that is, and not what it was meant for.
    """

    number: int
    verdict: str
    score: float | None
    proposer: str
    operator: str
    parents: tuple[int, ...]
    rationale: str


@dataclass(frozen=True, slots=True)
class Seal:
    """How often the sealed split was used, and how often after its secret had been revealed.

    ``turns`` is how many the run had come to when the secret was first revealed; None while it never was.
    """

    uses: int
    uses_after_reveal: int
    turns: int | None

    def covers(self, number: int) -> bool:
        """Returns whether a candidate was there before anyone could know the sealed cases."""
        return self.turns is None or number < self.turns


def words(value: object) -> str:
    """Returns a text; a column of SQLite may hold anything, whatever its type.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {_shown(value)}")
    return value


def whole(value: object) -> int:
    """Returns a whole number, or raises a TypeError."""
    if type(value) is not int:
        raise TypeError(f"expected a whole number, found {_shown(value)}")
    return value


def real(value: object) -> float:
    """Returns a finite number, or raises a TypeError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"expected a number, found {_shown(value)}")
    return float(value)


def real_or_none(value: object) -> float | None:
    """Returns a finite number or None, or raises a TypeError."""
    return None if value is None else real(value)


def usage(row: Sequence[object]) -> Usage:
    """Returns tokens and dollars from a row of their columns."""
    read, cached, written, dollars = row
    return Usage(whole(read), whole(cached), whole(written), real_or_none(dollars))


def _shown(value: object) -> str:
    return brief(repr(value), 60)


def packed(results: tuple[CaseResult, ...]) -> str:
    """Returns the results on every case as JSON by column; a metric that a case lacks is null."""
    names = dict.fromkeys(name for result in results for name in result.metrics)
    columns = {
        "case": [result.case for result in results],
        "ratio": [result.ratio for result in results],
        "metrics": {name: [result.metrics.get(name) for result in results] for name in names},
    }
    return json.dumps(columns, separators=(",", ":"))


def unpacked(text: str) -> tuple[CaseResult, ...]:
    """Returns what was packed.

    Raises:
        ValueError, KeyError, TypeError: the text is no such JSON.
    """
    columns = json.loads(text)
    cases, ratios, metrics = columns["case"], columns["ratio"], dict(columns["metrics"])
    if not set(map(type, cases)) <= {str}:
        raise TypeError(f"expected names of cases, found {_shown(cases)}")
    lacking = [_checked(column) for column in (ratios, *metrics.values())]
    rows = (
        map(dict, map(partial(zip, metrics), zip(*metrics.values(), strict=True))) if metrics else ({} for _ in cases)
    )
    if any(lacking):
        rows = ({name: value for name, value in row.items() if value is not None} for row in rows)
    return tuple(starmap(CaseResult, zip(cases, map(float, ratios), rows, strict=True)))


def _checked(column: Sequence[object]) -> bool:
    """Insists on finite numbers, and returns whether some are missing; all at once, for there are many."""
    kinds = set(map(type, column))
    if not (kinds <= {int, float} and all(map(math.isfinite, column))):  # type: ignore[arg-type]
        for value in column:
            real_or_none(value)
    return type(None) in kinds


def evaluation(row: tuple[Any, ...]) -> Evaluation:
    """Returns the evaluation in a row of the columns that are taken apart here."""
    verdict, score, feedback, cpu_seconds, calls, confirmed, layers, simulations, results = row
    return Evaluation(
        verdict=Verdict(verdict),
        score=real_or_none(score),
        cases=unpacked(results),
        feedback=words(feedback),
        cpu_seconds=real(cpu_seconds),
        calls=whole(calls),
        confirmed=bool(confirmed),
        layers=tuple(map(Layer, words(layers).split())),
        simulations=whole(simulations),
    )


def made(row: tuple[Any, ...], answer: str) -> Proposal | Miss:
    """Returns what a turn led to, from its row in the table of proposals."""
    number, source, proposer, operator, packed_parents, rationale, model, prompt, *used, outcome, message = row
    proposer, operator, rationale, model, prompt = map(words, (proposer, operator, rationale, model, prompt))
    spent, of = usage(used), parents(packed_parents)
    if source is None:
        return Miss(number, Outcome(outcome), words(message), proposer, operator, of, answer, model, prompt, spent)
    return Proposal(words(source), proposer, operator, of, rationale, model, prompt, spent)


def entry(row: tuple[Any, ...]) -> Entry:
    """Returns a line of the log from a row of its columns."""
    number, verdict, score, proposer, operator, packed_parents, rationale = row
    verdict, proposer, operator, rationale = map(words, (verdict, proposer, operator, rationale))
    return Entry(number, verdict, real_or_none(score), proposer, operator, parents(packed_parents), rationale)


def parents(text: str) -> tuple[int, ...]:
    """Returns the numbers of a proposal's parents."""
    return tuple(map(whole, json.loads(text)))
