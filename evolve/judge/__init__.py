"""Runs a policy on cases and says how good it is.

The simulator runs here, the policy in a sandboxed child.  Cases are driven in *lock-step*: one
message carries the next question of every case of a wave.  What the policy answers is checked, sent
into the simulation, and counts only through the simulation's own metrics.

The story goes on in ``lane``, one child and its cases; ``wave``, what drives them; ``patience``, for
simulators that never come back; and ``timing``, where a policy's own speed counts.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial

from evolve.cases import CaseSet
from evolve.judge.lane import Driver
from evolve.judge.timing import Timer, unfinished
from evolve.judge.wave import Measurement, Running, objective
from evolve.patience import Overdue, Patience, late
from evolve.problem import steady
from evolve.racing.race import Race, outraced
from evolve.sandbox import Sandbox
from evolve.statistics import geometric_mean, ratio
from evolve.types import CaseResult, Evaluation, Layer, Limits, Verdict

_log = logging.getLogger(__name__)

WORST_CASES = 3


class Judge:
    """Judges policies on one set of cases, each relative to the reference.

    Only in the main thread of a process is it safe from simulators that never come back (see ``patience``).
    ``limits`` are those of one pass, by default what the problem allows on such cases.
    """

    def __init__(self, cases: CaseSet, sandbox: Sandbox, limits: Limits | None = None) -> None:
        self._cases, self._problem = cases, cases.problem
        limits = limits or self._problem.limits.over(len(cases), proving=cases.split in ("validation", "test"))
        self._driver = Driver(cases, sandbox, limits)
        self._layers = tuple(layer for layer in Layer if layer in sandbox.layers)
        self._timer: Timer | None = None
        self._reference: Mapping[int, Mapping[str, float]] | None = None

    def evaluate(self, source: str, *, confirm_above: float = math.inf, race: Race | None = None) -> Evaluation:
        """Returns the verdict on a policy and, if it is OK, its score.

        A score above ``confirm_above`` counts only if a second run, one child per case in reverse
        order, gives the same; above 0.0 is every score.  Times and other measured metrics need not be the same:
        those of the second run count, for the first was chosen for being good.  Nothing that a policy does raises.

        A policy that loses a ``race`` is stopped: it is OUTRACED, unless it has failed before.  One that is not stopped
        is judged as without one.  Where time counts nobody is raced.

        Raises:
            ProblemError: the problem is at fault, so no verdict would be fair.
            SandboxError: the sandbox is.
        """
        if not self._problem.timed:
            self.reference()  # first: a problem that fails with it is at fault, whatever the policy does
        if race is None or self._problem.timed:
            measured = self.measure(source)
        else:
            measured, said = self._raced(source, race)
            if said:
                results = self._results(measured)
                return outraced(results, said, measured.cpu_seconds, measured.calls, self._layers)
        evaluation = self._evaluation(measured, confirmed=False)
        if evaluation.score is None or evaluation.score <= confirm_above:
            return evaluation
        again = self.measure(source, isolated=True)
        again.cpu_seconds += measured.cpu_seconds
        again.calls += measured.calls
        again.simulations += measured.simulations
        if again.verdict is Verdict.OK and (said := self._difference(measured, again)):
            again.verdict, again.message = Verdict.INVALID, said
        return self._evaluation(again, confirmed=True)

    def reference(self) -> list[float]:
        """Returns the objective that the reference reaches on each case, judged once.

        Raises:
            ProblemError: it does not finish every case.
        """
        return self._objectives(self._of_reference())

    def _of_reference(self) -> Mapping[int, Mapping[str, float]]:
        """Returns the metrics of the reference on each case."""
        if self._reference is None:
            measured = self.measure(self._problem.baselines()[0].source)
            if measured.verdict is not Verdict.OK:
                raise unfinished(self._driver, measured)
            self._reference = measured.metrics
        return self._reference

    def measure(self, source: str, *, isolated: bool = False) -> Measurement:
        """Returns the metrics of a policy on every case, or its failure.

        Raises:
            ProblemError: a simulation failed before the policy had decided anything.
            SandboxError: the sandbox failed.
        """
        with Patience[Running](self._problem.limits.step_seconds) as patience:
            if self._problem.timed:
                return self._with_times(source, patience)
            measured = Measurement()
            for lane in self._cases.lanes(isolated):
                self._driver.run(source, lane, measured, patience)
            return measured

    def _raced(self, source: str, race: Race) -> tuple[Measurement, str]:
        """Returns the metrics of a policy on the cases that it came to, and why it was stopped if it was."""
        measured, said = Measurement(), ""
        bases, lanes = self._objectives(self._of_reference()), self._cases.lanes(isolated=False)
        with Patience[Running](self._problem.limits.step_seconds) as patience:
            for group in race.groups():
                for lane in [[case for case in lane if case in group] for lane in lanes]:
                    if lane:
                        self._driver.run(source, lane, measured, patience)
                if measured.verdict is not Verdict.OK:
                    break
                ratios = {case: self._ratio(bases[case], found) for case, found in measured.metrics.items()}
                if said := race.stops(ratios, len(source)):
                    break
        return measured, said

    def _with_times(self, source: str, patience: Patience[Running]) -> Measurement:
        if self._timer is None:
            self._timer = Timer(self._driver, self._problem.baselines()[0].source)
        return self._timer.measure(source, patience)

    def _bases(self, measured: Measurement) -> Mapping[int, Mapping[str, float]]:
        """Returns what the reference reaches on each case; where time counts, what it has just reached."""
        return measured.reference if self._problem.timed else self._of_reference()

    def _unmet(self, measured: Measurement, bases: Mapping[int, Mapping[str, float]]) -> str:
        """Returns which constraint a policy does not keep; empty: it keeps all."""
        for constraint in self._problem.constraints:
            name, direction = constraint.metric, constraint.direction
            ratios = {i: ratio(measured.metrics[i][name], base[name], direction) for i, base in bases.items()}
            if (reached := geometric_mean([*ratios.values()])) < constraint.least:
                worst = min(ratios, key=ratios.__getitem__)
                return (
                    f"breaks a constraint: its {name} is {reached:.4f} of the reference's on the mean, and must be at "
                    f"least {constraint.least:g} of it; worst on {self._cases.labels[worst]}, {ratios[worst]:.4f}"
                )
        return ""

    def _objectives(self, metrics: Mapping[int, Mapping[str, float]]) -> list[float]:
        return [objective(self._problem, metrics[index]) for index in range(len(self._cases))]

    def _evaluation(self, measured: Measurement, *, confirmed: bool) -> Evaluation:
        evaluation = partial(
            Evaluation,
            cpu_seconds=measured.cpu_seconds,
            calls=measured.calls,
            confirmed=confirmed,
            layers=self._layers,
            simulations=measured.simulations,
        )
        if measured.verdict is not Verdict.OK:
            return evaluation(measured.verdict, feedback=measured.message)
        bases = self._bases(measured)
        if unmet := self._unmet(measured, bases):
            return evaluation(Verdict.INVALID, feedback=unmet)
        results = tuple(self._results(measured).values())
        score = geometric_mean([result.ratio for result in results])
        return evaluation(Verdict.OK, score, results, self._feedback(results))

    def _results(self, measured: Measurement) -> Mapping[int, CaseResult]:
        """Returns the results on the cases that were judged, in the order of the set."""
        bases, labels = self._objectives(self._bases(measured)), self._cases.labels
        found = [(index, measured.metrics[index]) for index in sorted(measured.metrics)]
        return {index: CaseResult(labels[index], self._ratio(bases[index], each), each) for index, each in found}

    def _ratio(self, base: float, metrics: Mapping[str, float]) -> float:
        return ratio(objective(self._problem, metrics), base, self._problem.direction)

    def _feedback(self, results: Sequence[CaseResult]) -> str:
        """Describes in the problem's words the cases that leave most to gain."""
        worst = sorted(range(len(results)), key=lambda index: self._reached(index, results[index]))[:WORST_CASES]
        words = {index: self._words(index, results[index]) for index in worst}
        return "\n".join(
            f"{results[i].case} ({results[i].ratio:.3f} of the reference): {said}" for i, said in words.items() if said
        )

    def _reached(self, index: int, result: CaseResult) -> float:
        """Returns how near a case comes to its bound, or to the reference where there is none or nobody asks."""
        if self._cases.split in ("validation", "test") or self._cases.bounds is None:
            return result.ratio
        bound, value = self._cases.bounds[index], objective(self._problem, result.metrics)
        if self._problem.direction == "minimize":
            return bound / value
        return value / bound if bound else result.ratio

    def _words(self, index: int, result: CaseResult) -> str:
        seconds = self._problem.limits.step_seconds
        try:
            with Patience[CaseResult](seconds) as patience:
                patience.at = result
                return self._problem.feedback(self._cases.cases[index], result.metrics)
        except (Exception, Overdue) as error:  # noqa: BLE001 - a score must not be lost for want of words
            what = late(seconds) if isinstance(error, Overdue) else "failed"
            _log.exception("the feedback of %s %s on %s: a bug of the problem", self._problem.name, what, result.case)
            return ""

    def _difference(self, one: Measurement, other: Measurement) -> str:
        """Returns what is wrong with a policy that decided otherwise when asked again; empty: nothing is."""
        for index in sorted(one.metrics):
            if steady(self._problem, one.metrics[index]) != steady(self._problem, other.metrics[index]):
                label = self._cases.labels[index]
                return f"depends on other cases, or on chance of its own: judged again, alone, it differs on {label}"
        return ""
