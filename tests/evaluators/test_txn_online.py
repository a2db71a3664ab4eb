import random
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from evaluators.transactions.case import Case
from evaluators.transactions.schedule import scheduled
from evaluators.txn.problem import Txn
from evaluators.txn_online.problem import WINDOWS, TxnOnline, arriving
from evolve.judge.decision import check
from evolve.problem import Call, InvalidDecision, Split
from evolve.types import EvolveError
from workloads.transaction_mixes import FAMILIES
from workloads.transactions import parse

SEEDS = Path(__file__).parents[2] / "seeds" / "txn_online"
ONLINE = TxnOnline()
GOLDEN = 63.28  # the mean makespan of the reference on train


def policy(name):
    """Returns a maker of the policy's function, anew for each case."""
    names = {}
    exec((SEEDS / f"{name}.py").read_text(), names)
    return (lambda: names["Policy"]().choose) if "Policy" in names else (lambda: names["choose"])


BASELINES = {file.stem: policy(file.stem) for file in sorted(SEEDS.glob("*.py"))}


def play(case, choose, calls=None):
    """Returns the metrics of a policy that runs in this process; its decisions are checked as the judge does."""
    simulation = ONLINE.simulate(case)
    call = next(simulation)
    while True:
        if calls is not None:
            calls.append(repr(call.arguments))
        decision = check(choose(*call.arguments), call.returns)
        try:
            call = simulation.send(decision)
        except StopIteration as end:
            return end.value


def case(window, *texts):
    return Case("tiny", tuple(map(parse, texts)), window)


def first(window, makespan):
    return 0


def last(window, makespan):
    return len(window) - 1


def test_the_numbers_of_keys_tell_nothing_of_what_has_not_arrived():
    for one in (*ONLINE.cases(Split("train")), *ONLINE.case_sets()["quick"]):
        known = 0
        for transaction in one.transactions:
            for key in (key for kind, key in transaction if kind != "-"):
                assert key <= known
                known = max(known, key + 1)


def test_the_keys_of_a_file_are_renamed_as_they_arrive_and_nothing_else_changes():
    (named,) = arriving([case(2, "w-17 * r-5", "r-17 w-9")])
    assert named == case(2, "w-0 * r-1", "r-0 w-2")


# the simulator


def test_the_policy_is_shown_the_window_and_where_each_could_start():
    simulation = ONLINE.simulate(case(2, "w-1 *", "r-1", "w-9", "r-9"))
    call = next(simulation)
    assert (call.name, call.returns) == ("choose", int)
    assert call.arguments == (
        [
            {"number": 0, "start": 0, "operations": [["w", 1], ["-", -1]]},
            {"number": 1, "start": 0, "operations": [["r", 1]]},
        ],
        0,
    )
    call = simulation.send(0)
    assert call.arguments == (
        [
            {"number": 1, "start": 1, "operations": [["r", 1]]},
            {"number": 2, "start": 0, "operations": [["w", 9]]},
        ],
        2,
    )


def test_one_arrives_for_each_that_is_placed_until_none_is_left():
    seen = []

    def choose(window, makespan):
        seen.append([waiting["number"] for waiting in window])
        return 1 if len(window) > 1 else 0

    play(case(3, "r-1", "r-1", "r-1", "r-1", "r-1"), choose)
    assert seen == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4], [0]]


def test_an_order_computed_by_hand():
    # the last of two each time: 1, 2, 3, then 0; 0 has seen three others go first
    result = play(case(2, "w-1 * *", "w-1", "w-1", "r-1"), last)
    assert result == {
        "makespan": 6,
        "at_a_time": 1.0,
        "late": 0.0,
        "longest": 3,
        "hottest_key_slots": 4,
        "chain": 4,
        "chain_key": 1,
        "chain_waits": 3,
        "longest_wait": 3,
    }


