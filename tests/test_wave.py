"""What a decision can make a simulator do, and that the judge goes on afterwards."""

import gc
import logging
import subprocess
import sys
import time
from contextlib import suppress
from typing import ClassVar

import pytest

from evolve.cases import CaseSet
from evolve.judge import Judge
from evolve.judge.wave import Measurement, Running, Wave, _unfit
from evolve.patience import Overdue, Patience
from evolve.problem import Call, InvalidDecision, Problem, ProblemError
from evolve.sandbox import PolicyFailure, Sandbox, wire
from evolve.types import Limits, Verdict

SECONDS = 0.2


class Patient(Problem):
    """Write ``act(x)``: a number; 1 is the reference's, 2 drives the simulator into ``trouble``."""

    objective, name = "cost", "patient"
    reference = "def act(x):\n    return 1\n"
    limits = Limits(cpu_seconds=5, wall_seconds=20, call_seconds=2, memory_mib=64, step_seconds=SECONDS)
    closed: ClassVar[list[int]] = []

    def cases(self, split):
        return [1, 2, 3]

    def simulate(self, case):
        try:
            for _ in range(2):
                answer = yield Call("act", case, returns=int)
                if answer == 2:
                    yield from self.trouble(case)
            return {"cost": answer}
        finally:
            self.closed.append(case)
            self.at_the_end(case)

    def trouble(self, case):
        while True:
            pass
        yield

    def at_the_end(self, case):
        pass


TROUBLE = "def act(x):\n    return 2 if x == 2 else 1\n"
OVERDUE = "2: the decision provoked a bug of the problem: its simulator did not come back within 0.2 s"


def judge_of(sandbox: Sandbox, problem: Problem) -> Judge:
    problem.label = str
    return Judge(CaseSet(problem, "train", problem.cases(None)), sandbox)


def troubled(sandbox: Sandbox, kind: type[Problem], source: str = TROUBLE) -> tuple[Verdict, str]:
    """Returns how a policy fares; then checks that the same judge judges the next."""
    Patient.closed.clear()
    judge = judge_of(sandbox, kind())
    evaluation = judge.evaluate(source)
    assert sorted(Patient.closed[-3:]) == [1, 2, 3]  # no simulation is left open
    assert judge.evaluate(Patient.reference).score == 1.0
    return evaluation.verdict, evaluation.feedback


def test_a_decision_that_drives_the_simulator_into_an_endless_loop_is_invalid(sandbox, caplog):
    started = time.monotonic()
    assert troubled(sandbox, Patient) == (Verdict.INVALID, OVERDUE)
    assert time.monotonic() - started < 20 * SECONDS
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_simulator_that_swallows_exceptions_is_overdue_all_the_same(sandbox):
    class Greedy(Patient):
        """Write ``act``."""

        def trouble(self, case):
            while True:
                with suppress(Exception):
                    yield from super().trouble(case)

    assert troubled(sandbox, Greedy) == (Verdict.INVALID, OVERDUE)


def test_what_a_simulator_says_that_has_swallowed_its_end_counts_for_nothing(sandbox):
    class Voracious(Patient):
        """Write ``act``."""

        def trouble(self, case):
            try:
                yield from super().trouble(case)
            except BaseException:  # noqa: BLE001 - the point of it
                yield Call("act", case, returns=int)

    assert troubled(sandbox, Voracious) == (Verdict.INVALID, OVERDUE)

    class Suppressing(Patient):
        """Write ``act``."""

        def simulate(self, case):
            try:
                return (yield from super().simulate(case))
            except BaseException:  # noqa: BLE001 - the point of it
                return {"cost": 0.001}

    assert troubled(sandbox, Suppressing) == (Verdict.INVALID, OVERDUE)


def test_a_simulator_that_does_not_come_to_its_first_question_stops_the_run(sandbox):
    class Late(Patient):
        """Write ``act``."""

        def simulate(self, case):
            while case == 2:
                pass
            return (yield from super().simulate(case))

    said = "patient: the simulator did not come back within 0.2 s, on 2 and before the first decision"
    with pytest.raises(ProblemError, match=said):
        judge_of(sandbox, Late()).evaluate(TROUBLE)


