import itertools
import os
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest

from evaluators.eplb.bound import least_slot_load, most_balanced
from evaluators.eplb.problem import PUBLIC, SHAPES, Eplb
from evaluators.eplb.simulator import MOST, SHOWN, Case, first_placement, run
from evaluators.eplb.validator import replicas, validated
from evolve import catalog
from evolve.cases import named_cases, split_cases
from evolve.judge import Judge
from evolve.judge.decision import check
from evolve.problem import InvalidDecision, Split
from evolve.types import EvolveError, Verdict

SEEDS = Path(__file__).parents[2] / "seeds" / "eplb"
EPLB = Eplb()
GOLDEN = 0.743824782834  # the mean balancedness of the reference on train


def policy(name):
    names = {}
    exec((SEEDS / f"{name}.py").read_text(), names)
    return names["rebalance"]


BASELINES = {file.stem: policy(file.stem) for file in sorted(SEEDS.glob("*.py"))}
GREEDY = policy("global_greedy").__globals__["replicate"]


def play(case, rebalance):
    """Returns the metrics of a policy that runs in this process; its decisions are checked as the judge does."""
    simulation = EPLB.simulate(case)
    decision = None
    while True:
        try:
            call = simulation.send(decision)
        except StopIteration as end:
            return end.value
        decision = check(rebalance(*call.arguments), call.returns)


def always(placement):
    return lambda *_: placement


def case(windows, slots, gpus=1, nodes=1, groups=1):
    """Returns a case that judges the given windows ``[layers][experts]``; what is seen before is the first of them."""
    loads = np.array([windows[0]] * SHOWN + windows, np.int64)
    return Case("tiny", loads, slots, gpus, nodes, groups)


def drawn(rng, windows, layers, experts, slots, gpus, nodes=1, groups=1, most=50):
    loads = rng.integers(0, most, (SHOWN + windows, layers, experts))
    return Case("drawn", loads, slots, gpus, nodes, groups)


def legal(rng, case):
    """Returns a random legal placement."""
    rows = [
        rng.permutation(np.r_[np.arange(case.experts), rng.integers(0, case.experts, case.slots - case.experts)])
        for _ in range(case.layers)
    ]
    return np.array(rows)


# the simulator


def test_the_policy_is_asked_before_each_window_with_what_was_measured_before():
    tiny = case([[[6, 3, 3]], [[1, 2, 3]], [[7, 8, 9]]], slots=4, gpus=2)
    asked = []

    def rebalance(*arguments):
        asked.append(arguments)
        return [[2, 1, 0, 0]]

    play(tiny, rebalance)
    assert len(asked) == 3
    history, previous, *shape = asked[1]
    assert (history.shape, history.dtype, previous.dtype) == ((4, 1, 3), np.float32, np.int32)
    assert history[:, 0].tolist() == [[6, 3, 3]] * 4
    assert asked[2][0][-1, 0].tolist() == [1, 2, 3]
    assert asked[0][1].tolist() == [[0, 1, 2, 0]]
    assert previous.tolist() == [[2, 1, 0, 0]]
    assert shape == [4, 2, 1, 1]


def test_a_window_computed_by_hand():
    # GPU 0 holds experts 0 and 1, GPU 1 experts 0 and 2: 12/2 + 4 = 10 and 12/2 + 2 = 8; the mean is 9
    metrics = play(case([[[12, 4, 2]]], slots=4, gpus=2), always([[0, 1, 0, 2]]))
    assert metrics == {
        "balancedness": 0.9,
        "seen_balancedness": 0.9,
        "slot_balancedness": 4.5 / 6,
        "node_balancedness": 1.0,
        "weights_moved": 0,
        "share_moved": 0.0,
        "nodes_per_group": 1.0,
        "worst_window": 0,
        "worst_layer": 0,
        "worst_gpu": 0,
        "worst_load": 10 / 9,
        "worst_seen_load": 10 / 9,
        "worst_expert": 0,
        "worst_expert_load": 6 / 9,
        "worst_expert_replicas": 2,
    }


