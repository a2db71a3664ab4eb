import itertools
import os
import random
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from evaluators.transactions.bound import Bound, bound
from evaluators.transactions.case import Case
from evaluators.transactions.chain import chain
from evaluators.transactions.schedule import scheduled
from evaluators.txn.problem import Txn
from evolve import catalog
from evolve.judge.decision import check
from evolve.problem import InvalidDecision, Split
from evolve.types import EvolveError
from workloads.transaction_mixes import FAMILIES, draw_transactions
from workloads.transactions import Operation, parse, read_transactions

SEEDS = Path(__file__).parents[2] / "seeds" / "txn"
TXN = Txn()
GOLDEN = 71.6  # the mean makespan of the reference on train


def policy(name, **constants):
    names = {}
    exec((SEEDS / f"{name}.py").read_text(), names)
    assert constants.keys() <= names.keys()
    names.update(constants)
    return names["order"]


BASELINES = {file.stem: policy(file.stem) for file in sorted(SEEDS.glob("*.py"))}


def play(case, order):
    """Returns the metrics of a policy that runs in this process; its decision is checked as the judge does."""
    simulation = TXN.simulate(case)
    call = next(simulation)
    with pytest.raises(StopIteration) as end:
        simulation.send(check(order(*call.arguments), call.returns))
    return end.value.value


def case(*texts):
    return Case("tiny", tuple(map(parse, texts)))


def placed(*texts):
    """Returns makespan and starts of transactions in the order given."""
    schedule = scheduled(map(parse, texts))
    return schedule.makespan, schedule.starts


def drawn(rng, count, keys=3, longest=5, idle=0.2):
    """Returns random transactions, which may touch a key more than once."""
    words = [
        [
            "*" if rng.random() < idle else f"{rng.choice('rw')}-{rng.randrange(keys)}"
            for _ in range(rng.randint(0, longest))
        ]
        for _ in range(count)
    ]
    return tuple(parse(" ".join(each)) for each in words)


def literal(transactions):
    """Returns makespan and starts by the published rules to the letter: from slot 1, a list of entries for each key."""
    lists, starts, makespan = {}, [], 0
    for transaction in transactions:
        start = 1
        for p, (kind, key) in enumerate(transaction, 1):
            if kind != "-" and key in lists:
                entries = lists[key]
                if kind == "w" or entries[-1][1] == "w":
                    e = entries[-1][0] + 1
                else:
                    writes = [slot for slot, entry in entries if entry == "w"]
                    e = writes[-1] + 1 if writes else 0
                start = max(start, e - p + 1)
        for p, (kind, key) in enumerate(transaction, 1):
            if kind != "-":
                entries, slot = lists.setdefault(key, []), start + p - 1
                entries.insert(sum(other <= slot for other, _ in entries), (slot, kind))
        starts.append(start)
        makespan = max(makespan, start + len(transaction) - 1)
    return makespan, starts


# the simulator


def test_the_policy_is_asked_once_with_plain_values():
    call = next(TXN.simulate(case("r-4 * w-0", "")))
    assert (call.name, call.returns) == ("order", list[int])
    assert call.arguments == ([[["r", 4], ["-", -1], ["w", 0]], []],)
    assert type(call.arguments[0][0][0]) is list


def test_a_schedule_computed_by_hand():
    # the first writes key 1 in slot 0; the second reads it in 1 and writes 2 there too late for the third, which
    # reads 2 in slot 3; the last shares slot 1 with the first read of 1
    assert placed("w-1 r-3", "* r-1 w-2", "r-2 w-4", "r-1") == (5, [0, 0, 3, 1])


def test_a_write_waits_for_all_accesses_and_a_read_for_writes_only():
    assert placed("r-1 r-1 r-1", "w-1") == (4, [0, 3])
    assert placed("r-1 r-1 r-1", "r-1") == (3, [0, 0])
    assert placed("w-1 * r-1", "r-1", "r-1 w-1") == (4, [0, 1, 2])


def test_a_later_transaction_may_start_before_an_earlier_one():
    assert placed("w-1", "r-1 w-2", "* * * * w-2") == (5, [0, 1, 0])
    assert placed("* * * w-1", "w-1", "r-2") == (5, [0, 4, 0])


def test_the_position_of_a_conflict_decides_how_far_transactions_overlap():
    assert placed("w-1 * * *", "* * * w-1") == (4, [0, 0])
    assert placed("* * * w-1", "w-1 * * *") == (8, [0, 4])


