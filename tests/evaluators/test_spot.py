import itertools
import math
import os
from collections import defaultdict
from pathlib import Path

import pytest

from evaluators.spot.optimum import optimum
from evaluators.spot.problem import CHANGEOVERS, DEADLINES, Spot
from evaluators.spot.simulator import Case, Run, validate
from evolve.problem import InvalidDecision, Split
from evolve.types import EvolveError

SEEDS = Path(__file__).parents[2] / "seeds" / "spot"
SPOT = Spot()
GOLDEN = 103.019351  # dollars, the mean of the reference on train
ON_DEMAND, CHEAP = 3.06 / 6, 0.9731 / 6  # dollars a tick of ten minutes


def policy(name):
    names = {}
    exec((SEEDS / f"{name}.py").read_text(), names)
    return names["choose"]


BASELINES = {file.stem: policy(file.stem) for file in sorted(SEEDS.glob("*.py"))}


def play(case, choose):
    """Returns the metrics of a policy that runs in this process."""
    simulation = SPOT.simulate(case)
    decision = None
    while True:
        try:
            call = simulation.send(decision)
        except StopIteration as end:
            return end.value
        decision = choose(*call.arguments)


def follow(*choices):
    """Returns a policy that makes the given choices, then waits, and a list of what it was shown."""
    shown, plan = [], iter(choices)

    def choose(observation):
        shown.append(observation)
        return next(plan, "none")

    return choose, shown


def job(bits, work=3, deadline=None, changeover=200):
    """Returns a case; work and deadline in ticks of 600 s; 1 in ``bits`` means that spot is not there."""
    available = tuple(bit == "0" for bit in bits)
    return Case("tiny", available, work * 600, (deadline or len(bits)) * 600, changeover, 600, "tiny", "tiny")


def test_the_observation_is_flat_and_in_whole_seconds():
    choose, shown = follow("on_demand")
    play(job("1" * 9), choose)
    assert shown[1] == {
        "time": 600,
        "deadline": 5400,
        "done": 400,
        "left": 1400,
        "changeover": 200,
        "tick": 600,
        "running": "on_demand",
        "available": False,
    }


def test_starting_costs_a_changeover_and_staying_does_not():
    choose, shown = follow("spot", "spot", "spot", "spot")
    result = play(job("0" * 9), choose)
    assert [each["done"] for each in shown] == [0, 400, 1000, 1600]
    assert result["cost"] == pytest.approx(4 * CHEAP)
    assert result["changeovers"] == 1
    assert result["finished_hours"] == pytest.approx(4 / 6)


def test_a_lost_instance_is_shown_as_none_and_its_last_tick_counts():
    choose, shown = follow("spot", "none", "spot", "spot", "spot", "spot")
    result = play(job("010000000"), choose)
    assert [(each["running"], each["done"]) for each in shown[:4]] == [
        ("none", 0),
        ("none", 400),
        ("none", 400),
        ("spot", 800),
    ]
    assert result["preemptions"] == 1
    assert result["changeovers"] == 2
    assert result["idle_hours"] == pytest.approx(1 / 6)


def test_spot_that_is_not_there_means_waiting():
    choose, shown = follow("spot", "spot", "on_demand", "on_demand", "on_demand", "on_demand")
    result = play(job("111111111"), choose)
    assert [each["running"] for each in shown[:4]] == ["none", "none", "none", "on_demand"]
    assert result["idle_hours"] == pytest.approx(2 / 6)
    assert result["cost"] == pytest.approx(4 * ON_DEMAND)


def test_from_on_demand_to_spot_and_back_costs_a_changeover_each():
    choose, shown = follow("on_demand", "on_demand", "spot", "on_demand", "on_demand")
    result = play(job("0" * 9), choose)
    assert [each["done"] for each in shown] == [0, 400, 1000, 1400]
    assert [each["running"] for each in shown] == ["none", "on_demand", "on_demand", "spot"]
    assert result["changeovers"] == 3
    assert result["preemptions"] == 0
    assert result["cost"] == pytest.approx(3 * ON_DEMAND + CHEAP)


def test_waiting_after_running_costs_a_changeover_at_the_next_start():
    choose, shown = follow("spot", "none", "spot", "spot", "spot", "spot")
    play(job("0" * 9), choose)
    assert [each["done"] for each in shown[:4]] == [0, 400, 400, 800]


