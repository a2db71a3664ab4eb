"""Cases that are too few, equal, or not the same when drawn again are found."""

from random import Random

import pytest
from conformance.problems import NO_BOUND, PLAN, QUEUE

from evolve.conformance.finding import Status
from evolve.conformance.fingerprint import fingerprint
from evolve.conformance.splits import check_splits


def fixes(subject):
    return [finding.found for finding in check_splits(subject) if finding.status is Status.FIX]


@pytest.mark.parametrize("source", [PLAN, QUEUE])
def test_honest_splits_pass(subject, source):
    (finding,) = check_splits(subject(source))
    assert finding.status is Status.OK
    assert "train 20, validation 20, test 20" in finding.found


def test_splits_that_share_cases_are_found(subject):
    (said, *more) = fixes(subject(QUEUE, ("in split.seeds(20)]", "in range(20)]")))
    assert said == "train and validation share 20 of 20 cases, such as train 0"
    assert more[-1] == "two secrets share 20 of 20 cases, such as test 0"


def test_cases_are_compared_without_the_names_that_they_carry(subject):
    named = (
        "return [arrivals(random.Random(seed)) for seed in split.seeds(20)]",
        ("return [(f'job {seed} of {split.name}', arrivals(random.Random(seed))) for seed in range(20)]"),
    )
    assert (
        len(fixes(subject(QUEUE, named, ("simulate(self, case):", "simulate(self, pair):\n        case = pair[1]"))))
        == 4
    )


def test_one_case_that_is_equal_by_chance_is_for_a_person_to_look_at(subject):
    trivial = ("in split.seeds(20)]", "in [1, *split.seeds(19)]]")
    findings = check_splits(subject(QUEUE, trivial))
    assert [finding.status for finding in findings] == [Status.LOOK] * 4
    assert "share 1 of 20 cases" in findings[0].found


def test_cases_that_are_equal_where_nothing_can_be_gained_are_counted_and_fine(subject):
    alone = ("in split.seeds(20)]", "in split.seeds(19)] + [[[[1, 1]]]]")
    (finding,) = check_splits(subject(PLAN, alone))
    assert finding.status is Status.OK
    assert "train and validation share 1 of 20 cases, on which there is nothing to gain" in finding.found
    baselines = [("backwards", "def order(jobs):\n    return list(range(len(jobs)))[::-1]\n")]
    (finding,) = check_splits(subject(PLAN, alone, NO_BOUND, seeds=baselines))
    assert finding.status is Status.OK


def test_cases_that_are_equal_and_tell_baselines_apart_are_for_a_person_to_look_at(subject):
    baselines = [("as_they_come", "def order(jobs):\n    return list(range(len(jobs)))\n")]
    telling = ("in split.seeds(20)]", "in split.seeds(19)] + [[[[9, 1], [1, 9]]]]")
    found = check_splits(subject(PLAN, telling, NO_BOUND, seeds=baselines))
    assert [finding.status for finding in found] == [Status.LOOK] * 4


def test_sealed_cases_that_do_not_follow_the_secret_are_found(subject):
    fixed = ("split.seeds(20)", "([9, 8, 7] * 7 if split.name == 'test' else split.seeds(20))")
    assert any(said.startswith("two secrets share 3") for said in fixes(subject(QUEUE, fixed)))


def test_cases_that_are_others_each_time_are_found(subject):
    said = fixes(subject(QUEUE, ("random.Random(seed)", "random.Random()")))
    assert said == [
        f"the cases of {name} are others when they are drawn again" for name in ("train", "validation", "test")
    ]


def test_too_few_independent_stretches_are_found(subject):
    few = ("    def twin(", "    def stretch(self, case):\n        return case[0][0] % 3\n\n    def twin(")
    assert fixes(subject(QUEUE, few))[0] == "train has too few independent stretches of data: 3; intervals need 20"


def test_labels_that_would_spoil_a_table_are_found(subject):
    label = ("    def twin(", "    def label(self, case):\n        return f'a\\x1b[2J{case[0]}'\n\n    def twin(")
    assert any("has the label" in said for said in fixes(subject(QUEUE, label)))


def test_a_fingerprint_sees_what_a_value_consists_of():
    class Job:
        def __init__(self, length):
            self.length, self.random = length, Random(length)

    assert fingerprint([Job(1), {"a": {3, 1, 2}}]) == fingerprint([Job(1), {"a": {1, 2, 3}}])
    used = Job(1)
    used.random.random()
    values = [Job(1), Job(2), used, [1, 2], [[1], 2], [1, [2]], (1, 2), 1, True, 1.0, "1", None, "", {}, {1: 2}, b"1"]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint(iter([])) is not None
    assert fingerprint(x for x in []) is None


HELD_OUT = (  # the test cases are the same whatever the secret
    ("    limits =", "    held_out = True\n    limits ="),
    ("in split.seeds(20)]", "in ([4 * n for n in range(20)] if split.name == 'test' else split.seeds(20))]"),
)


def test_cases_that_are_held_out_need_no_secret_and_that_is_said(subject):
    (finding,) = check_splits(subject(QUEUE, *HELD_OUT))
    assert finding.status is Status.OK
    assert finding.found.endswith("; the test cases are held out, not secret")
    assert "sealed" not in finding.found


def test_without_that_word_cases_that_do_not_follow_the_secret_are_found(subject):
    assert fixes(subject(QUEUE, HELD_OUT[1])) == ["two secrets share 20 of 20 cases, such as test 0"]


def test_cases_that_are_called_held_out_and_follow_the_secret_are_found(subject):
    assert fixes(subject(QUEUE, HELD_OUT[0])) == ["`held_out` is set, but test cases follow the secret"]


def test_held_out_cases_that_are_in_another_split_are_found_all_the_same(subject):
    findings = check_splits(subject(QUEUE, HELD_OUT[0], ("in split.seeds(20)]", "in range(20)]")))
    assert [finding.found for finding in findings if finding.status is Status.FIX] == [
        f"{pair} share 20 of 20 cases, such as {pair.partition(' ')[0]} 0"
        for pair in ("train and validation", "train and test", "validation and test")
    ]
    assert findings[-1].found == "the test cases are held out, not secret"