def test_what_counts_is_the_next_window_and_not_the_one_that_was_seen():
    windows = [[[8, 0, 4, 4]], [[0, 8, 4, 4]]]  # then GPU 0 of [0, 1], [2, 3] has 8, as before
    together, apart = ([[0, 1, 2, 3]], [[0, 2, 1, 3]])
    assert play(case(windows, slots=4, gpus=2), always(together))["balancedness"] == 1.0
    result = play(case(windows, slots=4, gpus=2), always(apart))
    assert result["balancedness"] == (8 + 8) / (12 + 12)
    assert result["seen_balancedness"] == (8 + 8) / (12 + 12)
    last = case([[[8, 0, 4, 4]], [[8, 0, 0, 8]]], slots=4, gpus=2)
    assert play(last, always(together))["seen_balancedness"] == 1.0
    assert play(last, always(apart))["balancedness"] == 16 / (12 + 8)


def test_layers_and_windows_weigh_by_their_load():
    # layer 0 is balanced with 10 a GPU, layer 1 has 4 and 0
    metrics = play(case([[[10, 10], [4, 0]]], slots=2, gpus=2), always([[0, 1], [0, 1]]))
    assert metrics["balancedness"] == 12 / 14
    assert (metrics["worst_layer"], metrics["worst_gpu"], metrics["worst_load"]) == (1, 0, 2.0)


def test_nodes_are_neighbouring_gpus():
    tiny = case([[[5, 3, 1, 1]]], slots=4, gpus=4, nodes=2)
    assert play(tiny, always([[0, 1, 2, 3]]))["node_balancedness"] == 5 / 8
    assert play(tiny, always([[0, 2, 1, 3]]))["node_balancedness"] == 5 / 6


def test_no_load_at_all_is_balanced():
    metrics = play(case([[[0, 0, 0]], [[0, 0, 0]]], slots=4, gpus=2), always([[0, 1, 2, 0]]))
    assert {metrics[f"{kind}balancedness"] for kind in ("", "seen_", "slot_", "node_")} == {1.0}
    assert "worst: window 0, layer 0" in EPLB.feedback(case([[[0, 0]]], slots=2), {**metrics})
    assert most_balanced(np.zeros((1, 2, 3), np.int64), 4, 2) == 1.0


def test_a_layer_without_load_changes_nothing():
    with_load = play(case([[[12, 4, 2]]], slots=4, gpus=2), always([[0, 1, 0, 2]]))
    beside = play(case([[[12, 4, 2], [0, 0, 0]]], slots=4, gpus=2), always([[0, 1, 0, 2], [0, 1, 2, 2]]))
    assert beside["balancedness"] == with_load["balancedness"]


def test_one_gpu_is_always_balanced():
    assert play(case([[[9, 0, 1]]], slots=5), always([[2, 2, 1, 0, 0]]))["balancedness"] == pytest.approx(1, abs=1e-6)


def test_with_as_many_slots_as_experts_every_order_is_legal_and_has_one_replica():
    metrics = play(case([[[9, 0, 1]]], slots=3, gpus=3), always([[2, 1, 0]]))
    assert (metrics["worst_gpu"], metrics["worst_expert_replicas"]) == (2, 1)


def test_a_gpu_loads_an_expert_once_and_not_if_it_held_it():
    # at first GPU 0 holds 0 and 1, GPU 1 holds 2 and 0
    tiny = case([[[1, 1, 1]], [[1, 1, 1]]], slots=4, gpus=2)
    assert play(tiny, always([[1, 0, 0, 2]]))["weights_moved"] == 0
    assert play(tiny, always([[1, 0, 2, 2]]))["weights_moved"] == 0
    assert play(tiny, always([[2, 2, 0, 1]]))["weights_moved"] == 2
    turns = iter(([[2, 2, 0, 1]], [[0, 1, 2, 0]]))
    assert play(tiny, lambda *_: next(turns))["weights_moved"] == 2 + 3


def test_a_group_counts_each_node_that_any_of_its_experts_is_on():
    tiny = case([[[1, 1, 1, 1]]], slots=6, gpus=2, nodes=2, groups=2)
    assert play(tiny, always([[0, 1, 0, 2, 3, 2]]))["nodes_per_group"] == 1.0
    assert play(tiny, always([[0, 1, 2, 3, 2, 0]]))["nodes_per_group"] == 2.0


