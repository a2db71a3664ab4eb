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
from evolve.problem import Call, InvalidDecision, Problem, ProblemError
from evolve.sandbox import Sandbox
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
    class Quoting(Patient):
        """Write ``act``."""

        def simulate(self, case):
            answer = yield Call("act", case, returns=list | int)
            if answer != 1:
                raise InvalidDecision(answer)
            return {"cost": 1}

    evaluation = judge_of(sandbox, Quoting()).evaluate(DEEP)
    assert (evaluation.verdict, evaluation.feedback) == (Verdict.INVALID, "1: an illegal decision")


DEEP = """
import random
wire = random._os.sys.modules["evolve.sandbox.wire"]
pack = wire.plain = getattr(wire, "plain", wire.pack)  # this module is run for each case
def deeper(value):
    if not value:
        return pack(value)
    nonce, decisions = value
    body = b"\\x92" + pack(nonce)[4:] + bytes([0x90 + len(decisions)]) + (b"\\x91" * 1000 + b"\\x01") * len(decisions)
    return wire.HEADER.pack(len(body)) + body
wire.pack = deeper
def act(x):
    return 1
"""
"""Answers with lists that are nested more deeply than the host would pack, or Python can turn into text."""


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
