"""Runs a policy on cases and says how good it is.

The simulator runs here, the policy in a sandboxed child.  Cases are driven in *lock-step*: one
message carries the next question of every case of a wave.  What the policy answers is checked, sent
into the simulation, and counts only through the simulation's own metrics.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Real
from typing import Any

from evolve.cases import CaseSet, place
from evolve.decision import check
from evolve.problem import Call, InvalidDecision, Problem, ProblemError, Simulation
from evolve.sandbox import Child, PolicyFailure, Sandbox, WireError, wire
from evolve.sandbox.failure import printable
from evolve.statistics import geometric_mean, ratio
from evolve.types import CaseResult, Evaluation, Verdict

_log = logging.getLogger(__name__)

WAVES = (4, 8)
"""Sizes of the first waves of a child's cases; the rest is one wave.  A failure ends the waves."""

WORST_CASES = 3

SMALLEST, LARGEST = 1e-100, 1e100
"""What an objective may be, so that ratios of two are finite."""


@dataclass(slots=True)
class Measurement:
    """What a policy reached on every case, or why it did not; ratios come later."""

    verdict: Verdict = Verdict.OK
    message: str = ""
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    waited_seconds: float = 0.0
    calls: int = 0


class Judge:
    """Judges policies on one set of cases, each relative to the reference."""

    def __init__(self, cases: CaseSet, sandbox: Sandbox) -> None:
        self._cases, self._problem, self._sandbox = cases, cases.problem, sandbox
        self._limits = self._problem.limits.over(len(cases), proving=cases.name in ("validation", "test"))
        self._reference: list[float] | None = None

    def evaluate(self, source: str, *, confirm_above: float = math.inf) -> Evaluation:
        """Returns the verdict on a policy and, if it is OK, its score.

        A score above ``confirm_above`` counts only if a second run, one child per case in reverse
        order, gives the same; above 0.0 is every score.  Nothing that a policy does raises.

        Raises:
            ProblemError: the problem is at fault, so no verdict would be fair.
            SandboxError: the sandbox is.
        """
        reference = self.reference()
        measured = self.measure(source)
        evaluation = self._evaluation(measured, reference, confirmed=False)
        if evaluation.score is None or evaluation.score <= confirm_above:
            return evaluation
        again = self.measure(source, isolated=True)
        again.cpu_seconds += measured.cpu_seconds
        again.calls += measured.calls
        if again.verdict is Verdict.OK and again.metrics != measured.metrics:
            again.verdict, again.message = Verdict.INVALID, self._difference(measured, again)
        return self._evaluation(again, reference, confirmed=True)

    def reference(self) -> list[float]:
        """Returns the objective that the reference reaches on each case, judged once.

        Raises:
            ProblemError: it does not finish every case.
        """
        if self._reference is None:
            measured = self.measure(self._problem.baselines()[0].source)
            if measured.verdict is not Verdict.OK:
                raise ProblemError(
                    f"the reference of {self._problem.name} is {measured.verdict}: {measured.message}; "
                    "scores are relative to it, so it must finish every case"
                )
            self._reference = [objective(self._problem, measured.metrics[i]) for i in range(len(self._cases))]
        return self._reference

    def measure(self, source: str, *, isolated: bool = False) -> Measurement:
        """Returns the metrics of a policy on every case, or its failure.

        Raises:
            ProblemError: a simulation failed before the policy had decided anything.
            SandboxError: the sandbox failed.
        """
        measured = Measurement()
        for lane in self._cases.lanes(isolated):
            if measured.verdict is Verdict.OK:
                self._run_lane(source, lane, measured)
                self._insist_on_limits(measured)
        return measured

    def _run_lane(self, source: str, lane: Sequence[int], measured: Measurement) -> None:
        """Judges cases that may share a child; notes a failure and leaves the rest."""
        limits = self._limits
        cpu, wall = limits.cpu_seconds - measured.cpu_seconds, limits.wall_seconds - measured.waited_seconds
        child = Child(self._sandbox, replace(limits, cpu_seconds=cpu, wall_seconds=wall))
        try:
            child.load(source, [self._cases.seeds[index] for index in lane])
            for wave in _waves(lane):
                _Wave(self._cases, wave, measured).run(child)
        except PolicyFailure as failure:
            where = ""
            if failure.case is not None and 0 <= failure.case < len(lane):
                where = f"{self._cases.labels[lane[failure.case]]}: "
            measured.verdict, measured.message = failure.verdict, where + failure.message
        finally:
            child.close()
            measured.cpu_seconds += child.cpu_seconds
            measured.waited_seconds += child.waited_seconds

    def _insist_on_limits(self, measured: Measurement) -> None:
        """Ends a policy that has used up on some cases what it had for all."""
        limits = self._limits
        if measured.verdict is Verdict.OK and measured.cpu_seconds >= limits.cpu_seconds:
            used = f"{limits.cpu_seconds:g} s of CPU"
        elif measured.verdict is Verdict.OK and measured.waited_seconds >= limits.wall_seconds:
            used = f"{limits.wall_seconds:g} s"
        else:
            return
        measured.verdict, measured.message = Verdict.TIMED_OUT, f"used up the {used} that it had for all cases"

    def _evaluation(self, measured: Measurement, reference: list[float], *, confirmed: bool) -> Evaluation:
        evaluation = partial(Evaluation, cpu_seconds=measured.cpu_seconds, calls=measured.calls, confirmed=confirmed)
        if measured.verdict is not Verdict.OK:
            return evaluation(measured.verdict, feedback=measured.message)
        results = tuple(self._result(index, base, measured.metrics[index]) for index, base in enumerate(reference))
        score = geometric_mean([result.ratio for result in results])
        return evaluation(Verdict.OK, score, results, self._feedback(results))

    def _result(self, index: int, base: float, metrics: Mapping[str, float]) -> CaseResult:
        reached = ratio(objective(self._problem, metrics), base, self._problem.direction)
        return CaseResult(self._cases.labels[index], reached, metrics)

    def _feedback(self, results: Sequence[CaseResult]) -> str:
        """Describes in the problem's words the cases that leave most to gain."""
        worst = sorted(range(len(results)), key=lambda index: self._reached(index, results[index]))[:WORST_CASES]
        words = {index: self._words(index, results[index]) for index in worst}
        return "\n".join(
            f"{results[i].case} ({results[i].ratio:.3f} of the reference): {said}" for i, said in words.items() if said
        )

    def _reached(self, index: int, result: CaseResult) -> float:
        """Returns how near a case comes to its bound, or to the reference where there is none or nobody asks."""
        if self._cases.name in ("validation", "test") or self._cases.bounds is None:
            return result.ratio
        bound, value = self._cases.bounds[index], objective(self._problem, result.metrics)
        return bound / value if self._problem.direction == "minimize" else value / bound if bound else result.ratio

    def _words(self, index: int, result: CaseResult) -> str:
        try:
            return self._problem.feedback(self._cases.cases[index], result.metrics)
        except Exception:  # noqa: BLE001 - a score must not be lost for want of words
            _log.exception("the feedback of %s failed on %s: a bug of the problem", self._problem.name, result.case)
            return ""

    def _difference(self, one: Measurement, other: Measurement) -> str:
        index = next(i for i in one.metrics if one.metrics[i] != other.metrics[i])
        return f"depends on other cases: it decides otherwise when {self._cases.labels[index]} is judged alone"