def slow(case, placements):
    """Returns balancedness and weights moved recomputed in fractions, slot by slot."""
    room = case.slots // case.gpus
    mean, most, moved = Fraction(0), Fraction(0), 0
    before = first_placement(case).tolist()
    for loads, placement in zip(case.loads[SHOWN:].tolist(), placements, strict=True):
        for load, now, then in zip(loads, placement, before, strict=True):
            share = [Fraction(load[expert], now.count(expert)) for expert in now]
            gpus = [slice(gpu * room, (gpu + 1) * room) for gpu in range(case.gpus)]
            mean += Fraction(sum(load), case.gpus)
            most += max(sum(share[gpu]) for gpu in gpus)
            moved += sum(len(set(now[gpu]) - set(then[gpu])) for gpu in gpus)
        before = placement
    return float(mean / most), moved


def test_the_simulator_agrees_with_plain_code_in_fractions():
    rng = np.random.default_rng(3)
    for layers, experts, slots, gpus, nodes in ((1, 5, 6, 3, 1), (3, 8, 12, 4, 2), (2, 6, 30, 2, 2)):
        drawn_case = drawn(rng, 5, layers, experts, slots, gpus, nodes)
        placements = [legal(rng, drawn_case).tolist() for _ in range(5)]
        answers = iter(placements)
        metrics = play(drawn_case, lambda *_, answers=answers: next(answers))
        balance, moved = slow(drawn_case, placements)
        assert metrics["balancedness"] == pytest.approx(balance, rel=1e-5)
        assert metrics["balancedness"] <= balance  # shares are rounded up
        assert metrics["weights_moved"] == moved


def test_the_order_of_slots_within_a_gpu_and_of_gpus_counts_for_nothing():
    rng = np.random.default_rng(4)
    drawn_case = drawn(rng, 1, 1, 9, 24, 3)
    placement = legal(rng, drawn_case).reshape(3, 8)
    orders = [rng.permuted(rng.permutation(placement), axis=1) for _ in range(9)]
    assert len({play(drawn_case, always([order.ravel().tolist()]))["balancedness"] for order in orders}) == 1


def test_twice_the_load_is_balanced_alike():
    rng = np.random.default_rng(5)
    one = drawn(rng, 2, 2, 8, 16, 4)
    two = Case("twice", one.loads * 2, 16, 4, 1, 1)
    placement = legal(rng, one)
    assert play(one, always(placement))["balancedness"] == pytest.approx(
        play(two, always(placement))["balancedness"], rel=1e-6
    )


@pytest.mark.parametrize("kind", [np.int64, np.int16, np.uint8, list])
def test_arrays_of_any_integers_and_lists_are_the_same_decision(kind):
    placement = np.array([[0, 1, 0, 2]])
    decision = placement.tolist() if kind is list else placement.astype(kind)
    assert play(case([[[12, 4, 2]]], slots=4, gpus=2), always(decision))["balancedness"] == 0.9


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ([[0, 1, 2, 0]], r"expected 2 layers; got 1"),
        ([[0, 1, 2, 0], [0, 1, 2]], r"layer 1: expected 4 slots; got 3"),
        ([[0, 1, 2, 0], [0, 1, 3, 2]], r"layer 1, slot 2: experts are 0 to 2; got 3"),
        ([[0, 1, 2, 0], [0, 1, 2, -1]], r"layer 1, slot 3: experts are 0 to 2; got -1"),
        ([[0, 1, 2, 0], [0, 1, 1, 0]], r"layer 1: expert 2 has no slot; every expert needs at least one"),
        (np.array([[0, 1, 2, 0]]), r"expected an expert for each slot, shape \(2, 4\); got shape \(1, 4\)"),
        (np.array(0), r"shape \(2, 4\); got shape \(\)"),
        (np.full((2, 4, 1), 0), r"got shape \(2, 4, 1\)"),
        (np.array([[0, 1, 2, 0]] * 2, float), r"expected an array of integers, .*; got float64"),
        (np.array([[True] * 4] * 2), r"expected an array of integers, .*; got bool"),
        (np.array([[0, 1, 2, 2**64 - 1]] * 2, np.uint64), r"layer 0, slot 3: .*; got 18446744073709551615"),
        ([[0, 1, 2, 0.0], [0, 1, 2, 0]], "expected .*list"),
        (None, "expected .*, got None"),
    ],
)
def test_an_illegal_placement_is_named(wrong, complaint):
    with pytest.raises(InvalidDecision, match=complaint):
        play(case([[[1, 2, 3], [1, 2, 3]]], slots=4, gpus=2), always(wrong))


