"""A policy that can see the future is found by comparing cases with the same past."""

import pytest
from conformance.problems import PLAN, QUEUE

from evolve.conformance.finding import Status
from evolve.conformance.lookahead import check_lookahead
from evolve.problem import ProblemError


def test_an_honest_online_problem_shows_only_the_past(subject):
    (finding,) = check_lookahead(subject(QUEUE))
    assert finding.status is Status.OK
    assert "4 of 4 pairs differ later" in finding.found


def test_arguments_that_hold_the_future_are_found_with_their_place(subject):
    leaky = ('Call("serve", waiting, now, ', 'Call("serve", waiting, now, sum(n for _, n in case), ')
    longer = ("def serve(waiting, now)", "def serve(waiting, now, left)")
    (finding,) = check_lookahead(subject(QUEUE, leaky, longer))
    assert finding.status is Status.FIX
    assert "the policy can see the future" in finding.found
    assert "argument 3 of call 1 (`serve`) already differs" in finding.found


def test_a_question_that_is_asked_only_because_of_the_future_is_found(subject):
    early = ("if not waiting:", "if not waiting or sum(n for _, n in case) % 2:")
    (finding,) = check_lookahead(subject(QUEUE, early, ("coming[0][1][0])", "coming[0][1][0]) if coming else now")))
    assert finding.status is Status.FIX


def test_a_case_that_ends_early_because_of_the_future_is_found(subject):
    early = ("while waiting or coming:", "while (waiting or coming) and (delay == 0 or sum(n for _, n in case) % 2):")
    findings = [check_lookahead(subject(QUEUE, early))[0]]
    assert findings[0].status is Status.FIX
    assert "is asked in one case and not in its twin" in findings[0].found


def test_a_twin_that_cannot_be_played_is_not_taken_for_a_leak(subject):
    (finding,) = check_lookahead(subject(QUEUE, ("length + 5)", "None)")))
    assert finding.status is Status.LOOK
    assert "does not finish the twin" in finding.found


def test_an_online_problem_without_twins_is_said_to_be_unchecked(subject):
    (finding,) = check_lookahead(subject(QUEUE, ("def twin(", "def no_twin(")))
    assert finding.status is Status.LOOK
    assert "define `twin(case, random)`" in finding.todo


def test_a_plan_problem_has_no_future(subject):
    (finding,) = check_lookahead(subject(PLAN))
    assert finding.status is Status.OK
    assert "asks once a case; whether its argument shows what is decided only later was not checked" in finding.found


def test_the_twin_of_a_problem_that_asks_once_is_asked_for_and_played(subject):
    """The argument of its only call holds what is decided by the last job, which the twin has otherwise."""
    other = "Twin([[*case[0][:-1], [1, 99]]], lambda call: True)"
    twin = ("    def feedback(", f"    def twin(self, case, random):\n        return {other}\n\n    def feedback(")
    (finding,) = check_lookahead(subject(PLAN, twin, ("Limits, Problem", "Limits, Problem, Twin")))
    assert finding.status is Status.FIX
    assert "argument 1 of call 1 (`order`) already differs" in finding.found


def test_a_moment_that_cannot_be_told_is_an_error_of_the_twin_and_says_where(subject):
    broken = ("lambda call: call.arguments[1] < moment", "lambda call: call.arguments[7] < moment")
    with pytest.raises(ProblemError, match=r"`Twin.before` failed: IndexError: .* \(problem.py, line "):
        check_lookahead(subject(QUEUE, broken))


def test_a_twin_with_another_past_is_told_that_it_may_be_at_fault_itself(subject):
    (finding,) = check_lookahead(subject(QUEUE, ("length if time < moment else", "length + 1 if time < moment else")))
    assert finding.status is Status.FIX
    assert "or mend `twin`: it must equal the case up to that moment" in finding.todo


def test_twins_that_are_no_twins_are_said_to_show_nothing(subject):
    (finding,) = check_lookahead(subject(QUEUE, ("length + 5)", "length)")))
    assert finding.status is Status.LOOK
    assert "asked and paid just the same" in finding.found
    (finding,) = check_lookahead(subject(QUEUE, ("lambda call: call.arguments[1] < moment", "lambda call: False")))
    assert "no call came before the moment" in finding.found
