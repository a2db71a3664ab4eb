"""Tries every attack behind every wall; ``python -m tests.sandbox.suite`` says what came of it.

With ``--markdown`` it prints ``evolve/sandbox/ATTACKS.md``, with ``--json`` what stands here and what it stops.
"""

import dataclasses
import enum
import errno
import json
import math
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

from evolve.cases import CaseSet
from evolve.judge import Judge
from evolve.problem import Call, InvalidDecision, Problem
from evolve.sandbox import PolicyFailure, Sandbox
from evolve.types import MINIMUM, Evaluation, Layer, Limits, Verdict
from tests.sandbox import bombs, depths, forgeries, havoc, naive, reach
from tests.sandbox.attack import LIMITS, Attack
from tests.sandbox.forgeries import HONEST, Forgery
from tests.sandbox.world import World

ATTACKS = (*reach.ATTACKS, *havoc.ATTACKS, *depths.ATTACKS)
FORGERIES = (*forgeries.FORGERIES, *bombs.FORGERIES)

COLUMNS: Mapping[str, frozenset[Layer]] = {
    "none": frozenset(),
    **{str(layer): frozenset({layer}) for layer in Layer},
    "all but seccomp": frozenset(Layer) - {Layer.SECCOMP},
    "minimum": MINIMUM,
    "all": frozenset(Layer),
}


JUDGING = ("minimum", "all")
"""The columns behind which policies are judged."""


class Outcome(enum.StrEnum):
    STOPPED = "stopped"
    WORKED = "worked"
    NOT_RUN = "not run"  # the machine itself forbids it, so that nothing is shown
    BROKEN = "broken"  # it does not even do where nothing stops it, or ends in a way that nobody foresaw


@dataclass(frozen=True)
class Finding:
    """What came of an attack, and how one knows."""

    outcome: Outcome
    detail: str
    error: int = 0


Findings = dict[str, Finding]


def attacked(layers: Collection[Layer], attacks: Iterable[Attack] = ATTACKS) -> tuple[frozenset[Layer], Findings]:
    """Returns which of ``layers`` stand here, and what came of every attack on them."""
    with World() as world, Sandbox(layers=layers, unsafe=True) as sandbox:
        return sandbox.layers, {attack.name: _attacked(sandbox, world, attack) for attack in attacks}


def _attacked(sandbox: Sandbox, world: World, attack: Attack) -> Finding:
    if attack.not_here:
        return Finding(Outcome.NOT_RUN, attack.not_here)
    world.restore()
    for _ in range(attack.lives):
        answer, failure = _lived(sandbox, world, attack)
    if attack.evidence(world, answer, failure):
        return Finding(Outcome.WORKED, repr(answer)[:80])
    return Finding(Outcome.STOPPED, failure.message if failure else repr(answer)[:80], _error_number(answer, failure))


def _lived(sandbox: Sandbox, world: World, attack: Attack) -> tuple[Any, PolicyFailure | None]:
    try:
        with sandbox.start(attack.source, 0, LIMITS) as child:
            return child.ask([(0, "attack", (world.facts(sandbox),))])[0], None
    except PolicyFailure as failure:
        return None, failure


def _error_number(answer: Any, failure: PolicyFailure | None) -> int:
    said = re.search(r"\[Errno (\d+)\]", failure.message) if failure else None
    return int(said[1]) if said else -answer if type(answer) is int and answer < 0 else 0


def controls(findings: Findings) -> Findings:
    """Returns what findings without any layer show: WORKED, NOT_RUN with the machine's reason, or BROKEN."""
    return {attack.name: _control(attack, findings[attack.name]) for attack in ATTACKS}


def _control(attack: Attack, finding: Finding) -> Finding:
    if finding.outcome is not Outcome.STOPPED:
        return finding
    if finding.error in {*attack.forbidden, errno.ENOSYS}:
        return Finding(Outcome.NOT_RUN, errno.errorcode[finding.error], finding.error)
    if attack.deadly and attack.deadly in finding.detail:
        return Finding(Outcome.NOT_RUN, finding.detail)
    return Finding(Outcome.BROKEN, finding.detail, finding.error)


def shown(findings: Findings, live: Findings) -> Findings:
    """Returns findings without those that show nothing, since the attack does not work here anyhow."""
    return {name: finding if live[name].outcome is Outcome.WORKED else live[name] for name, finding in findings.items()}


class Hidden(Problem):
    """Write ``guess(bounds)``: a whole number within them; nearer to a hidden one is better."""

    objective, direction, name = "loss", "minimize", "hidden"
    reference = "def guess(bounds):\n    return 0\n"

    def __init__(self, call_seconds: float) -> None:
        self.limits = Limits(cpu_seconds=10, wall_seconds=20, call_seconds=call_seconds, memory_mib=512)

    def simulate(self, secret):
        bounds = [0, 100]
        for _ in range(naive.REPEATS):
            answer = yield Call("guess", bounds, returns=int)
            if not 0 <= answer <= 100:
                raise InvalidDecision(f"guessed {answer}, which is out of bounds")
        return {"loss": 1 + abs(answer - secret) / (bounds[1] - bounds[0])}