def test_replicas_are_counted_layer_by_layer():
    assert replicas(np.array([[0, 0, 1, 2], [2, 2, 1, 0]]), 3).tolist() == [[2, 1, 1], [1, 1, 2]]
    assert validated([[1, 0]], 1, 2, 2).dtype == np.int64


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"slots": 3}, "a slot for each expert"),
        ({"gpus": 0}, "expected GPUs"),
        ({"gpus": 4}, "slots must divide evenly by gpus"),
        ({"gpus": 3, "nodes": 2}, "gpus must divide evenly by nodes"),
        ({"groups": 3}, "experts must divide evenly by groups"),
        ({"loads": np.zeros((SHOWN, 1, 4), np.int64)}, "more than 4 windows"),
        ({"loads": np.zeros((9, 4), np.int64)}, "windows, layers, experts"),
        ({"loads": np.zeros((9, 0, 4), np.int64)}, "windows, layers, experts"),
        ({"loads": np.zeros((9, 1, 4))}, "float64"),
        ({"loads": np.full((9, 1, 4), -1)}, "0 to 16777215 tokens"),
        ({"loads": np.full((9, 1, 4), MOST + 1)}, "0 to 16777215 tokens"),
    ],
)
def test_an_impossible_case_is_refused(changes, complaint):
    known = {"label": "tiny", "loads": np.ones((9, 1, 4), np.int64), "slots": 6, "gpus": 3, "nodes": 1, "groups": 2}
    with pytest.raises(ValueError, match=complaint):
        Case(**{**known, **changes})


def test_the_loads_of_a_case_cannot_be_changed_by_what_a_policy_is_given():
    tiny = case([[[12, 4, 2]]], slots=4, gpus=2)

    def greedy_for_memory(history, previous, *_):
        history[:], previous[:] = 0, 0
        return [[0, 1, 0, 2]]

    assert play(tiny, greedy_for_memory)["balancedness"] == 0.9
    with pytest.raises(ValueError, match="read-only"):
        tiny.loads[0] = 0


# the bound, and what is known of replication


def every_placement(experts, slots):
    return (p for p in itertools.product(range(experts), repeat=slots) if len(set(p)) == experts)


@pytest.mark.parametrize(("experts", "slots", "gpus"), [(2, 4, 2), (3, 4, 2), (3, 6, 3), (4, 6, 2), (2, 6, 2)])
def test_no_placement_at_all_is_more_balanced_than_the_bound(experts, slots, gpus):
    rng = np.random.default_rng(6)
    for loads in ([60, *[1] * (experts - 1)], [*rng.integers(0, 99, experts).tolist()], [7] * experts):
        tiny = case([[loads]], slots, gpus)
        best = max(play(tiny, always([list(p)]))["balancedness"] for p in every_placement(experts, slots))
        assert best <= EPLB.bound(tiny) <= 1


def test_the_bound_counts_the_replicas_that_the_hottest_expert_can_have():
    # of eight slots 88 can have six, 88 / 6 each; the mean is 90 / 4 on four GPUs and 90 / 8 on eight
    loads = np.array([[[88, 1, 1]]])
    assert most_balanced(loads, 8, 4) == 1.0
    assert most_balanced(loads, 8, 8) == pytest.approx(90 / 8 / (88 / 6))


def test_the_bound_leaves_a_slot_for_an_expert_without_load():
    assert most_balanced(np.array([[[88, 1, 1]]]), 8, 8) == most_balanced(np.array([[[88, 2, 0]]]), 8, 8)


