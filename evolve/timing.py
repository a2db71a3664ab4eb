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
- What is left counts for at least ``RESOLUTION_SECONDS``, about the noise of all this.  A policy that
  used less than half of what one that does nothing ever did has tampered with the host: FORBIDDEN.

What remains: a child may leave caches cold, or a core slow, for the next; within one or two milliseconds,
and taken in turns.  A policy may save some of the host's share by unpacking less than it is sent.  So cases
should keep the reference busy for some ten milliseconds or more, and questions should be small beside that.
"""

import hashlib
import statistics
from collections import deque
from collections.abc import Sequence
from typing import Any, Self

from evolve.lane import Driver
from evolve.patience import Patience
from evolve.problem import CPU_SECONDS, ProblemError
from evolve.sandbox import Child, PolicyFailure, SandboxError, wire
from evolve.types import Verdict
from evolve.wave import Measurement, Running

RESOLUTION_SECONDS = 0.0005

NOTHING = """class Policy:
    def __getattr__(self, name):
        return lambda *arguments: None
"""
"""A policy that answers whatever it is asked and does nothing for it."""

_FEWEST, _MOST = 3, 7
"""Children of which the host's share is the median."""

_TRANSCRIPTS = 1024
"""Of how many transcripts the host's share is remembered."""

_MAX_BYTES = 64 << 20


class Timer:
    """Times policies against the reference on every case of a driver's."""

    def __init__(self, driver: Driver, reference: str) -> None:
        self._driver, self._reference = driver, reference
        self._shares: dict[bytes, deque[float]] = {}

    def measure(self, source: str, patience: Patience[Running]) -> Measurement:
        """Returns the metrics of a policy, CPU time among them, and beside them those of the reference.

        Raises:
            ProblemError: the reference did not finish a case.
            SandboxError: the sandbox failed.
        """
        measured, beside = Measurement(), Measurement()
        entrants = [(self._reference, beside), (source, measured)]
        for (case,) in self._driver.cases.lanes(isolated=True):
            for text, notes in entrants:
                self._time(text, case, notes, patience)
            entrants.reverse()
            if beside.verdict is not Verdict.OK:
                raise unfinished(self._driver, beside)
            if measured.verdict is not Verdict.OK:
                break
        measured.reference = beside.metrics
        return measured

    def _time(self, source: str, case: int, notes: Measurement, patience: Patience[Running]) -> None:
        transcript = _Transcript()
        cpu_seconds = self._driver.run(source, [case], notes, patience, transcript.through)
        if notes.verdict is not Verdict.OK:
            return
        shares = self._hosts_shares(transcript, cpu_seconds)
        if cpu_seconds < min(shares) / 2:
            said = "used less CPU than a policy that does nothing, so it has tampered with its host"
            notes.verdict, notes.message = Verdict.FORBIDDEN, f"{self._driver.cases.labels[case]}: {said}"
            return
        own = max(cpu_seconds - statistics.median(shares), RESOLUTION_SECONDS)
        notes.metrics[case] = {**notes.metrics[case], CPU_SECONDS: own}

    def _hosts_shares(self, transcript: "_Transcript", cpu_seconds: float) -> Sequence[float]:
        """Returns the CPU seconds of the last children that were asked the same and did nothing for it.

        There are more of them where a policy used far less, for the machine may have been busy.
        """
        shares = self._shares.setdefault(transcript.digest(), deque(maxlen=_MOST))
        if len(self._shares) > _TRANSCRIPTS:
            del self._shares[next(iter(self._shares))]
        shares.append(self._nothing(transcript))
        while len(shares) < _FEWEST or (len(shares) < _MOST and cpu_seconds < min(shares) / 2):
            shares.append(self._nothing(transcript))
        return shares

    def _nothing(self, transcript: "_Transcript") -> float:
        child = Child(self._driver.sandbox, self._driver.limits)
        try:
            child.load(NOTHING, self._driver.cases.seeds[:1])
            for frame in transcript.frames:
                child.ask(wire.unpack(frame, trusted=True))
        except PolicyFailure as failure:
            raise SandboxError(
                f"a policy that does nothing is {failure.verdict}: {failure.message}; is the machine overloaded?"
            ) from failure
        finally:
            child.close()
        return child.cpu_seconds


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
        self._bytes = 0
        self._child: Child | None = None

    def through(self, child: Child) -> Self:
        self._child = child
        return self

    def ask(self, calls: Sequence[tuple[int, str, Sequence[Any]]]) -> list[Any]:
        assert self._child is not None
        frame = wire.pack(calls)[wire.HEADER.size :]
        self._bytes += len(frame)
        if self._bytes > _MAX_BYTES:
            raise PolicyFailure(
                Verdict.INVALID, f"was asked more than {_MAX_BYTES >> 20} MiB, too much for a case that is timed", 0
            )
        self.frames.append(frame)
        return self._child.ask(calls)

    def digest(self) -> bytes:
        return hashlib.sha256(b"".join(wire.HEADER.pack(len(frame)) + frame for frame in self.frames)).digest()
