"""How long a policy computes on each case, for problems whose objective is the policy's own speed.

What makes the ratio of two times honest:

- *CPU, not wall time*, and no clock of the policy's: the kernel accounts it, and says it when the child is
  reaped.  It is all that the child used from fork to end, so loading, computing before an answer, after it
  and between two questions count alike.  Threads and processes are denied, so there is nowhere else to compute.
- *A fresh child for each case*: what was computed for one is gone on the next, and no input comes twice to
  a process that could remember it.
- *The reference runs beside the policy*, anew for each case and in turns before and after it, so that a
  busy or slow machine is so for both.  Nothing of it is kept for later.
- *The host's own share is taken off*: of a child with a policy that does nothing and is asked the very
  same questions.  Which ones they are depends on what was decided, so they are kept on the way to the child
  and asked again.  For each transcript of questions the median of the last few such children counts; at
  every use one more is run, so that it follows the machine.
- *What could be saved of it by forging* is measured too: a policy may answer with a loop of its own that unpacks
  nothing.  A case counts for at least ``FORGERS`` times that, for policy and reference alike, so forging gains
  at most a quarter.
- What is left counts for at least ``RESOLUTION_SECONDS``, about the noise of all this.  A policy that
  used less than half of what one that does nothing ever did has tampered with the host: FORBIDDEN.

What remains: a child may leave caches cold, or a core slow, for the next; within one or two milliseconds,
and taken in turns.  So cases should keep the reference busy for some ten milliseconds or more, and asking should
cost little beside that: where it does not, ratios are near 1 whatever the policy gains, and the log says so.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from evolve.cases import blaming
from evolve.judge.lane import Driver
from evolve.judge.share import Share, Shares
from evolve.judge.wave import Measurement, Running, fit_for_ratios, objective
from evolve.patience import Patience
from evolve.problem import CPU_SECONDS, ProblemError
from evolve.sandbox import Child, PolicyFailure, SandboxError, wire
from evolve.sandbox.failure import printable
from evolve.types import PROVOKED, Verdict

_log = logging.getLogger(__name__)

RESOLUTION_SECONDS = 0.0005

FORGERS = 4
"""How many times what a loop of its own could save a policy a case counts for at least."""

_MAX_BYTES = 64 << 20


class Timer:
    """Times policies against the reference on every case of a driver's."""

    def __init__(self, driver: Driver, reference: str) -> None:
        self._driver, self._reference = driver, reference
        self._shares = Shares(driver)
        self._warned = False

    def measure(self, source: str, patience: Patience[Running]) -> Measurement:
        """Returns the metrics of a policy, CPU time among them, and beside them those of the reference.

        Raises:
            ProblemError: the reference did not finish a case.
            SandboxError: the sandbox failed.
        """
        entrants = [_Entrant(self._reference), _Entrant(source)]
        reference, policy = entrants
        for (case,) in self._driver.cases.lanes(isolated=True):
            for entrant in entrants:
                entrant.transcript = _Transcript()
                entrant.cpu_seconds = self._driver.run(
                    entrant.source, [case], entrant.notes, patience, entrant.transcript.through
                )
            entrants.reverse()
            self._time(reference, case, reference)
            if reference.notes.verdict is not Verdict.OK:
                raise unfinished(self._driver, reference.notes)
            self._time(policy, case, reference)
            if policy.notes.verdict is not Verdict.OK:
                break
        policy.notes.reference = reference.notes.metrics
        return policy.notes

    def _time(self, entrant: "_Entrant", case: int, reference: "_Entrant") -> None:
        """Adds to the metrics of a case how long an entrant took."""
        if entrant.notes.verdict is not Verdict.OK:
            return
        label = self._driver.cases.labels[case]
        try:
            share = self._shares.of(entrant.transcript.digest(), entrant.transcript.frames, entrant.cpu_seconds)
        except PolicyFailure as failure:
            said = f"a policy that does nothing is {failure.verdict}: {failure.message}"
            if entrant.transcript.digest() == reference.transcript.digest():
                raise SandboxError(f"{said}; is the machine overloaded?") from failure
            entrant.fail(Verdict.INVALID, f"{label}: led to questions on which even {said}")
            return
        if entrant is not reference and entrant.cpu_seconds < share.least / 2:  # the reference is no suspect
            said = "used less CPU than a policy that does nothing, so it has tampered with its host"
            entrant.fail(Verdict.FORBIDDEN, f"{label}: {said}")
            return
        own, least = entrant.cpu_seconds - share.median, self._least(share)
        if own < least and entrant is reference:
            self._warn(label, own, least)
        try:
            entrant.notes.metrics[case] = self._with_time(case, entrant.notes.metrics[case], max(own, least))
        except ProblemError as error:  # with the reference; afterwards the policy provoked it
            if entrant is reference:
                raise
            _log.error("a decision provoked a bug: %s", error)
            entrant.fail(Verdict.INVALID, f"{PROVOKED}: {printable(str(error))}")

    def _with_time(self, case: int, metrics: Mapping[str, float], seconds: float) -> dict[str, float]:
        """Returns the metrics of a case with its CPU time, and with what the problem derives from that.

        Raises:
            ProblemError: the objective is still not among them, or is nothing to make ratios of.
        """
        problem, label = self._driver.cases.problem, self._driver.cases.labels[case]
        timed = {**metrics, CPU_SECONDS: seconds}
        with blaming(problem, "derive"):
            whole = {**{name: float(value) for name, value in problem.derive(timed).items()}, **timed}
        name = problem.objective
        if name not in whole:
            raise ProblemError(f"{problem.name}: neither `simulate` nor `derive` returns {name!r}, the objective")
        if not fit_for_ratios(value := objective(problem, whole)):
            raise ProblemError(
                f"{problem.name}: {name!r} is {value:g} on {label}, but ratios need positive values: set `floor` to "
                "the least that matters"
            )
        return whole

    def _least(self, share: Share) -> float:
        return max(FORGERS * share.savable, RESOLUTION_SECONDS)

    def _warn(self, label: str, own: float, least: float) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "%s: the reference computes for %.1f ms on %s, and less than %.1f ms cannot be told apart there: "
                "give it more to do, or ask fewer and smaller questions",
                self._driver.cases.problem.name, max(0.0, 1e3 * own), label, 1e3 * least,
            )  # fmt: skip


