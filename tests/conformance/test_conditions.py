"""Conditions that a found policy is tried under are as sound as ordinary cases, and each setting is its own."""

import pytest
from conformance.problems import PLAN, SMITH

from evolve.conformance.conditions import check_conditions
from evolve.conformance.finding import Status

SWEEPS = (
    "    def simulate(",
    """\
    sweeps = {"load": ("few", "many")}

    def swept(self, split, condition, setting):
        return [swept_jobs(random.Random(seed), 4 if setting == "few" else 8) for seed in split.seeds(12)]

    def simulate(""",
)
JOBS = (
    "def jobs(random):",
    """\
def swept_jobs(random, count):
    return [[[random.randint(1, 90), random.randint(1, 90)] for _ in range(count)]]


def jobs(random):""",
)


@pytest.fixture
def found(subject):
    def check(*changes, seeds=()):
        return check_conditions(subject(PLAN, SWEEPS, JOBS, *changes, seeds=seeds))

    return check


def test_a_problem_without_conditions_is_told_that_nobody_knows(subject):
    (finding,) = check_conditions(subject(PLAN))
    assert finding.status is Status.OK
    assert finding.found.startswith("none declared")


def test_honest_conditions_pass_and_say_who_finished_them(found):
    (finding,) = found(seeds=[("smith", SMITH)])
    assert finding.status is Status.OK
    assert finding.found == "load: 2 settings, each finished by the reference and smith"


def test_the_reference_is_named_once_where_it_is_the_best(found):
    (finding,) = found()
    assert finding.found == "load: 2 settings, each finished by the reference"


def test_too_few_cases_under_a_setting_are_found(found):
    (finding, _) = found(("split.seeds(12)", "split.seeds(9)"))
    assert finding.status is Status.FIX
    assert finding.found == "validation:load=few has too few independent stretches of data: 9; intervals need 10"


def test_a_setting_that_changes_nothing_is_found(found):
    (finding,) = found(('4 if setting == "few" else 8', "8"))
    assert finding.status is Status.FIX
    assert finding.found == "load=few and load=many have the same cases"


def test_a_setting_whose_cases_cannot_be_made_is_found(found):
    (finding,) = found(('4 if setting == "few" else 8', '{"few": 4}[setting]'))
    assert finding.status is Status.FIX
    assert finding.found.startswith("under load=many: ")
    assert "`swept` failed: KeyError: 'many'" in finding.found


def test_a_reference_that_fails_under_a_setting_is_found(found):
    (finding,) = found(("return sorted(range(len(jobs)), key", "return sorted(range(max(len(jobs), 5)), key"))
    assert finding.status is Status.FIX
    assert finding.found.startswith("on validation:load=few the reference is ")


def test_a_baseline_that_fails_under_a_setting_is_for_a_person_to_look_at(found):
    fragile = SMITH.replace("    return", "    assert len(jobs) > 4\n    return")
    (finding,) = found(seeds=[("smith", fragile)])
    assert finding.status is Status.LOOK
    assert finding.found.startswith("on validation:load=few smith is CRASHED")


def test_a_bound_that_is_beaten_under_a_setting_is_found(found):
    (finding, _) = found(("return sum(delayed", "return (2 if len(case[0]) in (4, 8) else 1) * sum(delayed"))
    assert finding.status is Status.FIX
    assert "the reference reaches" in finding.found
    assert "on validation:load=few 0, beyond the bound of" in finding.found


def test_cases_that_do_not_follow_the_split_are_found(found):
    said = [finding.found for finding in found(("split.seeds(12)", "range(12)"))]
    pairs = {"train and validation": "train", "train and test": "train", "validation and test": "validation"}
    assert said == [
        f"under conditions {pair} share 8 of 8 cases, such as {split} under conditions 0"
        for pair, split in {**pairs, "two secrets": "test"}.items()
    ]


def test_cases_that_are_others_each_time_are_found(found):
    first, second = found(("swept_jobs(random.Random(seed)", "swept_jobs(random.Random()"))
    assert first.found == "the cases under load=few are others when they are drawn again"
    assert second.found == "the cases under load=many are others when they are drawn again"
