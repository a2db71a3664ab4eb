"""What the journal's rows hold: evaluations with their cases, and lines of the log."""

import json
from dataclasses import dataclass
from typing import Any

from evolve.types import CaseResult, Evaluation, Layer, Miss, Outcome, Proposal, Usage, Verdict


@dataclass(frozen=True, slots=True)
class Entry:
    """One turn in the log; ``verdict`` is the outcome where there is no policy, ``rationale`` then says why."""

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
    cases, ratios, metrics = columns["case"], columns["ratio"], columns["metrics"]
    rows = zip(*metrics.values(), strict=True) if metrics else ((),) * len(cases)
    return tuple(
        CaseResult(str(case), float(ratio), {name: v for name, v in zip(metrics, row, strict=True) if v is not None})
        for case, ratio, row in zip(cases, ratios, rows, strict=True)
    )


def evaluation(row: tuple[Any, ...]) -> Evaluation:
    """Returns the evaluation in a row of the columns that are taken apart here."""
    verdict, score, feedback, cpu_seconds, calls, confirmed, layers, results = row
    return Evaluation(
        verdict=Verdict(verdict),
        score=None if score is None else float(score),
        cases=unpacked(results),
        feedback=str(feedback),
        cpu_seconds=float(cpu_seconds),
        calls=int(calls),
        confirmed=bool(confirmed),
        layers=tuple(map(Layer, layers.split())),
    )


def made(row: tuple[Any, ...], answer: str) -> Proposal | Miss:
    """Returns what a turn led to, from its row in the table of proposals."""
    number, source, proposer, operator, packed_parents, rationale, model, prompt, *used, outcome, message = row
    usage, of = Usage(*used), parents(packed_parents)
    if source is None:
        return Miss(number, Outcome(outcome), message, proposer, operator, of, answer, model, prompt, usage)
    return Proposal(source, proposer, operator, of, rationale, model, prompt, usage)


def parents(text: str) -> tuple[int, ...]:
    """Returns the numbers of a proposal's parents."""
    return tuple(map(int, json.loads(text)))
