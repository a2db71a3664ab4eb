"""A run of any size as its folder on disk, made up in seconds: nothing in it was judged.

Sizes are those of real runs: policies of about 3 kB, 60 cases with five metrics.  A child differs from its parent in
a line, often behaves alike, fails at times, or has two parents.  Some turns in between led to no policy.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from random import Random

from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.journal.header import Header
from evolve.models import Reply, Request
from evolve.types import CaseResult, Evaluation, Layer, Miss, Outcome, Proposal, Usage, Verdict

CASES, VALIDATION_CASES = 60, 60
BASELINES = ("reference", "greedy", "time_sliced", "on_demand")
_STEPS = 50
_ELITE = 8  # of each lineage
_FAILURES = (Verdict.CRASHED, Verdict.INVALID, Verdict.TIMED_OUT)
_FACTS = {
    "engine": "0.1.0",
    "seed": 0,
    "lag": 8,
    "cases": "train",
    "cases_hash": "0" * 64,
    "proposers": "llm 1, mutate 1",
    "started": "2026-01-02T03:04:05+00:00",
}


@dataclass(frozen=True)
class _Member:
    """A candidate that others may descend from: what its policy holds, and how it does on each case."""

    number: int
    constants: tuple[int, ...]
    ratios: tuple[float, ...]

    @property
    def score(self) -> float:
        return _mean(self.ratios)


def write(folder: Path, candidates: int, seed: int) -> None:
    """Makes the folder of a run with so many candidates, baselines included; the same seed makes the same run."""
    random, run = Random(seed), RunFolder(folder)
    header = Header(problem="big", spec="big.py", digest="d" * 64, secret_hash=run.prepare(), **_FACTS)
    with run.create(header) as journal:
        journal._connection.execute("BEGIN")  # one transaction: thousands of small ones take their time
        _fill(journal, candidates, random)
        journal._connection.execute("COMMIT")


def _fill(journal: Journal, candidates: int, random: Random) -> None:
    elites = [[_baseline(journal, number, name, random)] for number, name in enumerate(BASELINES[:candidates])]
    turn = len(elites)
    for count in range(len(elites), candidates):
        elite, other = random.choice(elites), random.choice(elites)
        if count % 50 == 49:
            _miss(journal, turn, elite[0], random)
            turn += 1
        parents = [random.choice(elite), random.choice(other)][
            : 2 if elite is not other and random.random() < 0.1 else 1
        ]
        elite += _child(journal, turn, parents, random)
        elite.sort(key=lambda member: -member.score)
        del elite[_ELITE:]
        turn += 1
    for elite in elites:
        for member in elite[:3]:
            journal.record(member.number, _evaluation(member.ratios, "validation", random), 0.02 * turn, "validation")


def _baseline(journal: Journal, number: int, name: str, random: Random) -> _Member:
    constants = tuple(random.randrange(100) for _ in range(_STEPS))
    ratios = (1.0,) * CASES if number == 0 else tuple(random.lognormvariate(-0.05, 0.1) for _ in range(CASES))
    journal.propose(number, Proposal(_source(constants), "baseline", name, rationale=f"{name}, from the literature"))
    journal.record(number, _evaluation(ratios, "train", random), 0.02 * number)
    return _Member(number, constants, ratios)


def _child(journal: Journal, number: int, parents: list[_Member], random: Random) -> list[_Member]:
    first, place = parents[0], random.randrange(_STEPS)
    constants = list(first.constants)
    constants[place] = number if len(parents) == 1 else 1000 * number + parents[1].constants[place]
    journal.propose(number, _proposal(_source(tuple(constants)), number, parents, place))
    if random.random() < 0.1:
        feedback = f"ZeroDivisionError: division by zero (policy, line {place + 9})"
        journal.record(number, Evaluation(random.choice(_FAILURES), feedback=feedback, calls=3), 0.02 * number)
        return []
    ratios = first.ratios
    if random.random() < 0.4:
        drift = random.gauss(-0.004, 0.003)
        ratios = tuple(ratio * math.exp(random.gauss(drift, 0.02)) for ratio in ratios)
    journal.record(number, _evaluation(ratios, "train", random), 0.02 * number)
    return [_Member(number, tuple(constants), ratios)]


def _proposal(source: str, number: int, parents: list[_Member], place: int) -> Proposal:
    of = tuple(parent.number for parent in parents)
    if number % 2:
        return Proposal(source, "mutate", "constant" if len(of) == 1 else "graft", of)
    why = f"wait longer before step {place}, since most deadlines are missed by little there"
    model, prompt = "anthropic/claude-haiku-4-5", f"{number:016x}"
    return Proposal(source, "llm", "edit" if len(of) == 1 else "combine", of, why, model, prompt, _usage(number))


def _miss(journal: Journal, number: int, parent: _Member, random: Random) -> None:
    """A turn in which a model answered with prose."""
    request = Request("anthropic/claude-haiku-4-5", "You write policies.", f"Turn {number}: improve it.", 4000)
    journal.ledger.ask(number, request, _usage(number))
    journal.ledger.end(number, Reply("I would wait longer.\n" * random.randrange(9), _usage(number)))
    said = {"proposer": "llm", "operator": "edit", "model": request.model, "prompt": request.id}
    miss = Miss(number, Outcome.NO_POLICY, "no code block", parents=(parent.number,), usage=_usage(number), **said)
    journal.propose(number, miss)


def _usage(number: int) -> Usage:
    return Usage(3000 + number % 100, 1000, 1400 + number % 77, 0.0061)


def _evaluation(ratios: tuple[float, ...], split: str, random: Random) -> Evaluation:
    results = tuple(
        CaseResult(f"{split} {place:02}: zone us-west-{place % 3}, slack 1.{place:02}", ratio, _metrics(ratio, place))
        for place, ratio in enumerate(ratios)
    )
    feedback = "; ".join(f"{result.case}: cost {result.metrics['cost']:.4g}" for result in results[:3])
    cpu_seconds = 0.05 + 0.01 * random.random()
    return Evaluation(Verdict.OK, _mean(ratios), results, feedback, cpu_seconds, 2880, True, tuple(Layer)[:6])


def _metrics(ratio: float, place: int) -> dict[str, float]:
    hours = 48 + place / 7
    return {
        "cost": 97.83 / ratio,
        "spot_hours": hours * ratio,
        "on_demand_hours": hours / ratio,
        "changeovers": 3 + place % 5,
        "slack": hours - 41.3,
    }


def _mean(ratios: tuple[float, ...]) -> float:
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))


def _source(constants: tuple[int, ...]) -> str:
    steps = [f"    left = max(left, {c} * tick) if step > {n} else left" for n, c in enumerate(constants)]
    head = '"""Runs on spot instances until the deadline is near."""\n\n\ndef choose(observation):\n'
    body = '    tick, left, step = observation["tick"], observation["left"], observation["step"]\n'
    return "\n".join([head + body, *steps, '    return "spot" if left > 0 else "on_demand"']) + "\n"