def test_the_schedule_is_that_of_the_same_order_in_txn():
    for instance in train()[:8]:
        order = []

        def choose(window, makespan, order=order):
            index = random.Random(makespan).randrange(len(window))
            order.append(window[index]["number"])
            return index

        result = play(instance, choose)
        assert sorted(order) == list(range(len(instance.transactions)))
        assert result["makespan"] == scheduled(instance.transactions[index] for index in order).makespan


def test_the_start_shown_is_the_start_that_comes():
    for instance in train()[:8]:
        shown = []

        def choose(window, makespan, shown=shown):
            shown.append(window[-1]["start"])
            return len(window) - 1

        order = [*range(instance.window - 1, len(instance.transactions)), *reversed(range(instance.window - 1))]
        play(instance, choose)
        assert shown == scheduled(instance.transactions[index] for index in order).starts


def test_in_the_order_of_arrival_nobody_waits_for_more_than_a_window():
    instance = train()[0]
    result = play(instance, first)
    assert result["longest_wait"] == instance.window - 1
    assert result["makespan"] == scheduled(instance.transactions).makespan


@pytest.mark.parametrize("decision", [3, -1, 2**40])
def test_an_index_outside_the_window_is_illegal_and_named_with_its_call(decision):
    with pytest.raises(InvalidDecision, match=rf"call 0: the window's indices are 0 to 1; got {decision}"):
        play(case(2, "r-1", "r-1", "w-1"), lambda window, makespan: decision)
    with pytest.raises(InvalidDecision, match=r"call 2: the window's indices are 0 to 0; got 1"):
        play(case(2, "r-1", "r-1", "w-1"), lambda window, makespan: 1)


@pytest.mark.parametrize("decision", [None, True, 0.0, "0", [0]])
def test_what_is_no_index_at_all_is_refused(decision):
    with pytest.raises(InvalidDecision):
        play(case(2, "r-1", "r-1", "w-1"), lambda window, makespan: decision)


DEGENERATE = {
    "one transaction": (case(4, "r-1 w-1 *"), 3),
    "one empty transaction": (case(1, ""), 0),
    "idle slots only": (case(2, "* *", "* * *", "*"), 3),
    "no conflicts": (case(2, "w-1 w-2", "w-3", "r-4 r-5", "r-5 r-4"), 2),
    "all conflicts": (case(3, *["w-1"] * 7), 7),
    "a window of one": (case(1, "w-1", "", "r-1 r-1"), 3),
    "a window that holds all": (case(9, "w-1", "w-1"), 2),
}


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("what", DEGENERATE)
def test_degenerate_cases_are_played_to_their_end(what, name):
    instance, makespan = DEGENERATE[what]
    result = play(instance, BASELINES[name]())
    assert result["makespan"] == makespan
    assert TxnOnline().bound(instance) <= max(makespan, 1)
    assert ONLINE.feedback(instance, result)


def test_a_case_without_a_window_is_refused():
    with pytest.raises(ValueError, match="tiny: a window of at least one is needed"):
        next(ONLINE.simulate(case(0, "r-1")))


def test_the_bound_is_that_of_all_orders():
    instance = train()[4]
    assert ONLINE.bound(instance) == Txn().bound(replace(instance, window=0))


# look-ahead


def test_a_twin_has_the_same_arrivals_up_to_a_moment_and_others_afterwards():
    rng = random.Random(1)
    for instance in train():
        twin = ONLINE.twin(instance, rng)
        pairs = list(zip(instance.transactions, twin.case.transactions, strict=True))
        parted = next(index for index, (one, other) in enumerate(pairs) if one != other)
        assert parted >= min(instance.window, len(pairs) - 1)
        assert twin.case.window == instance.window