def test_the_bound_holds_for_time_not_at_all():
    slow_problem = Eplb()
    tiny = case([[[12, 4, 2]]], slots=4, gpus=2)
    assert slow_problem.bound(tiny) == EPLB.bound(tiny)
    for name in ("speed", "both"):
        slow_problem.pursue(name)
        assert slow_problem.bound(tiny) is None
        assert slow_problem.timed


def test_largest_load_per_replica_next_is_optimal_for_the_largest_slot_load():
    rng = np.random.default_rng(7)
    for experts, slots in ((3, 7), (16, 20), (64, 96), (256, 288)):
        loads = np.rint(rng.lognormal(4, 1.5, (20, experts)))
        _, count = GREEDY(loads, slots)
        assert (loads / count).max(1) == pytest.approx(least_slot_load(loads, slots), rel=1e-9)


def test_no_replica_counts_have_a_smaller_largest_slot_load_than_the_greedy_ones():
    rng = np.random.default_rng(8)
    for _ in range(10):
        loads = rng.integers(0, 40, 3).tolist()
        counts = [c for c in itertools.product(range(1, 8), repeat=3) if sum(c) == 9]
        best = min(max(Fraction(load, n) for load, n in zip(loads, count, strict=True)) for count in counts)
        _, greedy = GREEDY(np.array([loads], float), 9)
        assert max(Fraction(load, int(n)) for load, n in zip(loads, greedy[0], strict=True)) == best


def test_cost_weighs_time_against_balance():
    assert EPLB.derive({"balancedness": 0.8, "cpu_seconds": 2.0})["cost"] == pytest.approx(2**0.1 / 0.8)
    tenth = EPLB.derive({"balancedness": 0.8 / 10**0.1, "cpu_seconds": 0.2})["cost"]
    assert tenth == pytest.approx(2**0.1 / 0.8)
    assert EPLB.derive({"balancedness": 0.8}) == {}


# cases


def every_split():
    splits = ("train", "validation", "test")
    return {name: EPLB.cases(Split(name, "secret" if name == "test" else "")) for name in splits}


@pytest.fixture(scope="module")
def splits():
    return every_split()


def test_splits_share_nothing_and_have_the_same_mix_of_shapes(splits):
    assert {name: len(cases) for name, cases in splits.items()} == {"train": 24, "validation": 48, "test": 120}
    drawn_loads = [case.loads.tobytes() for cases in splits.values() for case in cases]
    assert len(set(drawn_loads)) == len(drawn_loads)
    for cases in splits.values():
        for shape in SHAPES:
            assert sum(case.gpus == shape.gpus for case in cases) == len(cases) // 6
        assert sum(case.loads.shape[1:] == (58, 256) for case in cases) == len(cases) // 12


def test_cases_are_the_same_every_time(splits):
    again = EPLB.cases(Split("train"))
    assert all((one.loads == other.loads).all() for one, other in zip(splits["train"], again, strict=True))


def test_any_few_cases_in_a_row_are_mild_and_steep(splits):
    for start in (0, 8, 16):
        peaks = [(case.loads.max(2) / case.loads.mean(2)).mean() for case in splits["train"][start : start + 8]]
        assert min(peaks) < 7 < 11 < max(peaks)


def test_quick_cases_are_in_no_split_and_small(splits):
    quick = EPLB.case_sets()["quick"]
    assert len(quick) == 12
    known = {case.loads[:, 0].tobytes() for cases in splits.values() for case in cases}
    assert not known & {case.loads[:, 0].tobytes() for case in quick}
    assert sum(len(case.judged) for case in quick) <= 60


def test_a_twin_is_equal_until_the_moment_and_different_after_it():
    rng = np.random.default_rng(9)
    one = drawn(rng, 6, 2, 8, 12, 4)
    twin = EPLB.twin(one, Random(1))
    calls = [list(asked(each)) for each in (one, twin.case)]
    known = sum(1 for _ in itertools.takewhile(twin.before, calls[0]))
    assert 1 <= known < 7
    for a, b in zip(*(each[:known] for each in calls), strict=True):
        assert (a.arguments[0] == b.arguments[0]).all()
    assert (one.loads != twin.case.loads).any()