def objective(problem: Problem, metrics: Mapping[str, float]) -> float:
    """Returns the metric that counts, at least the problem's floor."""
    return max(metrics[problem.objective], problem.floor)


def _waves(lane: Sequence[int]) -> list[dict[int, int]]:
    """Returns the case at each position of a child, wave by wave: the first 4, the next 8, the rest."""
    positions = list(enumerate(lane))
    waves = []
    for size in (*WAVES, len(lane)):
        waves.append(dict(positions[:size]))
        positions = positions[size:]
    return [wave for wave in waves if wave]


@dataclass(slots=True)
class _Running:
    """A simulation that waits for the answer to its call; ``decided`` once it has had one before."""

    position: int
    simulation: Simulation
    call: Call
    decided: bool = False


class _Wave:
    """Some cases of one child, driven in lock-step until all have ended.

    A simulation that fails before a policy has decided anything is the problem's fault.  Afterwards
    the policy provoked it: its verdict is INVALID, and the log says what to mend in the problem.
    """

    def __init__(self, cases: CaseSet, wave: Mapping[int, int], measured: Measurement) -> None:
        self._cases, self._problem, self._wave, self._measured = cases, cases.problem, wave, measured

    def run(self, child: Child) -> None:
        """Raises PolicyFailure at the first decision that fails."""
        running = [begun for position in self._wave if (begun := self._begin(position)) is not None]
        while running:
            decisions = self._ask(child, running)
            self._measured.calls += len(running)
            running = [step for step, decision in zip(running, decisions, strict=True) if self._advance(step, decision)]

    def _ask(self, child: Child, running: Sequence[_Running]) -> list[Any]:
        try:
            return child.ask([(step.position, step.call.name, step.call.arguments) for step in running])
        except WireError:
            step, error = next((step, error) for step in running if (error := _unfit(step.call)) is not None)
            raise self._fault(step.position, step.decided, f"asks `{step.call.name}` with {error}", error) from error

    def _begin(self, position: int) -> _Running | None:
        try:
            simulation = self._problem.simulate(self._cases.cases[self._wave[position]])
            call = next(simulation)
        except StopIteration as end:
            self._finish(position, end.value, decided=False)
            return None
        except Exception as error:
            what = f"fails with {type(error).__name__}: {error} ({place(error)})"
            raise self._fault(position, False, what, error) from error
        return _Running(position, simulation, self._call(position, call, decided=False))

    def _advance(self, step: _Running, decision: Any) -> bool:
        """Sends a decision into its simulation; returns whether that asks on."""
        position, checked = step.position, self._checked(step, decision)
        try:
            call = step.simulation.send(checked)
        except StopIteration as end:
            self._finish(position, end.value, decided=True)
            return False
        except InvalidDecision as broken:
            raise PolicyFailure(Verdict.INVALID, printable(str(broken)), position) from None
        except Exception as error:
            raise self._fault(position, True, f"fails with {type(error).__name__} ({place(error)})", error) from error
        step.call, step.decided = self._call(position, call, decided=True), True
        return True

    def _checked(self, step: _Running, decision: Any) -> Any:
        try:
            return check(decision, step.call.returns)
        except InvalidDecision as broken:
            raise PolicyFailure(Verdict.INVALID, f"`{step.call.name}`: {broken}", step.position) from None
        except ProblemError as error:
            raise self._fault(step.position, step.decided, f"asks for {printable(str(error))}", error) from error

    def _call(self, position: int, call: Any, *, decided: bool) -> Call:
        if not isinstance(call, Call):
            raise self._fault(position, decided, f"yields a {type(call).__name__} where a Call is expected")
        return call

    def _finish(self, position: int, metrics: Any, *, decided: bool) -> None:
        name = self._problem.objective
        if not isinstance(metrics, Mapping) or name not in metrics:
            raise self._fault(position, decided, f"does not return its metrics, {name!r} among them")
        if not all(map(_finite, metrics.values())):
            raise self._fault(position, decided, "returns a metric that is not a finite number")
        plain = {name: value if type(value) is int else float(value) for name, value in metrics.items()}
        value = objective(self._problem, plain)
        if not SMALLEST <= value <= LARGEST:
            what = (
                f"returns {value} as {name!r}, but ratios need positive values: set `floor` to the least that matters"
            )
            raise self._fault(position, decided, what)
        self._measured.metrics[self._wave[position]] = plain

    def _fault(self, position: int, decided: bool, what: str, error: Exception | None = None) -> Exception:
        """Returns what to raise for a simulation that is at fault."""
        label, name = self._cases.labels[self._wave[position]], self._problem.name
        if not decided:
            return ProblemError(f"{name}: the simulator {what}, on {label} and before the first decision")
        _log.error("a decision on %s provoked a bug of %s: its simulator %s", label, name, what, exc_info=error)
        return PolicyFailure(
            Verdict.INVALID, f"the decision provoked a bug of the problem: its simulator {what}", position
        )


def _finite(value: Any) -> bool:
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _unfit(call: Call) -> WireError | None:
    try:
        wire.pack(call.arguments)
    except WireError as error:
        return error
    return None
