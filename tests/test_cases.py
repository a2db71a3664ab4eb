"""Sets of cases: disjoint splits, names, files, lanes."""

from typing import ClassVar

import pytest

from evolve.cases import CaseSet, cases_of, insist_on_searchable, named_cases, split_cases, swept
from evolve.problem import Problem, ProblemError, Split
from evolve.types import EvolveError


class Toy(Problem):
    """Write nothing."""

    name = "toy"

    sweeps: ClassVar = {"load": ("50%", "90%"), "noise": ("none",)}

    def cases(self, split):
        return split.seeds(30)

    def swept(self, split, condition, setting):
        return [(condition, setting, seed) for seed in split.seeds({"50%": 12, "90%": 10}[setting])]

    def bound(self, case):
        return None if case == 13 else float(case)

    def label(self, case):
        return "thirteen" if case == 13 else ""

    def trace(self, case):
        return case // 10 if case < 100 else None

    def case_sets(self):
        return {"real": [1, 2, 3], "none": []}

    def read_cases(self, path):
        return [int(line) for line in path.read_text().split()]


def test_splits_share_no_seed_and_repeat():
    seeds = {name: Split(name, "s" if name == "test" else "").seeds(500) for name in ("train", "validation", "test")}
    everything = [seed for split in seeds.values() for seed in split]
    assert len(set(everything)) == 1500
    assert all(0 <= seed < 1 << 62 for seed in everything)
    assert Split("train").seeds(10) == seeds["train"][:10]


def test_the_sealed_split_needs_a_secret_and_changes_with_it():
    with pytest.raises(EvolveError, match="secret"):
        split_cases(Toy(), "test")
    with pytest.raises(EvolveError, match="secret"):
        split_cases(Toy(), "train", "secret")
    one, two = (split_cases(Toy(), "test", secret).cases for secret in ("a", "b"))
    assert not set(one) & set(two)


def test_an_unknown_split_names_the_known_ones():
    with pytest.raises(EvolveError, match="train, validation, test"):
        split_cases(Toy(), "training")


def test_named_sets_and_files_are_cases_too(tmp_path):
    file = tmp_path / "trace.txt"
    file.write_text("5 13")
    assert named_cases(Toy(), "real").cases == [1, 2, 3]
    read = named_cases(Toy(), str(file))
    assert (read.cases, read.name, read.labels) == ([5, 13], "trace.txt", ["trace.txt 0", "thirteen"])


def test_an_unknown_set_names_the_known_ones():
    with pytest.raises(EvolveError, match="case sets: none, real"):
        named_cases(Toy(), "rael")


def test_an_empty_set_is_the_problems_fault():
    with pytest.raises(ProblemError, match="'none' is empty"):
        named_cases(Toy(), "none")


def test_a_problem_that_reads_no_files_says_so(tmp_path):
    class Deaf(Problem):
        """Write nothing."""

        name = "deaf"

    file = tmp_path / "trace.txt"
    file.write_text("5")
    with pytest.raises(EvolveError, match="deaf reads no case files"):
        named_cases(Deaf(), str(file))


def test_what_a_policy_draws_does_not_tell_it_which_case_or_split_it_is_judged_on():
    train, validation = split_cases(Toy(), "train"), split_cases(Toy(), "validation")
    assert train.seed == validation.seed


def test_cases_of_one_trace_never_share_a_lane():
    cases = CaseSet(Toy(), "x", [1, 2, 11, 3, 200, 201, 12])
    lanes = cases.lanes(isolated=False)
    assert sorted(index for lane in lanes for index in lane) == list(range(7))
    assert lanes == [[0, 2, 4, 5], [1, 6], [3]]


def test_isolated_cases_have_a_lane_each_in_reverse_order():
    assert CaseSet(Toy(), "x", [1, 2, 3]).lanes(isolated=True) == [[2], [1], [0]]


def test_a_case_without_a_trace_is_a_stretch_of_its_own():
    stretches = CaseSet(Toy(), "x", [1, 2, 11, 200, 201]).stretches
    assert stretches[0] == stretches[1]
    assert len(set(stretches)) == 4


def test_bounds_are_known_for_all_cases_or_for_none():
    assert CaseSet(Toy(), "x", [1, 2]).bounds == [1.0, 2.0]
    assert CaseSet(Toy(), "x", [1, 13]).bounds is None


class Plain(Toy):
    """Write nothing."""

    name = "plain"
    sweeps: ClassVar = {}


def test_a_split_under_a_condition_has_a_name_and_cases_of_its_seeds():
    name = swept("validation", "load", "90%")
    assert name == "validation:load=90%"
    cases = cases_of(Toy(), name)
    assert cases.cases == [("load", "90%", seed) for seed in Split("validation").seeds(10)]
    assert (cases.name, cases.split, cases.labels[0]) == (name, "validation", "validation:load=90% 0")


def test_splits_are_as_far_apart_under_a_condition_as_without_one():
    drawn = [cases_of(Toy(), swept(name, "load", "50%")).cases for name in ("train", "validation")]
    drawn += [cases_of(Toy(), "test:load=50%", secret).cases for secret in ("one", "another")]
    assert len({case for cases in drawn for case in cases}) == 48
    with pytest.raises(EvolveError, match="secret"):
        cases_of(Toy(), "test:load=50%")


def test_an_unknown_condition_or_setting_names_the_nearest_and_all():
    with pytest.raises(EvolveError, match="no cases 'validation:lod=90%'; did you mean 'validation:load=90%'"):
        cases_of(Toy(), "validation:lod=90%")
    with pytest.raises(EvolveError, match="there are: train:load=50%, train:load=90%, train:noise=none"):
        cases_of(Toy(), "train:load")
    with pytest.raises(EvolveError, match="there are: none"):
        cases_of(Plain(), "train:load=50%")


def test_what_a_condition_raises_is_the_problems_fault():
    with pytest.raises(ProblemError, match=r"toy: `swept` failed: KeyError: 'none' \(test_cases.py"):
        cases_of(Toy(), "validation:noise=none")


def test_under_whatever_condition_validation_and_test_are_kept_from_searches():
    for name in ("validation", "test", "validation:load=50%", "test:load=50%"):
        with pytest.raises(EvolveError, match="kept from searches: only those of the train split"):
            insist_on_searchable(Toy(), name)
    for name in ("train", "train:load=50%", "real"):
        insist_on_searchable(Toy(), name)
