"""The cases that share one child, and that child's life: it is started, asked in waves and reaped."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from evolve.cases import CaseSet
from evolve.judge.wave import Measurement, Respondent, Running, Wave
from evolve.patience import Patience
from evolve.sandbox import Child, PolicyFailure, Sandbox
from evolve.types import Limits, Verdict

WAVES = (4, 8)
"""Sizes of the first waves of a child's cases; the rest is one wave.  A failure ends the waves."""


class Driver:
    """Runs policies on lanes of one set of cases; ``limits`` are for all lanes of a policy together."""

    def __init__(self, cases: CaseSet, sandbox: Sandbox, limits: Limits) -> None:
        self.cases, self.sandbox, self.limits = cases, sandbox, limits

    def run(
        self,
        source: str,
        lane: Sequence[int],
        measured: Measurement,
        patience: Patience[Running],
        through: Callable[[Child], Respondent] = lambda child: child,
    ) -> float:
        """Judges cases that may share a child unless the policy has failed before; a failure is noted.

        ``through`` may put somebody between the simulations and the child.  Returns the child's CPU time.

        Raises:
            ProblemError: a simulation failed before the policy had decided anything.
            SandboxError: the sandbox failed.
        """
        if measured.verdict is not Verdict.OK:
            return 0.0
        child = Child(self.sandbox, self._left(measured))
        try:
            child.load(source, self.cases.seed)
            for wave in _waves(lane):
                Wave(self.cases, wave, measured, patience).run(through(child))
        except PolicyFailure as failure:
            measured.verdict, measured.message = failure.verdict, self._place(lane, failure.case) + failure.message
        finally:
            child.close()
            measured.cpu_seconds += child.cpu_seconds
            measured.waited_seconds += child.waited_seconds
        self._insist_on_limits(measured)
        return child.cpu_seconds

    def _left(self, measured: Measurement) -> Limits:
        limits = self.limits
        cpu, wall = limits.cpu_seconds - measured.cpu_seconds, limits.wall_seconds - measured.waited_seconds
        return replace(limits, cpu_seconds=cpu, wall_seconds=wall)

    def _place(self, lane: Sequence[int], position: int | None) -> str:
        known = position is not None and 0 <= position < len(lane)  # a child may say that it failed on any
        return f"{self.cases.labels[lane[position]]}: " if position is not None and known else ""

    def _insist_on_limits(self, measured: Measurement) -> None:
        """Ends a policy that has used up on some cases what it had for all."""
        limits = self.limits
        if measured.verdict is Verdict.OK and measured.cpu_seconds >= limits.cpu_seconds:
            used = f"{limits.cpu_seconds:g} s of CPU"
        elif measured.verdict is Verdict.OK and measured.waited_seconds >= limits.wall_seconds:
            used = f"{limits.wall_seconds:g} s"
        else:
            return
        measured.verdict, measured.message = Verdict.TIMED_OUT, f"used up the {used} that it had for all cases"


def _waves(lane: Sequence[int]) -> list[dict[int, int]]:
    """Returns the case at each position of a child, wave by wave: the first 4, the next 8, the rest."""
    positions = list(enumerate(lane))
    waves = []
    for size in (*WAVES, len(lane)):
        waves.append(dict(positions[:size]))
        positions = positions[size:]
    return [wave for wave in waves if wave]
