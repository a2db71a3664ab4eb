"""Some cases of one child, driven in lock-step: one message carries the next question of each."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol

from evolve.cases import CaseSet, place
from evolve.judge.decision import check
from evolve.patience import Overdue, Patience, late
from evolve.problem import CPU_SECONDS, Call, InvalidDecision, Problem, ProblemError, Simulation, Unready
from evolve.sandbox import PolicyFailure, WireError, wire
from evolve.sandbox.failure import printable
from evolve.types import PROVOKED, Verdict

_log = logging.getLogger(__name__)

SMALLEST, LARGEST = 1e-100, 1e100
"""What an objective may be, so that ratios of two are finite."""


@dataclass(slots=True)
class Measurement:
    """What a policy reached on every case, or why it did not; ratios come later.

    ``reference`` is what the reference reached beside it, where a problem is timed.  ``simulations`` counts the cases
    that were begun.
    """

    verdict: Verdict = Verdict.OK
    message: str = ""
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    reference: dict[int, Mapping[str, float]] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    waited_seconds: float = 0.0
    calls: int = 0
    simulations: int = 0


class Respondent(Protocol):
    """Who answers the questions: a sandboxed child."""

    def ask(self, calls: Sequence[tuple[int, str, Sequence[Any]]]) -> list[Any]:
        """Returns one decision for each ``(case, function, arguments)``, in order."""


@dataclass(slots=True)
class Running:
    """A simulation and its call that waits for an answer; ``decided`` once it was sent one."""

    position: int
    simulation: Simulation = field(init=False)
    call: Call = field(init=False)
    decided: bool = False


class Wave:
    """Simulations of one child, driven in lock-step until all have ended.

    A simulation that fails, or never comes back, before a policy has decided anything is the problem's
    fault.  Afterwards the policy provoked it: its verdict is INVALID, and the log says what to mend in
    the problem.
    """

    def __init__(
        self, cases: CaseSet, wave: Mapping[int, int], measured: Measurement, patience: Patience[Running]
    ) -> None:
        self._cases, self._problem, self._wave, self._measured = cases, cases.problem, wave, measured
        self._patience = patience
        self._running: list[Running] = []

    def run(self, child: Respondent) -> None:
        """Notes the metrics of every case; no simulation is left open.

        Raises:
            PolicyFailure: a decision failed, the first that did.
            ProblemError: a simulation did, before it was sent one.
        """
        try:
            try:
                self._drive(child)
            finally:
                self._patience.at = None  # in here, for whoever is late may be told so until now
        except Overdue:
            self._patience.at = None
            raise self._overdue() from None
        except MemoryError as error:
            raise self._exhausted(error) from None
        finally:
            self._end()

    def _drive(self, child: Respondent) -> None:
        for position in self._wave:
            self._begin(Running(position))
        self._insist_on_time()
        while self._running:
            self._answer(self._ask(child))
            self._insist_on_time()

    def _ask(self, child: Respondent) -> list[Any]:
        self._patience.at = None
        try:
            return child.ask([(step.position, step.call.name, step.call.arguments) for step in self._running])
        except WireError as error:
            step = next((step for step in self._running if _unfit(step)), self._running[-1])
            said = _unfit(step) or error  # alone each may fit
            raise self._fault(step, f"asks `{step.call.name}` with {said}", error) from error

    def _answer(self, decisions: Sequence[Any]) -> None:
        self._measured.calls += len(decisions)
        self._running = [
            step for step, decision in zip(self._running, decisions, strict=True) if self._advance(step, decision)
        ]

    def _insist_on_time(self) -> None:
        if self._patience.overdue is not None:  # a simulator swallowed it: what that goes on with is worth nothing
            raise Overdue

    def _begin(self, step: Running) -> None:
        self._patience.at = step
        self._measured.simulations += 1
        try:
            step.simulation = self._problem.simulate(self._cases.cases[self._wave[step.position]])
            call = next(step.simulation)
        except StopIteration as end:
            self._finish(step, end.value)
            return
        except Unready:
            raise
        except Exception as error:
            what = f"fails with {type(error).__name__}: {error} ({place(error)})"
            raise self._fault(step, what, error) from error
        self._running.append(step)
        step.call = self._call(step, call)

    def _advance(self, step: Running, decision: Any) -> bool:
        """Sends a decision into its simulation; returns whether that asks on."""
        self._patience.at = step
        checked = self._checked(step, decision)
        step.decided = True
        try:
            call = step.simulation.send(checked)
        except StopIteration as end:
            self._finish(step, end.value)
            return False
        except InvalidDecision as broken:
            raise PolicyFailure(Verdict.INVALID, reason(broken), step.position) from None
        except Unready:  # what was measured with has gone: no verdict would be fair
            raise
        except Exception as error:
            raise self._fault(step, f"fails with {type(error).__name__} ({place(error)})", error) from error
        step.call = self._call(step, call)
        return True

    def _checked(self, step: Running, decision: Any) -> Any:
        try:
            return check(decision, step.call.returns)
        except InvalidDecision as broken:
            raise PolicyFailure(Verdict.INVALID, f"`{step.call.name}`: {broken}", step.position) from None
        except ProblemError as error:
            raise self._fault(step, f"asks for {printable(str(error))}", error) from error

    def _call(self, step: Running, call: Any) -> Call:
        if not isinstance(call, Call):
            raise self._fault(step, f"yields a {type(call).__name__} where a Call is expected")
        return call

    def _finish(self, step: Running, metrics: Any) -> None:
        """Notes the metrics of a case; CPU time is not among them yet."""
        if said := metrics_fault(self._problem, metrics):
            raise self._fault(step, said)
        plain = {name: value if type(value) is int else float(value) for name, value in metrics.items()}
        self._measured.metrics[self._wave[step.position]] = plain

    def _overdue(self) -> Exception:
        step, self._patience.overdue = self._patience.overdue, None
        assert step is not None
        return self._fault(step, late(self._patience.seconds))

    def _exhausted(self, error: MemoryError) -> Exception:
        """Returns what to raise where the judge's own hand found no memory, after it has made room for that."""
        running, decided = self._running, self._measured.calls > 0
        self._end()
        if not running:
            return error
        step = max(running, key=lambda step: step.decided)
        step.decided = decided
        return self._fault(step, "keeps more than memory holds")

    def _fault(self, step: Running, what: str, error: Exception | None = None) -> Exception:
        """Returns what to raise for a simulation that is at fault."""
        label, name = self._cases.labels[self._wave[step.position]], self._problem.name
        if not step.decided:
            return ProblemError(f"{name}: the simulator {what}, on {label} and before the first decision")
        _log.error("a decision on %s provoked a bug of %s: its simulator %s", label, name, what, exc_info=error)
        return PolicyFailure(Verdict.INVALID, f"{PROVOKED}: its simulator {what}", step.position)

    def _end(self) -> None:
        """Closes the simulations that are left, whose ``finally`` may fail or hang like all else of them."""
        for step in self._running:
            try:
                self._close(step)
            except (Exception, Overdue) as error:  # noqa: BLE001 - a verdict stands, whatever comes after it
                what = late(self._patience.seconds) if isinstance(error, Overdue) else f"failed: {type(error).__name__}"
                _log.error("closing a simulation of %s %s: a bug of the problem", self._problem.name, what)
        self._running = []
        self._patience.overdue = None

    def _close(self, step: Running) -> None:
        self._patience.at = step
        try:
            step.simulation.close()
        finally:
            self._patience.at = None  # in here, for it may be told that it is late until now