def test_two_numbers_a_key_schedule_as_the_lists_of_the_published_rules():
    rng = random.Random(1)
    for _ in range(2_000):
        transactions = drawn(rng, rng.randint(1, 9), rng.randint(1, 4), rng.randint(1, 7))
        schedule = scheduled(transactions)
        assert (schedule.makespan, [start + 1 for start in schedule.starts]) == literal(transactions)


@pytest.mark.parametrize("family", FAMILIES)
def test_generated_transactions_are_scheduled_by_the_published_rules(family):
    for heat in (0.2, 0.6, 1.0):
        transactions = draw_transactions(family, 60, heat, np.random.default_rng(2))
        assert scheduled(transactions).makespan == literal(transactions)[0]


def test_metrics_of_a_schedule_computed_by_hand():
    # 0 and 1 write key 7 in slots 0 and 1, the third waits for both and ends in slot 3; nobody needs the last one
    assert play(case("w-7", "w-7 *", "r-7 *", "r-8"), lambda transactions: [0, 1, 2, 3]) == {
        "makespan": 4,
        "at_a_time": 6 / 4,
        "late": 0.0,
        "longest": 2,
        "hottest_key_slots": 3,
        "chain": 3,
        "chain_key": 7,
        "chain_waits": 2,
    }


def test_the_chain_leads_from_the_end_to_a_start_in_slot_0():
    rng = random.Random(3)
    for _ in range(300):
        transactions = drawn(rng, 8)
        starts = scheduled(transactions).starts
        found = chain(transactions, starts)
        assert len(found.keys) == found.transactions - 1 < 8
        assert (len(found.keys) == 0) == (starts[longest_end(transactions, starts)] == 0)


def longest_end(transactions, starts):
    ends = [start + len(transaction) for start, transaction in zip(starts, transactions, strict=True)]
    return ends.index(max(ends))


def test_a_schedule_that_keeps_a_transaction_waiting_for_nobody_is_no_schedule():
    with pytest.raises(ValueError, match="transaction 1 starts in slot 2 and waits for nobody"):
        chain([parse("r-1"), parse("w-2")], [0, 2])


def test_one_more_transaction_at_the_end_never_shortens_a_schedule():
    rng = random.Random(4)
    for _ in range(100):
        transactions = drawn(rng, 8)
        spans = [scheduled(transactions[:count]).makespan for count in range(9)]
        assert spans == sorted(spans)


def test_fewer_writes_never_lengthen_a_schedule():
    rng = random.Random(5)
    for _ in range(200):
        transactions = drawn(rng, 8)
        changed = list(transactions)
        index = rng.randrange(8)
        changed[index] = tuple(Operation("r", key) if kind == "w" else (kind, key) for kind, key in changed[index])
        assert scheduled(changed).makespan <= scheduled(transactions).makespan


# legality


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        ([0, 1], "expected all 3 transactions; got 2, without transaction 2"),
        ([], "expected all 3 transactions; got 0, without transaction 0"),
        ([0, 1, 1], "place 2: transaction 1 for the second time; each comes once"),
        ([0, 1, 2, 0], "place 3: transaction 0 for the second time"),
        ([0, 3, 1], "place 1: transactions are 0 to 2; got 3"),
        ([0, 1, -1], "place 2: transactions are 0 to 2; got -1"),
    ],
)
def test_an_illegal_order_is_refused_with_the_reason(order, complaint):
    with pytest.raises(InvalidDecision, match=complaint):
        play(case("r-1", "r-1", "w-1"), lambda transactions: order)


@pytest.mark.parametrize(
    "decision", [None, 0, "012", [0, 1, True], [0, 1.0, 2], [0, 1, "2"], {0: 0}, [0, 1, 2**70], [[0]]]
)
def test_what_is_no_order_at_all_is_refused(decision):
    with pytest.raises(InvalidDecision):
        play(case("r-1", "r-1", "w-1"), lambda transactions: decision)


@pytest.mark.parametrize(
    "transactions", [(), ((Operation("x", 1),),), ((Operation("r", -1),),), ((Operation("-", 3),),)]
)
def test_an_impossible_case_is_refused(transactions):
    with pytest.raises(ValueError, match="tiny: "):
        Case("tiny", transactions)


# degenerate cases: what there is to expect of every policy