def asked(case):
    simulation = run(case)
    call = next(simulation)
    while call:
        yield call
        try:
            call = simulation.send(call.arguments[1])
        except StopIteration:
            return


# baselines


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_legal_and_within_the_bound_on_quick_and_train_cases(name, splits):
    for each in [*EPLB.case_sets()["quick"], *splits["train"][:6]]:
        assert play(each, BASELINES[name])["balancedness"] <= EPLB.bound(each)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_legal_where_there_is_nothing_to_choose(name):
    rng = np.random.default_rng(10)
    for each in (
        drawn(rng, 1, 2, 4, 4, 4),  # as many slots as experts, one to a GPU
        drawn(rng, 1, 1, 4, 8, 1),
        drawn(rng, 1, 2, 6, 12, 4, 2, 3),  # groups that do not divide by nodes
        case([[[0, 0, 0, 0]]], 8, 4, 2, 2),
        case([[[9, 0, 0, 0]]], 24, 4, 2, 2),
    ):
        assert play(each, BASELINES[name])["balancedness"] > 0


def test_the_reference_keeps_groups_on_a_node_and_the_global_form_need_not(splits):
    whole = splits["train"][2]
    assert play(whole, BASELINES["reference"])["nodes_per_group"] == 1.0
    assert play(whole, BASELINES["global_greedy"])["nodes_per_group"] > 3


def test_the_reference_is_the_global_form_where_groups_do_not_divide_by_nodes(splits):
    wide = splits["train"][5]
    assert wide.groups % wide.nodes
    assert play(wide, BASELINES["reference"]) == play(wide, BASELINES["global_greedy"])


def test_the_reference_packs_a_small_case_as_computed_by_hand():
    # groups of two have 10, 9, 4 and 3, so the nodes get the first with the last and the second with the third.  In the
    # first node expert 0 gets both further replicas: 3, 3, 3, 2, 1, 1 go to GPUs 0, 1, 0, 1, 1, 0.  In the other
    # expert 2 does: 3, 8/3, 8/3, 8/3, 1, 1 go to GPUs 2, 3, 3, 2, 3, 2
    tiny = case([[[9, 1, 8, 1, 3, 1, 2, 1]]], slots=12, gpus=4, nodes=2, groups=4)
    placement = np.array(BASELINES["reference"](tiny.history(SHOWN), first_placement(tiny), 12, 4, 2, 4))
    assert sorted(set(placement[0, :6].tolist())) == [0, 1, 6, 7]
    assert sorted(set(placement[0, 6:].tolist())) == [2, 3, 4, 5]
    assert replicas(placement, 8)[0].tolist() == [3, 1, 3, 1, 1, 1, 1, 1]
    gpus = [sorted(gpu) for gpu in placement[0].reshape(4, 3).tolist()]
    assert gpus == [[0, 0, 7], [0, 1, 6], [2, 4, 5], [2, 2, 3]]


def test_the_reference_has_its_golden_balance_on_train(splits):
    reached = [play(case, BASELINES["reference"])["balancedness"] for case in splits["train"]]
    assert sum(reached) / 24 == pytest.approx(GOLDEN, abs=1e-9)


def test_local_search_packs_known_windows_better_than_what_it_starts_from(splits):
    for each in splits["train"][:2]:
        known = {name: play(each, BASELINES[name])["seen_balancedness"] for name in ("local_search", "global_greedy")}
        assert known["local_search"] >= known["global_greedy"]


def test_feedback_tells_packing_from_prediction_in_one_line(splits):
    each = splits["train"][0]
    line = EPLB.feedback(each, play(each, BASELINES["reference"]))
    assert "\n" not in line
    assert len(line) < 450
    assert "more is lost by predicting than by packing" in line
    poor = EPLB.feedback(each, play(each, BASELINES["round_robin"]))
    assert "so more is lost by packing" in poor
    assert "0% of slots moved" in poor
    assert "CPU" not in poor
    timed = {**play(each, BASELINES["zigzag"]), "cpu_seconds": 0.05}
    assert EPLB.feedback(each, timed).endswith("; 2.50 ms of CPU a placement")