def test_a_simulator_that_never_comes_back_with_the_reference_stops_the_run(sandbox):
    class Hopeless(Patient):
        """Write ``act``."""

        reference = TROUBLE

    with pytest.raises(ProblemError, match="the reference of patient is INVALID"):
        judge_of(sandbox, Hopeless()).evaluate("def act(x):\n    return 1\n")


@pytest.mark.parametrize("how", ["hangs", "fails", "asks on"])
def test_closing_a_simulation_whose_end_is_a_bug_changes_no_verdict(sandbox, caplog, how):
    class Clinging(Patient):
        """Write ``act``."""

        def simulate(self, case):
            try:
                return (yield from super().simulate(case))
            except GeneratorExit:
                while how == "hangs":
                    pass
                if how == "asks on":
                    yield Call("act", case, returns=int)
                raise KeyError(case) from None

        def trouble(self, case):
            raise InvalidDecision("no twos")
            yield

    verdict = troubled(sandbox, Clinging)
    gc.collect()
    assert verdict == (Verdict.INVALID, "2: no twos")
    assert "closing a simulation of patient" in caplog.text


def test_words_of_feedback_that_never_come_cost_no_score(sandbox, caplog):
    class Musing(Patient):
        """Write ``act``."""

        def feedback(self, case, metrics):
            while case == 3:
                pass
            return "fine"

    evaluation = judge_of(sandbox, Musing()).evaluate(Patient.reference)
    assert evaluation.score == 1.0
    assert "fine" in evaluation.feedback
    assert "the feedback of patient did not come back within 0.2 s on 3" in caplog.text


def test_a_simulator_that_asks_for_ever_is_ended_by_the_limits_of_the_policy(sandbox):
    class Curious(Patient):
        """Write ``act``."""

        limits = Limits(cpu_seconds=1, wall_seconds=0.5)

        def trouble(self, case):
            while True:
                yield Call("act", case, returns=int)

    verdict, said = troubled(sandbox, Curious)
    assert verdict is Verdict.TIMED_OUT
    assert "it had left" in said


def test_a_policy_that_thinks_longer_than_a_simulator_may_is_not_held_against_the_simulator(sandbox):
    thinks = "import time\ndef act(x):\n    time.sleep(0.4 * (x == 2))\n    return 1\n"
    assert judge_of(sandbox, Patient()).evaluate(thinks).score == 1.0


def test_a_message_that_no_text_can_be_made_of_is_a_verdict(sandbox):
    class Mute(InvalidDecision):
        def __str__(self):
            raise RecursionError

    class Quoting(Patient):
        """Write ``act``."""

        def trouble(self, case):
            raise Mute
            yield

    assert troubled(sandbox, Quoting) == (Verdict.INVALID, "2: an illegal decision")


class Echoing(Patient):
    """Write ``act``."""

    def simulate(self, case):
        answer = yield Call("act", case, returns=list | int)
        answer = yield Call("act", answer, returns=list | int)
        return {"cost": 1}


@pytest.mark.parametrize("depth", [150, 500, 1000, 1018, 1019, 1020, 1021, 1022])
def test_a_decision_that_nests_too_deeply_to_be_asked_with_is_invalid(sandbox, depth):
    evaluation = judge_of(sandbox, Echoing()).evaluate(DEEP.replace("DEPTH", str(depth)))
    assert evaluation.verdict is Verdict.INVALID


def test_a_question_that_cannot_be_asked_has_somebody_to_blame_even_if_each_alone_could_be(sandbox, monkeypatch):
    monkeypatch.setattr("evolve.judge.wave._unfit", lambda step: None)

    class Unpackable(Patient):
        """Write ``act``."""

        def trouble(self, case):
            yield Call("act", {1, 2}, returns=int)

    verdict, said = troubled(sandbox, Unpackable)
    assert verdict is Verdict.INVALID
    assert "asks `act` with not plain data" in said


def test_a_question_is_packed_as_deeply_as_it_is_sent_to_see_whether_it_can_be():
    step = Running(0)
    fits = []
    for depth in range(500, 1100):
        value = []
        for _ in range(depth):
            value = [value]
        step.call = Call("act", value)
        try:
            wire.pack((1, [(0, "act", (value,))]))
            fits.append(True)
        except wire.WireError:
            fits.append(False)
        assert (_unfit(step) is None) == fits[-1]
    assert {True, False} == set(fits)