def objective(problem: Problem, metrics: Mapping[str, float]) -> float:
    """Returns the metric that counts, at least the problem's floor."""
    return max(metrics[problem.objective], problem.floor)


def metrics_fault(problem: Problem, metrics: Any) -> str:
    """Returns what is wrong with what a simulation has returned, or nothing; CPU time is not among it yet."""
    name, measured = problem.objective, {CPU_SECONDS} if problem.timed else set()
    if not isinstance(metrics, Mapping) or (name not in metrics and not problem.timed):
        return f"does not return its metrics, {name!r} among them"
    if measured & metrics.keys():
        return f"returns {CPU_SECONDS!r} itself; it is the judge that measures it where `timed` is set"
    if missing := [name for name in problem.measured if name not in metrics]:
        return f"does not return {missing[0]!r}, which `measured` names"
    strange = [key for key, value in metrics.items() if not _finite(value)]
    if strange:
        return f"returns {_key(strange[0])} that is not a finite number"
    if name in metrics and not fit_for_ratios(value := float(objective(problem, metrics))):
        return f"returns {value:g} as {name!r}, but ratios need positive values: set `floor` to the least that matters"
    for kept in (constraint.metric for constraint in problem.constraints):
        if kept not in metrics or not fit_for_ratios(float(metrics[kept])):
            return f"does not return a positive {kept!r}, which a constraint is on"
    return ""


def fit_for_ratios(value: float) -> bool:
    """Says whether a ratio with another such value is a finite number."""
    return SMALLEST <= value <= LARGEST


def _key(key: Any) -> str:
    return f"a {key!r}" if type(key) is str else "a metric"  # a simulator may name one by a decision


def reason(error: InvalidDecision) -> str:
    """Returns what a simulator says of a decision; it may quote one that no text can be made of."""
    try:
        return printable(str(error))
    except Exception:  # noqa: BLE001 - such as a RecursionError
        return "an illegal decision"


def _finite(value: Any) -> bool:
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _unfit(step: Running) -> WireError | None:
    """Returns why a question cannot be asked even alone; it is packed as deeply as it is sent."""
    try:
        wire.pack((0, [(step.position, step.call.name, step.call.arguments)]))
    except WireError as error:
        return error
    return None