def test_a_changeover_longer_than_a_tick_is_booked_over_several():
    choose, shown = follow(*["on_demand"] * 9)
    result = play(job("1" * 9, work=2, changeover=1500), choose)
    assert [each["done"] for each in shown] == [0, 0, 0, 300, 900]
    assert result["cost"] == pytest.approx(5 * ON_DEMAND)


def test_the_safety_rule_starts_on_demand_when_work_and_a_changeover_fill_the_time():
    choose, shown = follow("none", "none", "spot", "spot", "none", "none")
    result = play(job("0" * 6), choose)
    # 1800 s and 200 s are 4 ticks: waiting is free while 5 are left, not while 4 are
    assert [each["running"] for each in shown] == ["none", "none", "none", "on_demand", "on_demand", "on_demand"]
    assert result["on_demand_hours"] == pytest.approx(4 / 6)
    assert result["finished_hours"] == 1


def test_the_safety_rule_keeps_a_spot_instance_that_runs():
    choose, shown = follow("spot", "none", "on_demand", "none")
    result = play(job("0" * 5, changeover=400), choose)
    # from 600 s on 1600 s and 400 s fill the 4 ticks left
    assert [each["done"] for each in shown] == [0, 200, 800, 1400]
    assert result["cost"] == pytest.approx(4 * CHEAP)
    assert result["changeovers"] == 1


def test_under_the_safety_rule_a_lost_spot_instance_is_replaced_in_time():
    choose, shown = follow("spot", "spot", "spot", "spot", "spot")
    result = play(job("00100", changeover=400), choose)
    assert [each["done"] for each in shown] == [0, 200, 800, 1000, 1600]
    assert result["cost"] == pytest.approx(2 * CHEAP + 3 * ON_DEMAND)
    assert result["finished_hours"] == pytest.approx(5 / 6)


def test_the_safety_rule_does_not_wait_for_a_spot_instance_that_is_still_starting():
    choose, shown = follow("spot", "spot")
    result = play(job("0" * 6, changeover=700), choose)
    # at 600 s 100 s of the changeover are still to come, and 1800 s and 700 s fill the 5 ticks left
    assert [each["done"] for each in shown] == [0, 0, 0, 500, 1100, 1700]
    assert result["cost"] == pytest.approx(CHEAP + 5 * ON_DEMAND)


def test_whole_ticks_are_paid_even_if_the_job_ends_within_one():
    choose, _ = follow(*["on_demand"] * 4)
    result = play(job("1" * 9, work=3, changeover=1), choose)
    assert result["cost"] == pytest.approx(4 * ON_DEMAND)


@pytest.mark.parametrize("choice", ["Spot", "", None, 0, ["spot"]])
def test_an_unknown_choice_is_illegal_and_named_with_its_time(choice):
    choose, _ = follow("none", choice)
    with pytest.raises(InvalidDecision, match=r"at 600 s: chose .*; expected one of spot, on_demand, none"):
        play(job("0" * 9), choose)


def test_an_unknown_choice_is_illegal_even_where_the_safety_rule_decides():
    choose, _ = follow("cheap")
    with pytest.raises(InvalidDecision, match="at 0 s: chose 'cheap'"):
        play(job("0" * 4), choose)


def test_lateness_is_illegal_and_says_how_much_is_left():
    run = Run(done=600, ended=5400, on_demand_ticks=1, spot_ticks=0, preemptions=0, changeovers=1)
    with pytest.raises(InvalidDecision, match=r"late: 0.33 h of work left at the deadline, 1.5 h"):
        validate(job("0" * 9), run)


