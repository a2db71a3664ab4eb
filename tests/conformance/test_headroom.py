"""What is left to gain, what an evaluation costs, and what a problem says of itself."""

import pytest
from conformance.problems import NO_BOUND, PLAN, QUEUE, SMITH

from evolve.conformance import basics, headroom
from evolve.conformance.finding import Finding, Status
from evolve.conformance.hard import check_hard_cases, failing
from evolve.types import Verdict


def test_a_bound_that_a_baseline_beats_is_none(subject):
    (finding,) = headroom.check_headroom(subject(PLAN, ("return sum(delayed", "return 1.3 * sum(delayed")))
    assert finding.status is Status.FIX
    assert "reference reaches" in finding.found
    assert "mend `bound`" in finding.todo


def test_honest_headroom_is_told(subject):
    (finding,) = headroom.check_headroom(subject(PLAN))
    assert finding == Finding(
        Status.OK,
        "reference closes 0.0% of the gap from reference to bound; the bound is 1.144 times better",
    )


def test_a_bound_that_is_reached_leaves_nothing(subject):
    smith = SMITH.replace(" ** 0.9", "")
    (finding,) = headroom.check_headroom(subject(PLAN, seeds=[("smith", smith)]))
    assert finding.status is Status.LOOK
    assert "smith, is at the bound" in finding.found


def test_a_problem_without_a_bound_is_to_be_looked_at(subject):
    (finding,) = headroom.check_headroom(subject(PLAN, NO_BOUND))
    assert finding.status is Status.LOOK


def test_a_baseline_that_fails_is_to_be_mended(subject):
    failing_one = "def order(jobs):\n    return []\n"
    (finding,) = headroom.check_baselines(subject(PLAN, seeds=[("empty", failing_one)]))
    assert finding.status is Status.FIX
    assert finding.found == "empty is INVALID: train 0: every job must run once"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("f\"delay {metrics['delay']:.1f}\"", Status.OK, "at most"),
        ("1 / 0", Status.FIX, "`feedback` fails on train 0: ZeroDivisionError"),
        ("7", Status.FIX, "returns a int"),
        ("501 * 'x'", Status.FIX, "1,503 characters"),
        ("500 * 'x'", Status.OK, "1,500 characters"),
        ("''", Status.LOOK, "none"),
    ],
)
def test_feedback_is_short_and_never_fails(subject, body, status, said):
    (finding,) = basics.check_feedback(subject(PLAN, ("f\"delay {metrics['delay']:.1f}\"", body)))
    assert finding.status is status
    assert said in finding.found


def test_a_slow_evaluation_is_to_be_looked_at(subject):
    slow = subject(PLAN)
    assert basics.check_time(slow)[0].status is Status.OK
    times = iter([0.0, 11.0])
    object.__setattr__(slow, "clock", lambda: next(times))
    (finding,) = basics.check_time(slow)
    assert finding.status is Status.LOOK
    assert "up to 11.00 s (reference)" in finding.found


def test_a_docstring_that_names_no_function_is_no_prompt(subject):
    (finding,) = basics.check_text(subject(PLAN, ("Write `order(jobs)`: the order", "The order")))
    assert finding.status is Status.OK  # the word is there
    (finding,) = basics.check_text(subject(PLAN, ("`delay` is", "This is")))
    assert finding.status is Status.LOOK
    assert "but not 'delay', which counts" in finding.found
    (finding,) = basics.check_text(subject(QUEUE, ("Write `serve(waiting, now)`: which", "Which")))
    assert finding.status is Status.FIX


def test_a_policy_that_fails_on_its_worst_cases_only_has_no_score(subject):
    for source in (PLAN, QUEUE):
        (finding,) = check_hard_cases(subject(source))
        assert finding.status is Status.OK
        assert "5 worst cases is CRASHED" in finding.found


@pytest.mark.parametrize("made", [False, True])
def test_the_failing_policy_fails_where_it_should_and_nowhere_else(subject, made):
    judge = subject(QUEUE).judge
    policy = "def serve(waiting, now):\n    return min(waiting)\n"
    if made:
        policy = "class Policy:\n    def serve(self, waiting, now):\n        return min(waiting)\n"
    assert judge.evaluate(failing(policy, {1}, ["serve"])).score == 1.0
    assert judge.evaluate(failing(policy.replace("min(", "max("), set(), ["serve"])).verdict is Verdict.OK


def test_a_finding_that_must_be_mended_says_how():
    with pytest.raises(ValueError, match="says how"):
        Finding(Status.FIX, "wrong")