_PATIENT_SECONDS, _IMPATIENT_SECONDS = 10.0, 0.25


def judged(layers: Collection[Layer] = frozenset(Layer)) -> Findings:
    """Returns what came of every forgery before our judge."""
    with Sandbox(layers=layers) as sandbox:
        patient, impatient = (
            Judge(CaseSet(Hidden(seconds), "train", naive.SECRETS), sandbox)
            for seconds in (_PATIENT_SECONDS, _IMPATIENT_SECONDS)
        )
        honest = patient.evaluate(HONEST, confirm_above=0.0)
        assert honest.verdict is Verdict.OK, honest.feedback
        return {
            forgery.name: _judged(impatient if Verdict.TIMED_OUT in forgery.verdicts else patient, forgery, honest)
            for forgery in FORGERIES
        }


def _judged(judge: Judge, forgery: Forgery, honest: Evaluation) -> Finding:
    evaluations = [judge.evaluate(forgery.source, confirm_above=0.0) for _ in range(forgery.rounds)]
    last, expected = evaluations[-1], forgery.verdicts or {Verdict.OK}
    if last.verdict is Verdict.OK and (last.score != honest.score or Verdict.OK not in expected):
        return Finding(Outcome.WORKED, f"scored {last.score}")
    if any(evaluation.verdict not in expected for evaluation in evaluations):
        return Finding(Outcome.BROKEN, f"{last.verdict}: {last.feedback}")
    return Finding(Outcome.STOPPED, last.feedback if last.score is None else "its honest score")


_NAIVE_SECONDS = {forgeries.HUNG: 0.5, forgeries.UNDYING: 3.0}
"""How long to wait for a judge that is to hang; what is to ignore a signal must have come to do so."""

_TOLERANCE = 0.03
"""What the seconds in a naive score may differ by; forgeries gain more."""


def believed() -> Findings:
    """Returns what became of a naive judge by every forgery: WORKED, or BROKEN if it was not as foreseen."""
    with ThreadPoolExecutor(4) as threads:
        return dict(zip((forgery.name for forgery in FORGERIES), threads.map(_believed, FORGERIES), strict=True))


def _believed(forgery: Forgery) -> Finding:
    seen = naive.believed(
        forgery.source,
        isolated=forgery.isolated,
        rounds=forgery.rounds,
        patience_seconds=_NAIVE_SECONDS.get(forgery.naive, _PATIENT_SECONDS),
    )
    became = seen if isinstance(seen, str) else forgeries.FOOLED if _forged(forgery, seen) else f"saw through: {seen}"
    return Finding(Outcome.WORKED if became == forgery.naive else Outcome.BROKEN, became)


def _forged(forgery: Forgery, score: float) -> bool:
    if forgery.illegal or not math.isfinite(score):
        return True
    return abs(score - _fair(forgery.fair, forgery.isolated)) > _TOLERANCE


@cache
def _fair(source: str, isolated: bool) -> float:
    score = naive.believed(source, isolated=isolated)
    assert isinstance(score, float), score
    return score


@dataclass(frozen=True)
class Measured:
    """Everything: what of each column stands here and what it stops, by the name of the column."""

    live: Findings
    standing: dict[str, frozenset[Layer]]
    attacks: dict[str, Findings]
    naive: Findings
    forgeries: dict[str, Findings]


def measured() -> Measured:
    """Tries everything; several sandboxes at a time, for much of it is waiting."""
    with ThreadPoolExecutor(4) as threads:
        columns = {name: threads.submit(attacked, layers) for name, layers in COLUMNS.items()}
        ours = {name: threads.submit(judged, COLUMNS[name]) for name in JUDGING}
        naive_judge = threads.submit(believed)
        found = {name: column.result() for name, column in columns.items()}
        live = controls(found["none"][1])
        return Measured(
            live=live,
            standing={name: standing for name, (standing, _) in found.items()},
            attacks={name: shown(findings, live) for name, (_, findings) in found.items()},
            naive=naive_judge.result(),
            forgeries={name: column.result() for name, column in ours.items()},
        )


def report(live: Findings, standing: Collection[Layer], found: Findings, forged: Findings) -> dict[str, Any]:
    """Returns in plain data what stands at the most, what works without it and what came of everything."""
    return {
        "layers": sorted(standing),
        "controls": _plain(live),
        "attacks": _plain(found),
        "forgeries": _plain(forged),
    }


def measured_here() -> dict[str, Any]:
    """Returns the report of this machine with all the layers that it has."""
    live = controls(attacked(frozenset())[1])
    standing, findings = attacked(frozenset(Layer))
    return report(live, standing, shown(findings, live), judged())


def _plain(findings: Findings) -> dict[str, Any]:
    return {name: dataclasses.astuple(finding) for name, finding in findings.items()}


def main() -> None:
    """Prints what was asked for."""
    from tests.sandbox import table

    if sys.argv[1:] == ["--json"]:
        print(json.dumps(measured_here()))
    elif sys.argv[1:] == ["--markdown"]:
        print(table.markdown(measured()), end="")
    else:
        print(table.plain(measured()), end="")


if __name__ == "__main__":
    from tests.sandbox import suite  # not this module once more, under another name

    suite.main()