DEGENERATE = {
    "one transaction": (case("r-1 w-1 *"), 3),
    "one empty transaction": (case(""), 0),
    "an empty transaction among others": (case("w-1", "", "w-1"), 2),
    "idle slots only": (case("* *", "* * *", "*"), 3),
    "no conflicts": (case("w-1 w-2", "w-3", "r-4 r-5", "r-5 r-4"), 2),
    "all conflicts": (case(*["w-1"] * 7), 7),
    "all conflicts throughout": (case(*["w-1 w-1"] * 3), 6),
    "readers only": (case(*["r-1 r-2 r-3"] * 5), 3),
}


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("what", DEGENERATE)
def test_degenerate_cases_have_one_makespan_for_every_baseline_and_the_bound(what, name):
    instance, makespan = DEGENERATE[what]
    assert play(instance, BASELINES[name])["makespan"] == makespan
    assert TXN.bound(instance) == max(makespan, 1)
    assert TXN.feedback(instance, play(instance, BASELINES[name]))


# the bound


def test_the_bound_of_cases_computed_by_hand():
    # reads of key 1 before its writes: spans of 3, 3 and 2 slots after 1 position before and with 1 behind
    spans = ("* r-1 * w-1 *", "* r-1 * w-1 *", "* r-1 w-1 *")
    assert bound([*map(parse, spans)]) == Bound(longest=5, key=1, key_slots=10)
    # two writes and a transaction that only reads, twice: it fits before, between or behind them
    assert bound([*map(parse, ("w-1", "w-1", "r-1 r-1", "r-1"))]) == Bound(2, 1, 4)
    assert bound([parse("r-1 r-2"), parse("r-2 r-1")]) == Bound(2, -1, 0)


def best_of_all(transactions):
    return min(scheduled(each).makespan for each in itertools.permutations(transactions))


def test_no_order_is_below_the_bound_and_many_reach_it():
    rng = random.Random(6)
    reached = 0
    for _ in range(250):
        transactions = drawn(rng, rng.randint(1, 5), rng.randint(1, 3), rng.randint(1, 6), rng.random() * 0.8)
        best, limit = best_of_all(transactions), bound(transactions).slots
        assert limit <= best
        reached += limit == best
    assert reached > 125


def test_one_more_transaction_or_write_never_lowers_the_bound():
    rng = random.Random(7)
    for _ in range(100):
        transactions = drawn(rng, 7)
        assert bound(transactions[:-1]).slots <= bound(transactions).slots


def test_no_random_order_of_a_generated_case_is_below_the_bound():
    rng = random.Random(8)
    for instance in train()[:10]:
        order = list(instance.transactions)
        for _ in range(10):
            rng.shuffle(order)
            assert scheduled(order).makespan >= TXN.bound(instance)


# cases, splits and baselines


@cache
def train():
    return TXN.cases(Split("train"))


@cache
def every_split(secret="secret"):
    return {name: TXN.cases(Split(name, secret if name == "test" else "")) for name in ("train", "validation", "test")}


def test_splits_and_named_sets_share_no_case():
    splits = every_split()
    assert {name: len(cases) for name, cases in splits.items()} == {"train": 25, "validation": 100, "test": 250}
    everything = [case.transactions for cases in [*splits.values(), TXN.case_sets()["quick"]] for case in cases]
    assert len(set(everything)) == len(everything) == 385