DEEP = """
import random
wire = random._os.sys.modules["evolve.sandbox.wire"]
pack = wire.plain = getattr(wire, "plain", wire.pack)  # this module is run for each case
def deeper(value):
    if not value:
        return pack(value)
    nonce, decisions = value
    body = b"\\x92" + pack(nonce)[4:] + bytes([0x90 + len(decisions)]) + (b"\\x91" * DEPTH + b"\\x01") * len(decisions)
    return wire.HEADER.pack(len(body)) + body
wire.pack = deeper
def act(x):
    return 1
"""
"""Answers with lists that are nested more deeply than the host would pack."""


class Jumpy(Patience[Running]):
    """Says that it is overdue the moment before a simulation that was closed is nobody's turn again."""

    closed = False

    def __setattr__(self, name, value):
        if name == "at" and value is None and Jumpy.closed:
            Jumpy.closed = False
            raise Overdue
        super().__setattr__(name, value)


def test_a_simulation_that_is_late_with_its_end_by_a_hair_changes_no_verdict():
    class Slow(Patient):
        """Write ``act``."""

        def at_the_end(self, case):
            Jumpy.closed = True

    class Failing:
        def ask(self, calls):
            raise PolicyFailure(Verdict.CRASHED, "oh", 0)

    Jumpy.closed = False
    problem = Slow()
    wave = Wave(CaseSet(problem, "train", [1]), {0: 0}, Measurement(), Jumpy(SECONDS))
    with pytest.raises(PolicyFailure, match="oh"):
        wave.run(Failing())
    assert not Jumpy.closed


MEMORY = """
from evolve.cases import CaseSet
from evolve.executors import memory
from evolve.judge import Judge
from evolve.problem import Call, Problem
from evolve.sandbox import Sandbox

class Hoard(Problem):
    objective, name, reference = "cost", "hoard", "def act(x):\\n    return 1\\n"
    def simulate(self, case):
        places = [0] * (yield Call("act", case, returns=int))
        return {"cost": 1 + len(places)}

with Sandbox() as sandbox:
    judge = Judge(CaseSet(Hoard(), "train", [1]), sandbox)
    judge.reference()
    with memory.at_most(512 << 20):
        for source in ("def act(x):\\n    return 10 ** 9\\n", "def act(x):\\n    return 2\\n"):
            evaluation = judge.evaluate(source)
            print(evaluation.verdict, evaluation.score, evaluation.feedback)
"""


def test_a_decision_that_makes_the_simulator_allocate_without_end_is_a_bug_and_not_the_machines_trouble():
    ran = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=60, check=True)
    hoarded, modest = ran.stdout.splitlines()
    assert hoarded.startswith("INVALID None train 0: the decision provoked a bug of the problem: its simulator fails")
    assert "MemoryError" in hoarded
    assert modest.startswith("OK 0.66")


FULL = """
import sys
from evolve.cases import CaseSet
from evolve.executors import memory
from evolve.judge import Judge
from evolve.problem import Call, Problem
from evolve.sandbox import Sandbox

class Full(Problem):
    objective, name, reference = "cost", "full", "def act(x):\\n    return 1\\n"
    def simulate(self, case):
        kept = []
        answer = yield Call("act", 0, returns=int)
        try:
            while answer > 1:
                kept.append(bytearray(1 << 20))
        except MemoryError:
            pass
        question = [0] * 100_000
        for _ in range(answer > 1 and 3):
            kept.append((yield Call("act", [question] * 100, returns=list[float] | list[str])))
        return {"cost": answer}

with Sandbox() as sandbox:
    judge = Judge(CaseSet(Full(), "train", [1]), sandbox)
    judge.reference()
    with memory.at_most(512 << 20):
        for answer in ("['x' * 7_000_000]", "[1] * 1_000_000", "['ab', 'cd'] * 500_000"):
            source = f"first = True\\ndef act(x):\\n    return 2 if x == 0 else {answer}\\n"
            print(judge.evaluate(source).verdict, judge.evaluate(Full.reference).score)
"""


def test_a_judge_whose_memory_a_simulator_has_filled_says_that_the_policy_provoked_it():
    ran = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, timeout=100, check=False)
    assert ran.stdout.splitlines() == ["INVALID 1.0"] * 3, ran.stderr