def unfinished(driver: Driver, measured: Measurement) -> ProblemError:
    """Returns what to raise where the reference fails."""
    return ProblemError(
        f"the reference of {driver.cases.problem.name} is {measured.verdict}: {measured.message}; "
        "scores are relative to it, so it must finish every case"
    )


class _Transcript:
    """Passes questions on to a child and keeps them as they were sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._child: Child | None = None

    def through(self, child: Child) -> Self:
        self._child = child
        return self

    def ask(self, calls: Sequence[tuple[int, str, Sequence[Any]]]) -> list[Any]:
        assert self._child is not None
        frame = wire.pack(calls)
        self._digest.update(frame)
        self._bytes += len(frame)
        if self._bytes > _MAX_BYTES:
            raise PolicyFailure(
                Verdict.INVALID, f"was asked more than {_MAX_BYTES >> 20} MiB, too much for a case that is timed", 0
            )
        self.frames.append(frame[wire.HEADER.size :])
        return self._child.ask(calls)

    def digest(self) -> bytes:
        return self._digest.digest()


@dataclass(slots=True)
class _Entrant:
    """A policy that is timed: what is known of it, and how its last case went."""

    source: str
    notes: Measurement = field(default_factory=Measurement)
    transcript: _Transcript = field(default_factory=_Transcript)
    cpu_seconds: float = 0.0

    def fail(self, verdict: Verdict, message: str) -> None:
        self.notes.verdict, self.notes.message = verdict, message