def test_every_split_has_the_same_mix_of_families_and_sizes():
    for cases in every_split().values():
        families = [case.label.split(", ")[1] for case in cases]
        assert families[:5] == list(FAMILIES)
        assert all(families.count(family) == len(cases) // 5 for family in FAMILIES)
        sizes = [len(case.transactions) for case in cases]
        assert sizes.count(300) == len(cases) // 25
        assert set(sizes) == {40, 60, 80, 100, 150, 300}


def test_any_ten_cases_in_a_row_reach_from_hardly_any_waiting_to_much():
    cases = train()
    waiting = [play(case, BASELINES["file_order"])["makespan"] / max(map(len, case.transactions)) for case in cases]
    for start in (0, 5, 10, 15):
        assert min(waiting[start : start + 10]) < 3
        assert max(waiting[start : start + 10]) > 6


def test_another_secret_gives_other_sealed_cases_and_the_same_one_the_same():
    one, other = every_split()["test"], TXN.cases(Split("test", "other"))
    assert not {case.transactions for case in one} & {case.transactions for case in other}
    assert one == TXN.cases(Split("test", "secret"))


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_legal_and_never_below_the_bound(name):
    for cases in every_split().values():
        for case in cases[12:24:3]:
            assert play(case, BASELINES[name])["makespan"] >= TXN.bound(case)


def test_the_reference_has_its_golden_makespans_on_train():
    makespans = [play(case, BASELINES["reference"])["makespan"] for case in train()]
    assert sum(makespans) / 25 == pytest.approx(GOLDEN)


def test_baselines_rank_as_they_should():
    cases = train()[:20]
    mean = {name: sum(play(case, order)["makespan"] for case in cases) for name, order in BASELINES.items()}
    ranked = ["heat_bath", "annealing", "earliest_start", "full_greedy", "reference"]
    assert sorted(mean, key=mean.__getitem__)[:5] == ranked
    assert min(mean["file_order"], mean["random_order"]) > 1.3 * mean["reference"]


def test_smf_takes_the_cheapest_of_those_drawn():
    # behind any first one, whoever adds nothing comes before whoever adds a slot
    order = BASELINES["reference"]([[["w", 1]], [["w", 2], ["w", 3]], [["w", 1]], [["w", 4]]])
    assert sorted(order) == [0, 1, 2, 3]
    assert scheduled([[parse("w-1"), parse("w-2 w-3"), parse("w-1"), parse("w-4")][i] for i in order]).makespan == 2


@pytest.mark.parametrize("name", ["full_greedy", "earliest_start", "annealing", "heat_bath"])
def test_delays_between_two_are_those_of_the_schedule(name):
    names = {}
    exec((SEEDS / f"{name}.py").read_text(), names)
    rng = random.Random(9)
    for _ in range(100):
        transactions = drawn(rng, 6)
        delays = names["delay_matrix"]([[list(op) for op in transaction] for transaction in transactions])
        starts = []
        for index in range(6):
            starts.append(max([0, *(starts[other] + delays[other, index] for other in range(index))]))
        assert starts == scheduled(transactions).starts


def test_the_quick_cases_take_a_tenth_of_a_second():
    cases, seconds = TXN.case_sets()["quick"], []
    for _ in range(3):
        start = time.process_time()
        for case in cases:
            play(case, BASELINES["reference"])
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1


def test_feedback_says_what_a_makespan_consists_of():
    instance = case(*["r-1 * w-1"] * 9, "* *")
    line = TXN.feedback(instance, play(instance, BASELINES["file_order"]))
    assert "\n" not in line
    assert "makespan 27, 1.00 times the bound (longest transaction 3; key 1 needs 27)" in line
    assert "9 transactions, 8 of them wait for key 1" in line


# the public workload


def public():
    file = Path(os.environ.get("EVOLVE_DATA", "missing"), "transactions", "adrs_workload_1.json")
    if not file.exists():
        pytest.skip("EVOLVE_DATA does not name a folder with transactions/adrs_workload_1.json")
    return file


def test_the_file_order_of_the_public_workload_takes_452_slots():
    transactions = read_transactions(public())
    assert scheduled(transactions).makespan == literal(transactions)[0] == 452
    (instance,) = TXN.case_sets()["public"]
    assert play(instance, BASELINES["file_order"])["makespan"] == 452


def test_the_level_of_smf_and_full_greedy_on_the_public_workload():
    (instance,) = TXN.read_cases(public())
    source = (SEEDS / "reference.py").read_text()
    found = []
    for seed in range(20):
        names = {}
        exec(source.replace("Random(2024)", f"Random({seed})"), names)
        found.append(play(instance, names["order"])["makespan"])
    assert 225 < min(found) < max(found) < 290
    assert 245 < sum(found) / 20 < 262
    assert play(instance, BASELINES["full_greedy"])["makespan"] == 228
    assert TXN.bound(instance) == 67


@pytest.mark.soak
def test_annealing_for_a_minute_comes_within_155_slots_of_the_public_workload():
    (instance,) = TXN.read_cases(public())
    start = time.process_time()
    assert play(instance, policy("annealing", WORK=55_000_000))["makespan"] <= 155
    assert time.process_time() - start < 60


@pytest.mark.soak
def test_a_heat_bath_for_a_minute_comes_to_150_slots_on_the_public_workload():
    (instance,) = TXN.read_cases(public())
    order = policy("heat_bath", WORK=10**10, MOST_STEPS=150_000, HOT=1.0)
    assert play(instance, order)["makespan"] <= 150


def test_there_is_no_public_set_without_its_file(monkeypatch, tmp_path):
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    assert list(TXN.case_sets()) == ["quick"]
    monkeypatch.delenv("EVOLVE_DATA")
    assert list(TXN.case_sets()) == ["quick"]


def test_a_file_in_another_format_is_refused_with_the_reason(tmp_path):
    (tmp_path / "workload.json").write_text('{\n"txn0": "w-1 r-"}')
    with pytest.raises(EvolveError, match=r"workload\.json, line 2: txn0: expected r-KEY, w-KEY or \*"):
        TXN.read_cases(tmp_path / "workload.json")


def test_the_docstring_names_what_is_asked_and_what_counts():
    text = catalog.load("txn").__doc__
    assert all(word in text for word in ("order(transactions)", "makespan", "0.1 s of CPU"))
