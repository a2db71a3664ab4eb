"""Runs a policy on cases and says how good it is.

The simulator runs here, the policy in a sandboxed child.  Cases are driven in *lock-step*: one
message carries the next question of every case of a wave.  What the policy answers is checked, sent
into the simulation, and counts only through the simulation's own metrics.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evolve.cases import CaseSet
from evolve.decision import check
from evolve.problem import Call, InvalidDecision, Problem, ProblemError, Simulation
from evolve.sandbox import Child, PolicyFailure, Sandbox
from evolve.statistics import geometric_mean, ratio
from evolve.types import CaseResult, Evaluation, Verdict

_log = logging.getLogger(__name__)

WAVES = (4, 8)
"""Sizes of the first waves of a child's cases; the rest is one wave.  A failure ends the waves."""

WORST_CASES = 3


@dataclass(slots=True)
class Measurement:
    """What a policy reached on every case, or why it did not; ratios come later."""

    verdict: Verdict = Verdict.OK
    message: str = ""
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    calls: int = 0
    printed: str = ""


class Judge:
    """Judges policies on one set of cases, each relative to the reference."""

    def __init__(self, cases: CaseSet, sandbox: Sandbox) -> None:
        self._cases, self._problem, self._sandbox = cases, cases.problem, sandbox
        self._reference: list[float] | None = None

    def evaluate(self, source: str, *, confirm_above: float = math.inf, isolated: bool = False) -> Evaluation:
        """Returns the verdict on a policy and, if it is OK, its score.

        A score above ``confirm_above`` counts only if a second run, one child per case in reverse
        order, gives the same; ``isolated`` does that run alone.

        Raises:
            ProblemError: the problem is at fault, so no verdict would be fair.
        """
        reference = self.reference()
        measured = self.measure(source, isolated=isolated)
        evaluation = self._evaluation(measured, reference, confirmed=isolated)
        if evaluation.score is None or evaluation.score <= confirm_above or isolated:
            return evaluation
        again = self.measure(source, isolated=True)
        again.cpu_seconds += measured.cpu_seconds
        again.calls += measured.calls
        if again.verdict is Verdict.OK and again.metrics != measured.metrics:
            again.verdict, again.message = Verdict.INVALID, self._difference(measured, again)
        return self._evaluation(again, reference, confirmed=True)

    def reference(self) -> list[float]:
        """Returns the objective that the reference reaches on each case, judged once."""
        if self._reference is None:
            measured = self.measure(self._problem.baselines()[0].source)
            if measured.verdict is not Verdict.OK:
                raise ProblemError(
                    f"the reference of {self._problem.name} is {measured.verdict}: {measured.message}; "
                    "scores are relative to it, so it must finish every case"
                )
            self._reference = [self._objective(measured.metrics[i]) for i in range(len(self._cases))]
        return self._reference

    def measure(self, source: str, *, isolated: bool = False) -> Measurement:
        """Returns the metrics of a policy on every case, or its failure."""
        measured = Measurement()
        for lane in self._cases.lanes(isolated):
            if measured.verdict is Verdict.OK:
                self._run_lane(source, lane, measured)
        return measured

    def _run_lane(self, source: str, lane: Sequence[int], measured: Measurement) -> None:
        """Judges cases that may share a child; notes a failure and leaves the rest."""
        child = Child(self._sandbox, self._problem.limits)
        try:
            child.load(source, [self._cases.seeds[index] for index in lane])
            for wave in _waves(len(lane)):
                _Wave(self._problem, self._cases, lane, measured).run(child, wave)
        except PolicyFailure as failure:
            where = "" if failure.case not in range(len(lane)) else f"{self._cases.labels[lane[failure.case]]}: "
            measured.verdict, measured.message = failure.verdict, where + failure.message
        finally:
            measured.printed = measured.printed or child.close()
            child.close()
            measured.cpu_seconds += child.usage.cpu_seconds

    def _evaluation(self, measured: Measurement, reference: list[float], *, confirmed: bool) -> Evaluation:
        cost = {"cpu_seconds": measured.cpu_seconds, "calls": measured.calls, "confirmed": confirmed}
        if measured.verdict is not Verdict.OK:
            return Evaluation(measured.verdict, feedback=measured.message, **cost)  # type: ignore[arg-type]
        results = tuple(
            CaseResult(
                self._cases.labels[index],
                ratio(self._objective(measured.metrics[index]), base, self._problem.direction),
                measured.metrics[index],
            )
            for index, base in enumerate(reference)
        )
        score = geometric_mean([result.ratio for result in results])
        return Evaluation(Verdict.OK, score, results, self._feedback(results), **cost)  # type: ignore[arg-type]

    def _feedback(self, results: Sequence[CaseResult]) -> str:
        """Describes the worst cases in the problem's words."""
        worst = sorted(range(len(results)), key=lambda index: results[index].ratio)[:WORST_CASES]
        return "\n".join(
            f"{results[i].case} ({results[i].ratio:.3f} of the reference): "
            f"{self._problem.feedback(self._cases.cases[i], results[i].metrics)}"
            for i in worst
        )

    def _objective(self, metrics: Mapping[str, float]) -> float:
        value = max(metrics[self._problem.objective], self._problem.floor)
        if value <= 0:
            raise ProblemError(
                f"{self._problem.name}: the objective {self._problem.objective!r} is {value}; ratios need positive "
                "values: set `floor` to the smallest difference that matters"
            )
        return value

    def _difference(self, one: Measurement, other: Measurement) -> str:
        index = next(i for i in one.metrics if one.metrics[i] != other.metrics[i])
        return f"depends on other cases: it decides otherwise when {self._cases.labels[index]} is judged alone"