@pytest.mark.parametrize("name", BASELINES)
def test_before_its_twin_parts_a_case_looks_the_same(name):
    rng = random.Random(2)
    for instance in train()[:6]:
        twin = ONLINE.twin(instance, rng)
        calls = []
        for each in (instance, twin.case):
            seen, before = [], []

            decide = BASELINES[name]()

            def choose(window, makespan, seen=seen, before=before, decide=decide, moment=twin.before):
                seen.append(repr((window, makespan)))
                before.append(moment(Call("choose", window, makespan, returns=int)))
                return decide(window, makespan)

            play(each, choose)
            calls.append(seen[: before.index(False)])
        assert calls[0] == calls[1]
        assert calls[0]


@pytest.mark.parametrize("texts", [("r-1",), ("r-1", "w-1"), ("r-1", "w-1", "r-1")])
def test_a_twin_of_a_small_case_is_as_legal(texts):
    for window in (1, 2, 5):
        twin = ONLINE.twin(case(window, *texts), random.Random(3))
        assert len(twin.case.transactions) == len(texts)
        assert play(twin.case, first)["makespan"] >= 1


# cases, splits and baselines


@cache
def train():
    return ONLINE.cases(Split("train"))


@cache
def every_split(secret="secret"):
    return {
        name: ONLINE.cases(Split(name, secret if name == "test" else "")) for name in ("train", "validation", "test")
    }


def test_splits_and_named_sets_share_no_case():
    splits = every_split()
    assert {name: len(cases) for name, cases in splits.items()} == {"train": 25, "validation": 100, "test": 250}
    everything = [case.transactions for cases in [*splits.values(), ONLINE.case_sets()["quick"]] for case in cases]
    assert len(set(everything)) == len(everything) == 385


def test_every_split_has_the_same_mix_of_families_and_windows():
    for cases in every_split().values():
        families = [case.label.split(", ")[1] for case in cases]
        assert all(families.count(family) == len(cases) // 5 for family in FAMILIES)
        for family in FAMILIES:
            own = [case.window for case, its in zip(cases, families, strict=True) if its == family]
            assert sorted(own) == sorted(list(WINDOWS) * (len(own) // 5))


def test_cases_are_the_same_every_time_and_sealed_ones_follow_their_secret():
    assert ONLINE.cases(Split("test", "secret"))[:50] == every_split()["test"][:50]
    assert not {case.transactions for case in every_split()["test"]} & {
        case.transactions for case in ONLINE.cases(Split("test", "other"))
    }


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_legal_and_never_below_the_bound(name):
    for cases in every_split().values():
        for case in cases[12:24:3]:
            assert play(case, BASELINES[name]())["makespan"] >= ONLINE.bound(case)


def test_the_reference_has_its_golden_makespans_on_train():
    makespans = [play(case, BASELINES["reference"]())["makespan"] for case in train()]
    assert sum(makespans) / 25 == pytest.approx(GOLDEN)


def test_baselines_rank_as_they_should():
    cases = train()
    mean = {name: sum(play(case, make())["makespan"] for case in cases) for name, make in BASELINES.items()}
    assert sorted(mean, key=mean.__getitem__)[:4] == ["rollout", "earliest_start", "full_greedy", "reference"]
    assert min(mean["arrival_order"], mean["random_choice"]) > 1.3 * mean["reference"]


def test_the_quick_cases_take_a_tenth_of_a_second():
    cases, seconds = ONLINE.case_sets()["quick"], []
    for _ in range(3):
        start = time.process_time()
        for case in cases:
            play(case, BASELINES["full_greedy"]())
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1


def test_a_workload_is_read_as_arrivals_with_a_window_of_ten(tmp_path):
    (tmp_path / "workload.json").write_text('{\n"txn0": "w-1 r-2",\n"txn1": "*"}')
    (instance,) = ONLINE.read_cases(tmp_path / "workload.json")
    assert (instance.transactions, instance.window) == ((parse("w-0 r-1"), parse("*")), 10)


def test_a_file_in_another_format_is_refused_with_the_reason(tmp_path):
    (tmp_path / "workload.json").write_text("[1]")
    with pytest.raises(EvolveError, match=r"workload\.json, line 1: expected an object of transactions"):
        ONLINE.read_cases(tmp_path / "workload.json")