def test_the_judge_scores_a_baseline_and_refuses_a_forgotten_expert(sandbox):
    problem = catalog.load("eplb")
    judge = Judge(named_cases(problem, "quick"), sandbox)
    sources = {baseline.name: baseline.source for baseline in problem.baselines()}
    assert judge.evaluate(sources["zigzag"]).verdict is Verdict.OK
    forgetful = judge.evaluate("def rebalance(history, previous, *_):\n    return 0 * previous\n")
    assert forgetful.verdict is Verdict.INVALID
    assert "layer 0: expert 1 has no slot" in forgetful.feedback


@pytest.mark.alone
def test_a_vectorised_policy_is_faster_and_no_less_balanced(sandbox):
    problem = catalog.load("eplb")
    problem.pursue("speed")
    cases = split_cases(problem, "train")
    whole = type(cases)(problem, "whole", [case for case in cases.cases if case.layers == 58])
    sources = {baseline.name: baseline.source for baseline in problem.baselines()}
    evaluation = Judge(whole, sandbox).evaluate(sources["vectorised"])
    assert evaluation.verdict is Verdict.OK
    assert evaluation.score > 4  # about 15; the machine may be busy
    lazy = Judge(whole, sandbox).evaluate(sources["round_robin"])
    assert lazy.verdict is Verdict.INVALID
    assert "balancedness" in lazy.feedback


# files


def write(folder, text):
    (folder / "counts.csv").write_text(text)
    return folder / "counts.csv"


def table(layers, experts, count=7):
    rows = [",".join(["", *(f"ep_{e}" for e in range(experts))])]
    rows += [",".join([f"layer_{layer}", *[str(count)] * experts]) for layer in range(layers)]
    return "\n".join(rows) + "\n"


def test_a_file_of_counts_makes_a_case_for_each_number_of_gpus(tmp_path):
    cases = EPLB.read_cases(write(tmp_path, table(2, 32)))
    assert [(case.gpus, case.slots, case.nodes, case.layers) for case in cases] == [
        (8, 40, 1, 2),
        (16, 48, 2, 2),
        (32, 64, 4, 2),
    ]
    assert {case.loads.sum(2).item(0) for case in cases} == {7 * 32}
    assert len({EPLB.trace(case) for case in cases}) == 1
    assert len({EPLB.stretch(case) for case in cases}) == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (table(1, 9), "counts.csv: expected experts that divide evenly by 8 GPUs; got 9"),
        (table(1, 8, 10**8), "counts.csv: expected at most 8388607 tokens an expert; got 100000000"),
        (table(1, 8)[:-3], "counts.csv, line 2: expected 8 counts; got 7"),
    ],
)
def test_a_file_that_makes_no_cases_is_refused_with_the_reason(tmp_path, text, complaint):
    with pytest.raises(EvolveError, match=complaint):
        EPLB.read_cases(write(tmp_path, text))


def measured():
    if not Path(os.environ.get("EVOLVE_DATA", "missing"), PUBLIC).exists():
        pytest.skip(f"EVOLVE_DATA does not name a folder with {PUBLIC}")
    return EPLB.case_sets()["deepseek"]


def test_the_measured_counts_are_a_case_set_of_the_whole_model():
    cases = measured()
    assert [case.gpus for case in cases] == [8, 16, 32, 64, 128]
    assert {case.loads.shape[1:] for case in cases} == {(58, 256)}
    assert {case.loads[0].sum() for case in cases} == {58 * 8 * 20_267}
    assert cases[2].slots == 288


def test_on_the_measured_counts_the_global_form_is_better_balanced_than_the_hierarchical_one():
    each = measured()[2]
    reached = {name: play(each, BASELINES[name])["balancedness"] for name in ("reference", "global_greedy", "zigzag")}
    assert reached["reference"] < reached["zigzag"] < reached["global_greedy"]
    assert reached["reference"] == pytest.approx(0.754, abs=5e-4)
    assert reached["global_greedy"] == pytest.approx(0.956, abs=5e-4)
    assert reached["global_greedy"] < EPLB.bound(each)