def _waves(count: int) -> list[range]:
    """Returns the positions of each wave: the first 4, the next 8, the rest."""
    starts = [0, *(sum(WAVES[: i + 1]) for i in range(len(WAVES)))]
    ends = [*starts[1:], count]
    return [range(start, min(end, count)) for start, end in zip(starts, ends, strict=True) if start < count]


class _Wave:
    """Some cases of one child, driven in lock-step until all have ended."""

    def __init__(self, problem: Problem, cases: CaseSet, lane: Sequence[int], measured: Measurement) -> None:
        self._problem, self._cases, self._lane, self._measured = problem, cases, lane, measured

    def run(self, child: Child, positions: range) -> None:
        """Raises PolicyFailure at the first decision that fails."""
        running = [step for position in positions if (step := self._begin(position)) is not None]
        while running:
            decisions = child.ask([(position, call.name, call.arguments) for position, _, call in running])
            self._measured.calls += len(running)
            steps = [
                (position, simulation, self._send(position, simulation, call, decision))
                for (position, simulation, call), decision in zip(running, decisions, strict=True)
            ]
            running = [(position, simulation, call) for position, simulation, call in steps if call is not None]

    def _begin(self, position: int) -> tuple[int, Simulation, Call] | None:
        try:
            simulation = self._problem.simulate(self._cases.cases[self._lane[position]])
            return position, simulation, next(simulation)
        except StopIteration as end:
            self._finish(position, end.value)
            return None
        except Exception as error:
            raise ProblemError(
                f"{self._problem.name}: the simulator failed on {self._cases.labels[self._lane[position]]} before the "
                f"first decision: {type(error).__name__}: {error}"
            ) from error

    def _send(self, position: int, simulation: Simulation, call: Call, decision: Any) -> Call | None:
        try:
            return simulation.send(check(decision, call.returns))
        except StopIteration as end:
            self._finish(position, end.value)
            return None
        except InvalidDecision as broken:
            raise PolicyFailure(Verdict.INVALID, str(broken), position) from None
        except ProblemError:
            raise
        except Exception as error:  # noqa: BLE001 - a decision must never become our crash
            _log.exception("a decision made the simulator of %s fail: a bug of the problem", self._problem.name)
            message = f"the decision made the simulator fail ({type(error).__name__}); a bug of the problem"
            raise PolicyFailure(Verdict.INVALID, message, position) from None

    def _finish(self, position: int, metrics: Any) -> None:
        objective = self._problem.objective
        if not isinstance(metrics, Mapping) or objective not in metrics:
            raise ProblemError(f"{self._problem.name}: `simulate` must return its metrics, {objective!r} among them")
        if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in metrics.values()):
            raise ProblemError(f"{self._problem.name}: `simulate` returned a metric that is not a finite number")
        self._measured.metrics[self._lane[position]] = dict(metrics)
