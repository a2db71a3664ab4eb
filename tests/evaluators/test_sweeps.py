"""The conditions of every problem: cases that differ in one thing, by the rules that all cases follow."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from evolve import catalog
from evolve.cases import cases_of, swept, swept_cases
from evolve.conformance.fingerprint import fingerprint
from evolve.problem import Split

PROBLEMS = {name: catalog.load(name) for name in ("spot", "prism", "eplb", "dispatch", "txn", "txn_online")}
SETTINGS = [
    pytest.param(problem, condition, setting, id=f"{problem.name} {condition}={setting}")
    for problem in PROBLEMS.values()
    for condition, settings in problem.sweeps.items()
    for setting in settings
]
ENTRIES = {
    "spot": "choose",
    "prism": "place",
    "eplb": "rebalance",
    "dispatch": "choose",
    "txn": "order",
    "txn_online": "choose",
}


def drawn(name, condition, setting, split="validation"):
    return PROBLEMS[name].swept(Split(split, "secret" if split == "test" else ""), condition, setting)


def across(name, condition):
    """Returns the validation cases of each setting."""
    return [drawn(name, condition, setting) for setting in PROBLEMS[name].sweeps[condition]]


def reference(problem):
    """Returns the reference, loaded into this process."""
    names = {}
    exec((Path(__file__).parents[2] / "seeds" / problem.name / "reference.py").read_text(), names)
    entry = ENTRIES[problem.name]
    return getattr(names["Policy"](), entry) if "Policy" in names else names[entry]


def play(problem, case):
    """Returns the metrics of the reference on a case."""
    simulation, decision, decide = problem.simulate(case), None, reference(problem)
    while True:
        try:
            call = simulation.send(decision)
        except StopIteration as end:
            return end.value
        decision = decide(*call.arguments)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_there_are_two_or_three_conditions_of_two_to_four_settings(problem):
    assert 2 <= len(problem.sweeps) <= 3
    assert all(2 <= len(settings) <= 4 for settings in problem.sweeps.values())


@pytest.mark.parametrize(("problem", "condition", "setting"), SETTINGS)
def test_the_reference_solves_cases_whose_label_names_the_setting(problem, condition, setting):
    cases = cases_of(problem, swept("validation", condition, setting))
    assert 10 <= len(cases) <= 20
    assert len(set(cases.labels)) == len(set(cases.stretches)) == len(cases)
    assert all(f"validation {condition}={setting} " in label for label in cases.labels)
    case = cases.cases[-1]
    value, bound = play(problem, case)[problem.objective], problem.bound(case)
    assert value >= bound * (1 - 1e-9) if problem.direction == "minimize" else value <= bound * (1 + 1e-9)


@pytest.mark.parametrize(("problem", "condition", "setting"), SETTINGS)
def test_cases_follow_the_seeds_of_their_split(problem, condition, setting):
    names = {name: "secret" if name == "test" else "" for name in ("train", "validation", "test")}
    sets = {name: swept_cases(problem, swept(name, condition, setting), names[name]) for name in names}
    marks = [blank(case, labels.labels) for labels in sets.values() for case in labels.cases]
    assert len(set(marks)) > 0.9 * len(marks)  # on a few pools spot is always there
    again = swept_cases(problem, swept("validation", condition, setting))
    assert [fingerprint(case) for case in again.cases] == [fingerprint(case) for case in sets["validation"].cases]


def blank(case, labels):
    return fingerprint(case, lambda text: text in labels or text.startswith(("train", "validation", "test")))


def test_a_job_with_more_slack_meets_the_same_availability():
    rows = across("spot", "slack")
    assert [row[0].deadline // 3600 for row in rows] == [90, 60, 52, 49]
    for long, short in pairwise(rows):
        for one, other in zip(long, short, strict=True):
            assert one.available[: short[0].ticks] == other.available[: short[0].ticks]
            assert (one.work, one.changeover) == (other.work, other.changeover)


def test_spot_is_there_less_where_outages_are_frequent_and_flaps_where_pools_do():
    rare, usual, frequent = (np.mean([case.available for case in row]) for row in across("spot", "outages"))
    assert rare > usual + 0.1 > frequent + 0.2
    changes = [np.mean([np.diff(case.available).mean() for case in row]) for row in across("spot", "flapping")]
    assert changes == sorted(changes)
    assert changes[-1] > 1.5 * changes[0]


def test_models_take_more_of_the_memory_where_it_is_scarce():
    ample, usual, scarce = (
        np.mean([sum(m.size for m in case.cluster.models) / (80 * case.cluster.gpus) for case in row])
        for row in across("prism", "memory")
    )
    assert (ample, usual, scarce) == pytest.approx((0.35, 0.54, 0.74), abs=0.03)


def test_rates_spread_with_skew_while_sizes_stay():
    rows = across("prism", "skew")
    for cases in zip(*rows, strict=True):
        assert len({tuple(model.size for model in case.cluster.models) for case in cases}) == 1
        spread = [np.std([np.log(model.rate) for model in case.cluster.models]) for case in cases]
        assert spread[0] < spread[1] < spread[2]


def test_clusters_have_the_gpus_of_their_setting():
    assert [{case.cluster.gpus for case in row} for row in across("prism", "gpus")] == [{10}, {50}, {150}]
    assert [{case.gpus for case in row} for row in across("eplb", "gpus")] == [{8}, {32}, {128}]


def test_experts_are_taken_less_evenly_under_skew_and_change_more_under_drift():
    tops = [
        np.mean([(case.loads.max(2) / case.loads.mean(2)).mean() for case in row]) for row in across("eplb", "skew")
    ]
    assert tops[0] < 0.5 * tops[1] < 0.5 * tops[2]
    none, some, much = (np.mean([stays(case) for case in row]) for row in across("eplb", "drift"))
    assert none > some > much


def stays(case):
    """Returns how alike the first and the last window are: the correlation of the logarithms of loads."""
    first, last = np.log(case.loads[0] + 1.0).ravel(), np.log(case.loads[-1] + 1.0).ravel()
    return np.corrcoef(first, last)[0, 1]


def test_only_the_rate_of_arrivals_changes_with_load():
    light, middle, heavy = across("dispatch", "load")
    for cases in zip(light, middle, heavy, strict=True):
        assert len({(case.speeds, tuple((job.size, job.estimate) for job in case.jobs)) for case in cases}) == 1
        one, _, other = (case.jobs[-1].arrival for case in cases)
        assert one / other == pytest.approx(0.95 / 0.5)


def test_only_estimates_change_with_what_is_known_of_sizes():
    exact, noisy, none = across("dispatch", "estimates")
    for cases in zip(exact, noisy, none, strict=True):
        assert len({(case.speeds, tuple((job.arrival, job.size) for job in case.jobs)) for case in cases}) == 1
        exactly, _, nothing = ([job.estimate for job in case.jobs] for case in cases)
        assert exactly == [job.size for job in cases[0].jobs]
        assert len(set(nothing)) == 1


def test_sizes_are_of_one_kind():
    assert [len({job.size for job in row[0].jobs}) > 1 for row in across("dispatch", "sizes")] == [False, True, True]


@pytest.mark.parametrize("name", ["txn", "txn_online"])
def test_more_accesses_write_and_one_key_draws_more_of_them(name):
    few, usual, many = (share([kind == "w" for kind, _ in accesses(row)]) for row in across(name, "writes"))
    assert few < usual < many
    mild, middle, heavy = (hottest(row) for row in across(name, "skew"))
    assert mild < middle < heavy


def accesses(row):
    return [op for case in row for transaction in case.transactions for op in transaction if op.kind != "-"]


def share(found):
    return sum(found) / len(found)


def hottest(row):
    """Returns the share of its hottest key in the accesses of a case, on the mean."""
    keys = [[key for _, key in accesses([case])] for case in row]
    return np.mean([max(np.bincount(each)) / len(each) for each in keys])


def test_batches_and_windows_have_the_size_of_their_setting():
    assert [{len(case.transactions) for case in row} for row in across("txn", "transactions")] == [{30}, {100}, {200}]
    rows = across("txn_online", "window")
    assert [{case.window for case in row} for row in rows] == [{24}, {8}, {3}]
    assert len({tuple(case.transactions for case in row) for row in rows}) == 1