@pytest.mark.parametrize("changeover", [0, 200, 600, 700])
def test_no_sequence_of_choices_is_late(changeover):
    for bits in ("000000", "010101", "001101", "111111"):
        for choices in itertools.product(("spot", "on_demand", "none"), repeat=6):
            assert play(job(bits, changeover=changeover), follow(*choices)[0])["finished_hours"] <= 1


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda: job("0" * 3), "do not fit"),
        (lambda: job("0" * 5, deadline=6), "5 of the 6 ticks"),
        (lambda: job("0" * 5, work=0), "must be positive"),
    ],
)
def test_an_impossible_case_is_refused(wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        wrong()


@pytest.mark.parametrize("changeover", [0, 200, 450, 600])
def test_the_optimum_is_the_best_of_all_sequences_of_choices(changeover):
    for bits in ("0000000", "1111111", "0101010", "1000110", "0011011", "1101001"):
        case = job(bits, changeover=changeover)
        every = itertools.product(("spot", "on_demand", "none"), repeat=7)
        assert optimum(case) == min(play(case, follow(*choices)[0])["cost"] for choices in every)


def test_the_optimum_refuses_a_changeover_longer_than_a_tick():
    with pytest.raises(ValueError, match="at most a tick; got 601 s > 600 s"):
        optimum(job("0" * 9, changeover=601))


def test_the_optimum_of_a_job_with_spot_always_there_is_all_spot():
    case = job("0" * 420, work=288, changeover=72)
    assert optimum(case) == pytest.approx(289 * CHEAP)


def every_split():
    return {
        name: SPOT.cases(Split(name, "secret" if name == "test" else "")) for name in ("train", "validation", "test")
    }


def test_splits_share_nothing_and_have_the_same_mix_of_settings():
    splits = every_split()
    assert {name: len(cases) for name, cases in splits.items()} == {"train": 24, "validation": 96, "test": 240}
    traces = [case.available for cases in splits.values() for case in cases]
    assert len(set(traces)) > 0.95 * len(traces)  # the rest are pools with spot there always, or never
    assert len({case.trace for cases in splits.values() for case in cases}) == len(traces)
    settings = set(itertools.product(DEADLINES, CHANGEOVERS))
    for cases in splits.values():
        counts = [sum((case.deadline, case.changeover) == setting for case in cases) for setting in settings]
        assert counts == [len(cases) // 6] * 6


def test_another_secret_gives_other_sealed_cases():
    one, other = (SPOT.cases(Split("test", secret)) for secret in ("one", "other"))
    assert sum(a.available != b.available for a, b in zip(one, other, strict=True)) > 100


def test_cases_are_the_same_every_time():
    assert every_split() == every_split()
    assert SPOT.case_sets() == SPOT.case_sets()


def test_scarcity_is_spread_over_any_few_cases_in_a_row():
    for start in (0, 8, 16):
        unavailable = [1 - sum(case.available) / 420 for case in SPOT.cases(Split("train"))[start : start + 8]]
        assert min(unavailable) < 0.4 < max(unavailable)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_finish_every_case_on_time_and_never_beat_the_optimum(name):
    for cases in every_split().values():
        for case in cases[:24]:
            assert play(case, BASELINES[name])["cost"] >= SPOT.bound(case)


def test_the_reference_has_its_golden_costs_on_train():
    costs = [play(case, BASELINES["reference"])["cost"] for case in SPOT.cases(Split("train"))]
    assert sum(costs) / 24 == pytest.approx(GOLDEN, abs=1e-6)


def test_feedback_explains_the_cost_without_showing_the_trace():
    case = job("0" * 9)
    line = SPOT.feedback(case, play(case, BASELINES["on_demand"]))
    assert "\n" not in line
    assert "$2.04, 100% of always on-demand" in line
    assert "0.7 h on demand" in line


def test_a_file_in_another_format_is_refused_with_the_reason(tmp_path):
    (tmp_path / "windows.json").write_text('{"gap_seconds": 195, "regions": {}}')
    with pytest.raises(EvolveError, match="gap_seconds: expected 600, one tick; got 195"):
        SPOT.read_cases(tmp_path / "windows.json")


# The measured windows, with everything recomputed by separate plain code: hours in floats, as in the paper.


def measured():
    file = Path(os.environ.get("EVOLVE_DATA", "missing"), "spot", "single_region.json")
    if not file.exists():
        pytest.skip("EVOLVE_DATA does not name a folder with spot/single_region.json")
    return SPOT.read_cases(file)


def up(x):
    return math.ceil(x - 1e-9)


def down(x):
    return math.floor(x + 1e-9)


GAP, WORK = 1 / 6, 48.0


def replay(case, decide):
    """Returns the dollars of ``decide(now, done, running, there, deadline, delay)`` on a case, recomputed."""
    deadline, delay = case.deadline / 3600, case.changeover / 3600
    now = done = pending = cost = 0.0
    running = None
    for there in case.available:
        if running == "spot" and not there:
            running = None
        wanted = decide(now, done, running, there, deadline, delay)
        if up((WORK - done + delay) / GAP) >= down((deadline - now) / GAP):
            wanted = "spot" if running == "spot" and pending < 1e-9 else "on-demand"
        if wanted == "spot" and not there:
            wanted = None
        if wanted and wanted != running:
            pending = delay
        running = wanted
        cost += GAP * {None: 0, "spot": 0.9731, "on-demand": 3.06}[running]
        now += GAP
        if running:
            done, pending = min(WORK, done + max(GAP - pending, 0)), max(pending - GAP, 0)
        if done > WORK - 1e-9:
            break
    assert done > WORK - 1e-9
    assert now < deadline + 1e-9
    return cost


def plain_greedy(now, done, running, there, deadline, delay):
    if running != "spot" and up((WORK - done + 2 * delay) / GAP) >= down((deadline - now) / GAP):
        return "on-demand"
    return "spot" if there else None


def plain_uniform_progress(now, done, running, there, deadline, delay):
    def expected(time):
        return time * WORK / deadline

    wanted = "spot" if there else None
    if done < expected(now) - 1e-9 and not there:
        wanted = "on-demand"
    if running == "on-demand" and (not there or done <= expected(now + 2 * delay) + 1e-9):
        wanted = "on-demand"
    if running != "spot" and up((WORK - done + 2 * delay) / GAP) >= down((deadline - now) / GAP):
        wanted = "on-demand"
    return wanted


def plain_optimum(case):
    """Returns the least dollars by a forward search over (running, seconds done), one dict a tick."""
    states = {("none", 0): 0.0}
    best = math.inf
    for tick in range(case.deadline // 600):
        ahead = defaultdict(lambda: math.inf)
        for (running, done), cost in states.items():
            if running == "spot" and not case.available[tick]:
                running = "none"
            left = 48 * 3600 - done
            forced = -(-(left + case.changeover) // 600) >= case.deadline // 600 - tick
            choices = ["none", "on_demand"] + ["spot"] * case.available[tick]
            if forced:
                choices = ["spot" if running == "spot" else "on_demand"]
            for choice in choices:
                gain = 0 if choice == "none" else 600 - case.changeover * (choice != running)
                dearer = cost + {"none": 0, "spot": CHEAP, "on_demand": ON_DEMAND}[choice]
                if gain >= left:
                    best = min(best, dearer)
                elif left - gain <= case.deadline - (tick + 1) * 600:
                    ahead[choice, done + gain] = min(ahead[choice, done + gain], dearer)
        states = ahead
    return best


def test_the_public_windows_are_read_as_the_public_evaluation_reads_them():
    cases = measured()
    assert len(cases) == 2 * 30 * 6
    assert {case.trace for case in cases} == {"us-west-2a_v100_1", "us-west-2b_k80_8"}
    assert len({case.stretch for case in cases}) == 6
    assert not cases[0].available[12]


@pytest.mark.parametrize(
    ("name", "decide", "mean"),
    [("greedy", plain_greedy, 103.9745), ("reference", plain_uniform_progress, 84.7845)],
)
def test_baselines_on_the_measured_windows_agree_with_plain_code(name, decide, mean):
    cases = measured()
    costs = [play(case, BASELINES[name])["cost"] for case in cases]
    assert costs == pytest.approx([replay(case, decide) for case in cases])
    assert sum(costs) / len(costs) == pytest.approx(mean, abs=1e-4)


def test_the_optimum_on_the_measured_windows_agrees_with_plain_code():
    cases = measured()
    bounds = [SPOT.bound(case) for case in cases]
    assert sum(bounds) / len(bounds) == pytest.approx(74.0674, abs=1e-4)
    tight = [index for index, case in enumerate(cases) if case.deadline == DEADLINES[0] and case.changeover > 72]
    loose = [index for index, case in enumerate(cases) if case.deadline == DEADLINES[1] and case.changeover == 360]
    for index in tight[::12] + loose[::30]:
        assert bounds[index] == pytest.approx(plain_optimum(cases[index]))


def test_the_published_ranking_holds_on_the_measured_windows():
    cases = measured()
    mean = {name: sum(play(case, choose)["cost"] for case in cases) / len(cases) for name, choose in BASELINES.items()}
    assert mean["uniform_progress_no_hysteresis"] == pytest.approx(79.2680, abs=1e-4)
    assert mean["on_demand"] == pytest.approx(147.39)
    assert sorted(mean, key=mean.__getitem__) == [
        "uniform_progress_no_hysteresis",
        "reference",
        "time_sliced",
        "greedy",
        "on_demand",
    ]
