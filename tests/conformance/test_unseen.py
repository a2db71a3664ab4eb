"""What only a proof would play is played before: validation and sealed cases."""

import pytest
from conformance.problems import PLAN, QUEUE

from evolve.conformance.finding import Status
from evolve.conformance.unseen import check_unseen

CASES = "return [arrivals(random.Random(seed)) for seed in split.seeds(20)]"


def of(split, case, otherwise="arrivals(random.Random(seed))"):
    return (CASES, f"return [{case} if split.name == {split!r} else {otherwise} for seed in split.seeds(20)]")


@pytest.mark.parametrize("source", [PLAN, QUEUE])
def test_honest_cases_pass(subject, source):
    (finding,) = check_unseen(subject(source))
    assert finding.status is Status.OK


def test_sealed_cases_that_cannot_be_played_are_found(subject):
    (finding,) = check_unseen(subject(QUEUE, of("test", "None")))
    assert finding.status is Status.FIX
    assert finding.found.startswith("on test: ")
    assert "TypeError" in finding.found


def test_validation_cases_that_the_reference_does_not_finish_are_found(subject):
    (finding,) = check_unseen(subject(QUEUE, of("validation", "[(0, 1), (3, None)]")))
    assert finding.status is Status.FIX
    assert finding.found.startswith("on validation the reference is INVALID: validation 0: ")


def test_a_bound_that_fails_or_does_not_hold_there_is_found(subject):
    body = "return sum(delayed"
    (finding, _) = check_unseen(subject(PLAN, (body, f"1 / (len(case[0]) - 5)\n        {body}")))
    assert "`bound` failed: ZeroDivisionError" in finding.found
    beaten = check_unseen(subject(PLAN, (body, "return 1.3 * sum(delayed")))
    assert [finding.todo for finding in beaten] == ["mend `bound`"] * 2


def test_cases_of_another_size_are_to_be_looked_at(subject):
    longer = "[(time, 9 * length) for time, length in arrivals(random.Random(seed)) * 4]"
    objective, calls = check_unseen(subject(QUEUE, of("test", longer)))
    assert objective.status is calls.status is Status.LOOK
    assert objective.found.startswith("the mean delay of the reference is ")
    assert calls.found == "the mean number of calls of the reference is 80 on test and 20 on train"
