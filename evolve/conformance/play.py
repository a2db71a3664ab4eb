"""Plays one case: drives its simulation with the decisions of a sandboxed policy, or with altered ones.

Unlike the judge, which turns whatever happens into a verdict on a policy, this says what a simulator did.
"""

import contextlib
import copy
import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evolve.cases import place
from evolve.conformance.subject import Subject
from evolve.judge.decision import check
from evolve.judge.wave import metrics_fault, reason
from evolve.patience import Overdue, Patience, late
from evolve.problem import Call, InvalidDecision, Problem, ProblemError, Simulation
from evolve.sandbox import PolicyFailure, WireError, wire
from evolve.sandbox.failure import printable

Decide = Callable[[int, Call], Any]
"""Returns the decision on a call, given its number, from 0."""


class End(enum.Enum):
    """How a play ended."""

    FINISHED = enum.auto()  # with metrics
    MISTYPED = enum.auto()  # a decision was not of the type asked for
    REFUSED = enum.auto()  # the simulator raised InvalidDecision
    BROKE = enum.auto()  # the simulator raised anything else
    HUNG = enum.auto()  # the simulator did not come back
    NO_METRICS = enum.auto()  # nothing that makes a score
    ENDLESS = enum.auto()  # it asks on and on
    GAVE_UP = enum.auto()  # the policy failed
    LEFT = enum.auto()  # whoever decides had seen enough


@dataclass(frozen=True, slots=True)
class Play:
    """What came of playing a case; ``said`` explains an end without metrics."""

    end: End
    calls: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    said: str = ""


class Enough(Exception):  # noqa: N818 - nothing failed
    """Raised by whoever decides, to leave a simulation where it is."""


class _Ended(Exception):  # noqa: N818 - carries an end
    def __init__(self, end: End, said: str) -> None:
        super().__init__(said)
        self.end, self.said = end, said


def play(problem: Problem, case: Any, decide: Decide, most_calls: float = math.inf) -> Play:
    """Plays a case to whatever end it comes to; after ``most_calls`` it counts as endless."""
    played = _Played(problem, decide)
    try:
        with Patience[int](problem.limits.step_seconds) as patience:
            try:
                return played.run(case, patience, most_calls)
            finally:
                patience.at = -1  # what a simulator does when it is left is also its doing
                played.close()
    except Overdue:
        return Play(End.HUNG, played.calls, said=late(problem.limits.step_seconds))


class _Played:
    """A simulation under way."""

    def __init__(self, problem: Problem, decide: Decide) -> None:
        self._problem, self._decide = problem, decide
        self._simulation: Simulation | None = None
        self.calls = 0

    def run(self, case: Any, patience: Patience[int], most_calls: float) -> Play:
        try:
            patience.at = 0
            self._simulation = self._problem.simulate(case)
            call = _sent(patience, self._simulation, None)
            while self.calls < most_calls:
                patience.at = None
                decision = _decided(self._decide, self.calls, call)
                self.calls += 1
                patience.at = self.calls
                call = _sent(patience, self._simulation, decision)
        except StopIteration as end:
            said = metrics_fault(self._problem, end.value)
            return Play(End.NO_METRICS if said else End.FINISHED, self.calls, {} if said else end.value, said)
        except _Ended as ended:
            return Play(ended.end, self.calls, said=ended.said)
        return Play(End.ENDLESS, self.calls, said=f"asks on and on, {self.calls:,} times already")

    def close(self) -> None:
        """Leaves the simulation, whose ``finally`` may fail."""
        if self._simulation is not None:
            with contextlib.suppress(Exception):
                self._simulation.close()


def _sent(patience: Patience[int], simulation: Simulation, decision: Any) -> Call:
    try:
        call = simulation.send(decision)
    except StopIteration:
        raise
    except InvalidDecision as broken:
        raise _Ended(End.REFUSED, reason(broken)) from None
    except Exception as error:
        raise _Ended(End.BROKE, f"fails with {type(error).__name__} ({place(error)})") from error
    finally:
        if patience.overdue is not None:  # also if it swallowed the exception
            raise Overdue
    if not isinstance(call, Call):
        raise _Ended(End.BROKE, f"yields a {type(call).__name__} where a Call is expected")
    return call


def _decided(decide: Decide, number: int, call: Call) -> Any:
    try:
        return check(decide(number, call), call.returns)
    except InvalidDecision as broken:
        raise _Ended(End.MISTYPED, str(broken)) from None
    except PolicyFailure as failure:
        raise _Ended(End.GAVE_UP, failure.message) from None
    except WireError as error:
        raise _Ended(End.BROKE, f"asks `{call.name}` with {error}") from error
    except ProblemError as error:
        raise _Ended(End.BROKE, f"asks for {printable(str(error))}") from error
    except Enough:
        raise _Ended(End.LEFT, "") from None


def seen(call: Call) -> Sequence[Any]:
    """Returns the arguments of a call as a policy sees them: copies, tuples turned into lists."""
    return _unpacked(wire.pack(call.arguments))


def _unpacked(question: bytes) -> Sequence[Any]:
    arguments: Sequence[Any] = wire.unpack(memoryview(question)[wire.HEADER.size :], trusted=True)
    return arguments


@dataclass(frozen=True, slots=True)
class Step:
    """One call with its decision; ``question`` is what the policy was sent, as bytes."""

    name: str
    question: bytes
    returns: Any
    decision: Any

    def arguments(self) -> Sequence[Any]:
        """Returns the arguments of the call as the policy saw them."""
        return _unpacked(self.question)

    def call(self) -> Call:
        """Returns the call with these arguments."""
        return Call(self.name, *self.arguments(), returns=self.returns)


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that was asked and decided in one play of a case; ``case`` is its index."""

    case: int
    policy: str
    steps: Sequence[Step]
    play: Play

    def number(self, step: Step) -> int:
        """Returns the number of the call that a step belongs to, from 0."""
        return next(number for number, other in enumerate(self.steps) if other is step)

    def replay(self, number: int, _: Call) -> Any:
        """Decides as recorded.

        Raises:
            Enough: nothing is recorded of a call with that number.
        """
        if number >= len(self.steps):
            raise Enough
        return copy.deepcopy(self.steps[number].decision)  # the simulator may keep and change it


class Recorder:
    """Notes what somebody is asked and decides."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self.steps: list[Step] = []

    def __call__(self, number: int, call: Call) -> Any:
        """Decides as whoever is asked, and notes it."""
        question = wire.pack(call.arguments)
        decision = self._decide(number, call)
        self.steps.append(Step(call.name, question, call.returns, copy.deepcopy(decision)))
        return decision


def record(subject: Subject, index: int, policy: str) -> Recording:
    """Returns one play of a case by a baseline in a child of its own."""
    with subject.answers(policy) as answer:
        recorder = Recorder(answer)
        ended = play(subject.problem, subject.cases.cases[index], recorder)
    return Recording(index, policy, recorder.steps, ended)
