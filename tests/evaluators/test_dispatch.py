import bisect
import itertools
import math
import os
from pathlib import Path
from random import Random

import numpy as np
import pytest

from evaluators.dispatch.cases import NOISES, REPORTS
from evaluators.dispatch.problem import COUNTS, PUBLIC, Dispatch
from evaluators.dispatch.relaxation import least_work, relaxation, slowdowns
from evaluators.dispatch.simulator import Case, Served, run
from evaluators.dispatch.slowdown import metrics, validate
from evolve import catalog
from evolve.cases import named_cases, split_cases
from evolve.judge.decision import check
from evolve.problem import InvalidDecision, Split
from evolve.types import EvolveError
from workloads.job_streams import Job, Stream, draw_jobs

SEEDS = Path(__file__).parents[2] / "seeds" / "dispatch"
DISPATCH = Dispatch()
GOLDEN = 8.592440410331  # the mean slowdown of the reference on train


def policy(name):
    """Returns what makes a fresh policy of a baseline, as the sandbox does for each case."""
    code = compile((SEEDS / f"{name}.py").read_text(), name, "exec")

    def fresh():
        names = {}
        exec(code, names)
        return names["Policy"]().choose if "Policy" in names else names["choose"]

    return fresh


BASELINES = {file.stem: policy(file.stem) for file in sorted(SEEDS.glob("*.py"))}


def drive(simulation, choose):
    """Returns what a simulation returns to a policy that runs in this process; decisions are checked."""
    decision = None
    while True:
        try:
            call = simulation.send(decision)
        except StopIteration as end:
            return end.value
        decision = check(choose(*call.arguments), call.returns)


def play(case, choose):
    return drive(DISPATCH.simulate(case), choose)


def follow(*choices):
    """Returns a policy that makes the given choices, and a list of what it was shown."""
    shown, plan = [], iter(choices)

    def choose(job, servers, now):
        shown.append((job, servers, now))
        return next(plan)

    return choose, shown


def farm(speeds, *jobs, report=0.0):
    """Returns a case; each job is (arrival, size) or (arrival, size, estimate)."""
    return Case("tiny", tuple(speeds), tuple(Job(*job, *job[1:2][: 3 - len(job)]) for job in jobs), report)


def shown_of(servers, *names):
    return [tuple(server[name] for name in names) for server in servers]


# the simulator


def test_a_policy_is_shown_plain_numbers_and_no_sizes():
    choose, shown = follow(1, 0, 1)
    play(farm([1.0, 2.0], (0.0, 8.0, 6.0), (1.0, 5.0, 3.0), (2.0, 1.0, 7.0)), choose)
    job, servers, now = shown[2]
    assert (job, now) == ({"id": 2, "estimate": 7.0}, 2.0)
    assert servers == [
        {"speed": 1.0, "jobs": 1, "work": 2.0, "since": 1.0, "age": 0.0, "sent": 0, "sent_work": 0.0},
        {"speed": 2.0, "jobs": 1, "work": 2.0, "since": 0.0, "age": 0.0, "sent": 0, "sent_work": 0.0},
    ]


def test_a_schedule_computed_by_hand():
    # speed 2: job 0 runs 0-2, job 1 waits 1-2 and runs 2-3, job 3 waits 2.5-3 and runs 3-6; speed 1: job 2 runs 2-5
    case = farm([2.0, 1.0], (0.0, 4.0), (1.0, 2.0), (2.0, 3.0), (2.5, 6.0))
    result = play(case, follow(0, 0, 1, 0)[0])
    assert result["mean_slowdown"] == pytest.approx((1 + 2 + 2 + 3.5 / 3) / 4)
    assert result["mean_response_seconds"] == pytest.approx((2 + 2 + 3 + 3.5) / 4)
    assert result["mean_wait_seconds"] == pytest.approx((0 + 1 + 0 + 0.5) / 4)
    assert result["waited_beside_idle"] == 0.25
    assert result["utilisation"] == pytest.approx((2 * 6 + 3) / (3 * 6))
    assert (result["busiest"], result["laziest"]) == (0, 1)
    assert result["laziest_utilisation"] == pytest.approx(0.5)


def test_the_worst_job_is_told_with_what_it_waited_behind():
    case = farm([1.0, 1.0, 1.0], (0.0, 9.0), (0.0, 2.0), (3.0, 1.0), (3.0, 5.0))
    result = play(case, follow(0, 0, 0, 1)[0])
    assert result["worst_job"] == 2
    assert result["worst_wait"] == pytest.approx(8)
    assert (result["worst_server"], result["worst_ahead"], result["worst_largest"], result["worst_idle"]) == (
        0,
        2,
        9,
        2,
    )
    assert result["worst_slowdown"] == pytest.approx(9)


def test_a_server_beyond_its_estimate_has_no_work_left_and_an_idle_one_says_since_when():
    choose, shown = follow(0, 1, 1)
    play(farm([1.0, 1.0], (0.0, 9.0, 2.0), (1.0, 1.0, 5.0), (4.0, 1.0, 1.0)), choose)
    assert shown_of(shown[2][1], "jobs", "work", "since") == [(1, 0.0, 0.0), (0, 0.0, 2.0)]


def test_jobs_that_wait_count_with_their_estimates():
    choose, shown = follow(0, 0, 0, 0)
    play(farm([2.0], (0.0, 9.0, 4.0), (0.5, 1.0, 2.0), (0.5, 1.0, 3.0), (1.0, 1.0, 1.0)), choose)
    assert shown_of(shown[3][1], "jobs", "work") == [(3, 2.0 + 2.0 + 3.0)]


def test_at_one_instant_completions_come_before_arrivals():
    choose, shown = follow(0, 0, 0)
    result = play(farm([1.0], (0.0, 1.0), (0.5, 1.0), (2.0, 1.0)), choose)
    assert shown_of(shown[2][1], "jobs", "since") == [(0, 2.0)]
    assert result["mean_wait_seconds"] == pytest.approx(0.5 / 3)


def test_jobs_that_arrive_at_one_instant_come_in_order_and_see_those_before_them():
    choose, shown = follow(0, 0, 1, 0)
    play(farm([1.0, 1.0], *[(1.0, 2.0, 3.0)] * 4), choose)
    assert [now for _, _, now in shown] == [1.0] * 4
    assert [shown_of(servers, "jobs", "work") for _, servers, _ in shown] == [
        [(0, 0.0), (0, 0.0)],
        [(1, 3.0), (0, 0.0)],
        [(2, 6.0), (0, 0.0)],
        [(2, 6.0), (1, 3.0)],
    ]


def test_reports_are_as_old_as_the_last_multiple_of_their_time_and_what_was_sent_since_is_told_apart():
    choose, shown = follow(0, 1, 0, 0)
    jobs = [(1.0, 2.5, 2.0), (3.0, 9.0, 4.0), (5.0, 1.0, 3.0), (7.0, 1.0, 1.0)]
    play(farm([1.0, 1.0], *jobs, report=4.0), choose)
    names = ("jobs", "work", "since", "age", "sent", "sent_work")
    assert shown_of(shown[1][1], *names) == [(0, 0.0, 0.0, 3.0, 1, 2.0), (0, 0.0, 0.0, 3.0, 0, 0.0)]
    assert shown_of(shown[2][1], *names) == [(0, 0.0, 3.5, 1.0, 0, 0.0), (1, 3.0, 3.0, 1.0, 0, 0.0)]
    assert shown_of(shown[3][1], *names) == [(0, 0.0, 3.5, 3.0, 1, 3.0), (1, 3.0, 3.0, 3.0, 0, 0.0)]


def test_at_one_instant_a_report_comes_after_completions_and_before_arrivals():
    choose, shown = follow(0, 0, 0)
    play(farm([1.0], (0.0, 2.0), (0.0, 2.0), (4.0, 1.0), report=2.0), choose)
    assert shown_of(shown[2][1], "jobs", "since", "age", "sent") == [(0, 4.0, 0.0, 0)]


def test_what_a_policy_is_shown_is_its_own():
    def vandal(job, servers, now):
        seen.append(shown_of(servers, "jobs", "work", "sent"))
        for server in servers:
            server.clear()
        return 0

    for report in (0.0, 10.0):
        seen = []
        play(farm([1.0, 1.0], (0.0, 3.0), (1.0, 3.0), report=report), vandal)
        assert seen[1] == [(0, 0.0, 1), (0, 0.0, 0)] if report else [(1, 2.0, 0), (0, 0.0, 0)]


@pytest.mark.parametrize("choice", [-1, 2, 1 << 62, -(1 << 63)])
def test_a_server_that_is_not_there_is_illegal_and_named(choice):
    with pytest.raises(InvalidDecision, match=rf"job 1: sent to server {choice}; there are servers 0 to 1"):
        play(farm([1.0, 1.0], (0.0, 1.0), (0.0, 1.0)), follow(0, choice)[0])


def test_a_farm_without_jobs_asks_nothing_and_has_slowdown_1():
    for report in (0.0, 1.0):
        case = farm([1.0, 2.0], report=report)
        result = play(case, None)
        assert (result["mean_slowdown"], result["utilisation"], result["worst_job"]) == (1.0, 0.0, -1)
        assert DISPATCH.bound(case) == least_work(case) == 1.0
        assert DISPATCH.feedback(case, result) == "no jobs for 2 servers: nothing to decide"
        assert DISPATCH.twin(case, Random(0)) is None


def test_one_job_has_the_slowdown_of_its_server():
    case = farm([1.0, 4.0], (3.0, 8.0))
    assert play(case, lambda *_: 1)["mean_slowdown"] == 1.0
    assert play(case, lambda *_: 0)["mean_slowdown"] == 4.0
    assert DISPATCH.bound(case) == 1.0


@pytest.mark.parametrize("name", BASELINES)
def test_with_one_server_all_baselines_agree(name):
    case = farm([2.0], (0.0, 1.0), (0.0, 3.0), (1.0, 2.0), (9.0, 1.0))
    assert play(case, BASELINES[name]())["mean_slowdown"] == pytest.approx((1 + 4 / 3 + 2 + 1) / 4)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_take_jobs_that_all_arrive_at_once(name):
    result = play(farm([1.0, 0.5, 4.0], *[(0.0, 1.0 + i, 2.0) for i in range(30)], report=1.0), BASELINES[name]())
    assert result["mean_slowdown"] >= 1


def test_cases_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="in the order of their arrivals"):
        farm([1.0], (2.0, 1.0), (1.0, 1.0))
    for speeds, report in (([], 0.0), ([0.0], 0.0), ([1.0], -1.0), ([math.nan], 0.0)):
        with pytest.raises(ValueError, match="expected servers with speeds above 0 and a report time of at least 0"):
            farm(speeds, (0.0, 1.0), report=report)


def test_the_validator_catches_a_simulator_that_cheats():
    case = farm([1.0], (0.0, 2.0), (1.0, 1.0))
    validate(case, [Served(0, 0.0, 2.0), Served(0, 2.0, 3.0)])
    for cheat in (Served(0, 1.5, 2.5), Served(0, 2.0, 2.5), Served(0, 2.0, 4.0)):
        with pytest.raises(ValueError, match="tiny: job 1 ran from"):
            validate(case, [Served(0, 0.0, 2.0), cheat])


def test_the_simulator_agrees_with_a_recomputation_by_lists():
    """Every number shown and every time, recomputed from scratch at each arrival."""
    rng = Random(3)
    for report in (0.0, 0.75, 5.0):
        jobs = [(rng.choice([0.0, 0.5, 1.0]), rng.choice([0.5, 1.0, 4.0]), rng.choice([1.0, 2.0])) for _ in range(80)]
        arrivals = list(itertools.accumulate(job[0] for job in jobs))
        case = farm([1.0, 2.0, 0.5], *zip(arrivals, *list(zip(*jobs, strict=True))[1:], strict=True), report=report)
        sent = []

        def choose(job, servers, now, case=case, sent=sent):
            assert (job["id"], now) == (len(sent), pytest.approx(case.jobs[len(sent)].arrival))
            assert servers == [recomputed(case, sent, index, now) for index in range(3)]
            sent.append(rng.choice([0, 1, 1, 2]))
            return sent[-1]

        served = drive(run(case), choose)
        for number, (start, end) in enumerate(times(case, sent)):
            assert (served[number].start, served[number].end) == pytest.approx((start, end))


def times(case, sent):
    """Returns start and end of each job by the recursion of a queue."""
    free, found = [0.0] * len(case.speeds), []
    for job, server in zip(case.jobs, sent, strict=False):
        start = max(free[server], job.arrival)
        free[server] = start + job.size / case.speeds[server]
        found.append((start, free[server]))
    return found


def recomputed(case, sent, index, now):
    """Returns what should be shown of a server, from the times of all jobs sent before."""
    at = case.report_seconds and math.floor(now / case.report_seconds + 1e-9) * case.report_seconds
    at = at if case.report_seconds else now
    mine = [(n, *span) for n, span in enumerate(times(case, sent)) if sent[n] == index]
    known = [each for each in mine if case.jobs[each[0]].arrival < at or not case.report_seconds]
    left = [each for each in known if each[2] > at + 1e-9]
    running = [each for each in left if each[1] <= at + 1e-9]
    work = sum(case.jobs[n].estimate for n, start, _ in left if start > at + 1e-9)
    work += sum(max(case.jobs[n].estimate - (at - start) * case.speeds[index], 0) for n, start, _ in running)
    later = [case.jobs[n].estimate for n, _, _ in mine[len(known) :]]
    since = running[0][1] if running else max((end for _, _, end in known), default=0.0)
    return {
        "speed": case.speeds[index],
        "jobs": len(left),
        "work": pytest.approx(work),
        "since": pytest.approx(since),
        "age": pytest.approx(now - at),
        "sent": len(later),
        "sent_work": pytest.approx(sum(later)),
    }


# theory


def poisson_farm(servers, load, jobs, seed):
    """Returns a case with exponential sizes of mean 1, no floor to them, on equal servers of speed 1."""
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(random.exponential(1 / (load * servers), jobs)).tolist()
    return Case(
        "long", (1.0,) * servers, tuple(map(Job, arrivals, random.exponential(1.0, jobs).tolist(), [1.0] * jobs))
    )


def response(case, choose):
    served = drive(run(case), choose)
    skipped = len(served) // 20
    both = list(zip(served, case.jobs, strict=True))[skipped:]
    return sum(each.end - job.arrival for each, job in both) / len(both)


def first_free(case):
    """Returns a policy that knows all sizes: to the server that is free first."""
    free = [(0.0, index) for index in range(len(case.speeds))]

    def choose(job, servers, now):
        at, index = free.pop(0)
        bisect.insort(free, (max(at, now) + case.jobs[job["id"]].size, index))
        return index

    return choose


def waiting_of_m_m_k(servers, load):
    """Returns the mean wait in M/M/k by Erlang's C, in mean sizes."""
    offered = servers * load
    term = offered**servers / math.factorial(servers) / (1 - load)
    waits = term / (sum(offered**n / math.factorial(n) for n in range(servers)) + term)
    return waits / (servers * (1 - load))


def test_one_server_has_the_response_of_m_m_1():
    assert response(poisson_farm(1, 0.5, 40_000, 1), lambda *_: 0) == pytest.approx(1 / (1 - 0.5), rel=0.05)


def test_random_choice_makes_k_queues_m_m_1_of_k_servers():
    random = Random(5)
    case = poisson_farm(4, 0.6, 30_000, 2)
    assert response(case, lambda job, servers, now: random.randrange(4)) == pytest.approx(1 / (1 - 0.6), rel=0.05)


def test_the_server_that_is_free_first_makes_m_m_k():
    case = poisson_farm(4, 0.7, 30_000, 3)
    assert response(case, first_free(case)) == pytest.approx(1 + waiting_of_m_m_k(4, 0.7), rel=0.05)


def test_the_shortest_queue_beats_two_choices_and_these_beat_chance_and_none_beats_m_m_k():
    case = poisson_farm(4, 0.8, 10_000, 4)
    order = [response(case, BASELINES[name]()) for name in ("shortest_queue", "power_of_two", "random_choice")]
    assert [response(case, first_free(case)), *order] == sorted([response(case, first_free(case)), *order])
    assert order[0] * 1.15 < order[1] < order[2] / 1.5


def test_two_choices_shorten_queues_exponentially_as_many_servers_predict():
    # in the limit of many servers the mean response is sum over i >= 1 of load^((2^i - 2)): Mitzenmacher 2001
    limit = sum(0.7 ** (2**i - 2) for i in range(1, 8))
    assert response(poisson_farm(100, 0.7, 10_000, 6), BASELINES["power_of_two"]()) == pytest.approx(limit, rel=0.05)


# the bound


def tiny(rng, servers, jobs):
    arrivals = itertools.accumulate(rng.choice([0.0, rng.expovariate(1.0)]) for _ in range(jobs))
    sizes = [rng.choice([0.2, 1.0, rng.paretovariate(1.2)]) for _ in range(jobs)]
    speeds = [rng.choice([1.0, 1.0, 0.3, 3.0]) for _ in range(servers)]
    return farm(speeds, *zip(arrivals, sizes, strict=True))


def best_of_all(case):
    """Returns the least mean slowdown of every way to send the jobs."""
    ways = itertools.product(range(len(case.speeds)), repeat=len(case.jobs))
    fastest, jobs = max(case.speeds), case.jobs
    sums = (sum((e - j.arrival) / j.size for j, (_, e) in zip(jobs, times(case, way), strict=True)) for way in ways)
    return min(sums) * fastest / len(jobs)


def test_no_way_to_send_a_few_jobs_beats_the_bound_and_it_is_not_far():
    rng = Random(7)
    shares = []
    for _ in range(40):
        case = tiny(rng, rng.choice([1, 2, 2, 3]), rng.choice([4, 5, 6]))
        best, bound = best_of_all(case), DISPATCH.bound(case)
        assert 1 <= bound <= best
        shares.append(bound / best)
    assert sum(shares) / len(shares) > 0.7
    assert sum(share < 0.999 for share in shares) > 20


def test_the_bound_is_the_optimum_of_equal_jobs_on_one_server():
    assert DISPATCH.bound(farm([2.0], *[(0.0, 3.0)] * 4)) == pytest.approx((1 + 2 + 3 + 4) / 4)


def test_the_relaxation_computed_by_hand():
    # one machine of speed 3: the large job 0-1, the small one 1-2, the large one 2-3
    shares = slowdowns([Job(0.0, 6.0, 1.0), Job(1.0, 3.0, 1.0)], 3.0, 2.0)
    assert shares == pytest.approx([2 / 36 * (3 * 0.5 + 3 * 2.5) + 0.5, 2 / 9 * (3 * 0.5) + 0.5])


def test_jobs_that_need_not_wait_do_not_weaken_the_bound():
    crowd = [(0.0, 1.0)] * 6
    alone = [(100.0 + 10 * i, 1.0) for i in range(6)]
    assert relaxation(farm([1.0, 1.0], *crowd, *alone)) == pytest.approx(
        (6 * relaxation(farm([1.0, 1.0], *crowd)) + 6) / 12
    )


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_beats_the_bound(name):
    for case in DISPATCH.case_sets()["quick"] + DISPATCH.cases(Split("train"))[:4]:
        assert play(case, BASELINES[name]())["mean_slowdown"] >= DISPATCH.bound(case)


def test_least_work_with_all_known_is_what_a_policy_that_knows_would_do():
    case = DISPATCH.case_sets()["quick"][2]
    free = [0.0] * len(case.speeds)

    def choose(job, servers, now):
        ends = [max(at, now) + case.jobs[job["id"]].size / speed for at, speed in zip(free, case.speeds, strict=True)]
        index = ends.index(min(ends))
        free[index] = ends[index]
        return index

    assert play(case, choose)["mean_slowdown"] == pytest.approx(least_work(case))


# baselines


def server(**values):
    return {"speed": 1.0, "jobs": 0, "work": 0.0, "since": 0.0, "age": 0.0, "sent": 0, "sent_work": 0.0} | values


@pytest.mark.parametrize(
    ("name", "servers", "chosen"),
    [
        ("reference", [server(work=5.0), server(work=8.0, speed=2.0), server(work=4.0, sent_work=3.0)], 1),
        ("shortest_queue", [server(jobs=2), server(jobs=1, sent=2), server(jobs=2, speed=3.0)], 2),
        ("join_idle_queue", [server(since=3.0), server(jobs=1), server(since=2.0), server(sent=1)], 2),
        ("lifetime_as_age", [server(jobs=1, since=1.0), server(jobs=1, work=5.0, since=8.0)], 1),
        ("round_robin", [server(jobs=9), server(), server()], 0),
        ("power_of_two", [server(jobs=4), server(jobs=3, sent=2)], 0),
        ("size_interval", [server(work=5.0), server(work=4.0)], 1),
        ("first_policy_iteration", [server(work=5.0), server(work=4.0)], 1),
    ],
)
def test_baselines_choose_as_their_papers_say(name, servers, chosen):
    assert BASELINES[name]()({"id": 0, "estimate": 2.0}, servers, 10.0) == chosen


def test_intervals_of_sizes_give_servers_work_in_proportion_to_their_speeds():
    choose, random = BASELINES["size_interval"](), Random(1)
    work, largest = [0.0, 0.0], [0.0, 0.0]
    for number in range(2000):
        estimate = random.paretovariate(1.5)
        index = choose({"id": number, "estimate": estimate}, [server(), server(speed=3.0)], 0.0)
        work[index] += estimate
        if number > 1000:
            largest[index] = max(largest[index], estimate)
    assert work[1] / sum(work) == pytest.approx(0.75, abs=0.1)
    assert largest[1] < largest[0]


def test_the_reference_has_its_golden_slowdown_on_train():
    values = [play(case, BASELINES["reference"]())["mean_slowdown"] for case in DISPATCH.cases(Split("train"))]
    assert sum(values) / 24 == pytest.approx(GOLDEN, abs=1e-9)


def test_more_speed_and_fresher_reports_help_and_more_load_hurts():
    stream = Stream("poisson", "lognormal", 0.3, 600, 6.0, 1.0)
    jobs = draw_jobs(stream, np.random.default_rng(8))

    def slowdown(case):
        return play(case, BASELINES["reference"]())["mean_slowdown"]

    base = slowdown(Case("base", (1.0,) * 8, jobs))
    assert slowdown(Case("faster", (1.2,) * 8, jobs)) < base < slowdown(Case("fewer", (1.0,) * 7, jobs))
    assert base < slowdown(Case("stale", (1.0,) * 8, jobs, 2.0)) < slowdown(Case("staler", (1.0,) * 8, jobs, 8.0))


# cases


def every_split():
    return {name: DISPATCH.cases(Split(name, "secret" if name == "test" else "")) for name in COUNTS}


def test_splits_have_their_counts_and_share_no_case():
    splits = every_split()
    assert {name: len(cases) for name, cases in splits.items()} == COUNTS
    jobs = [case.jobs for cases in splits.values() for case in cases]
    assert len(set(jobs)) == len(jobs)
    assert not {case.jobs for case in DISPATCH.case_sets()["quick"]} & set(jobs)


def test_cases_are_the_same_every_time_and_follow_the_secret():
    assert every_split() == every_split()
    one, other = (DISPATCH.cases(Split("test", secret)) for secret in ("one", "other"))
    assert not {case.jobs for case in one} & {case.jobs for case in other}


def test_every_split_has_every_regime_and_any_few_cases_in_a_row_have_many():
    for cases in every_split().values():
        for words in (
            ("poisson", "bursty", "batches", "ramp"),
            ("constant", "uniform", "tokens", "exponential", "lognormal", "pareto"),
            ("of one speed", "of two speeds", "of many speeds"),
            ("estimates 0.3", "no estimates", "estimates 1"),
            ("reports 0", "reports 1", "reports 4"),
        ):
            assert all(any(word in case.label for case in cases) for word in words)
        assert {len(case.speeds) for case in cases} == {2, 3, 4, 8, 12, 16, 32}
        for start in range(0, len(cases), 8):
            few = [float(case.label.split("load ")[1].split()[0].rstrip(",")) for case in cases[start : start + 8]]
            assert min(few) < 0.45 < 0.75 < max(few)


def test_estimates_meet_all_reports_and_these_meet_all_arrivals():
    cases = DISPATCH.cases(Split("validation"))
    pairs = {(case.label.split("reports ")[1], case.label.split(", ")[3].split()[0]) for case in cases}
    assert len(pairs) == 3 * 4
    pairs = {
        (case.label.split("reports ")[1], "no estimates" in case.label, "estimates 1" in case.label) for case in cases
    }
    assert len(pairs) == len(set(REPORTS)) * len(NOISES)


def test_estimates_do_not_tell_of_sizes_where_there_are_none():
    for case in DISPATCH.cases(Split("train")):
        if "no estimates" in case.label:
            assert len({job.estimate for job in case.jobs}) == 1
            assert (
                case.jobs[0].estimate != sum(job.size for job in case.jobs) / len(case.jobs) or "constant" in case.label
            )


def test_a_twin_is_equal_up_to_a_job_whose_size_is_hidden_and_different_after_it():
    case = DISPATCH.case_sets()["quick"][1]
    twin = DISPATCH.twin(case, Random(2))
    calls = {}
    for which in (case, twin.case):
        calls[which.jobs] = []
        drive(run(which), lambda job, servers, now, seen=calls[which.jobs]: seen.append((job, servers, now)) or 0)
    one, other = calls.values()
    first = sum(a.size == b.size for a, b in zip(case.jobs, twin.case.jobs, strict=True))
    assert one[: first + 1] == other[: first + 1]
    assert one[first + 1] != other[first + 1]
    assert [job["id"] <= first for job, _, _ in one] == [twin.before(type("Call", (), {"arguments": c})) for c in one]


def test_feedback_says_what_happened_and_what_was_possible():
    case = farm([1.0, 1.0, 1.0], (0.0, 9.0), (0.0, 2.0), (3.0, 1.0), (3.0, 5.0), report=2.0)
    line = DISPATCH.feedback(case, play(case, follow(0, 0, 0, 1)[0]))
    assert "\n" not in line
    assert line.startswith("a report every 2 s; mean slowdown 4.12, 99% ")
    assert "job 2 (0.24 mean sizes) waited 8 s on server 0 (speed 1) behind 2 jobs, the largest of 2.1" in line
    assert "with 2 servers idle" in line
    assert "least work with all sizes known has 1, the lower bound is 1" in line
    assert "server 0 (speed 1) 100%, server 2 (speed 1) 0%" in line
    assert len(line) < 400


def test_the_judge_plays_the_small_set_and_knows_the_splits():
    problem = catalog.load("dispatch")
    assert len(split_cases(problem, "train")) == 24
    assert len(named_cases(problem, "quick")) == 8
    assert problem.baselines()[0].name == "reference"
    assert len(problem.baselines()) == 9


# the public format


def requests_file(folder, rows):
    lines = [f"2023-11-16 18:{15 + i // 60:02}:{i % 60:02}.5000000,{100 + i},{20 + i % 7}" for i in range(rows)]
    path = folder / "requests.csv"
    path.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]))
    return path


def test_a_file_of_requests_becomes_windows_on_farms_that_do_not_overlap(tmp_path):
    cases = DISPATCH.read_cases(requests_file(tmp_path, 650))
    assert len(cases) == 2
    assert [len(case.jobs) for case in cases] == [200, 200]
    assert cases[0].jobs[:2] == (
        Job(0.0, 24 + 300 / 20, cases[0].jobs[0].estimate),
        Job(1.0, 25 + 301 / 20, cases[0].jobs[1].estimate),
    )
    assert {DISPATCH.trace(case) for case in cases} == {"requests.csv"}
    assert len({DISPATCH.stretch(case) for case in cases}) == 2


def test_the_farm_of_a_file_carries_the_stated_load(tmp_path):
    case = DISPATCH.read_cases(requests_file(tmp_path, 650))[0]
    work = sum(20 + i % 7 + (100 + i) / 20 for i in range(650)) / 649
    assert work / sum(case.speeds) == pytest.approx(float(case.label.split("load ")[1].split(",")[0]), abs=0.006)


def test_files_that_are_too_short_or_broken_are_refused_with_the_reason(tmp_path):
    with pytest.raises(EvolveError, match=r"requests.csv: expected at least 400 requests; got 399"):
        DISPATCH.read_cases(requests_file(tmp_path, 399))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(EvolveError, match=r"other.csv, line 1: expected the columns TIMESTAMP"):
        DISPATCH.read_cases(tmp_path / "other.csv")


def test_the_measured_set_is_there_where_the_data_is(monkeypatch, tmp_path):
    monkeypatch.delenv("EVOLVE_DATA", raising=False)
    assert set(DISPATCH.case_sets()) == {"quick"}
    (tmp_path / PUBLIC.parent).mkdir()
    requests_file(tmp_path, 450).rename(tmp_path / PUBLIC)
    monkeypatch.setenv("EVOLVE_DATA", str(tmp_path))
    assert len(DISPATCH.case_sets()["azure"]) == 1


def test_the_known_order_holds_on_measured_requests():
    if not (Path(os.environ.get("EVOLVE_DATA", "missing")) / PUBLIC).is_file():
        pytest.skip(f"EVOLVE_DATA does not name a folder with {PUBLIC}")
    cases = DISPATCH.case_sets()["azure"]
    assert len(cases) == 24
    names = ("reference", "shortest_queue", "power_of_two", "random_choice")
    logs = [sum(math.log(play(case, BASELINES[name]())["mean_slowdown"]) for case in cases) for name in names]
    assert logs == sorted(logs)


def test_metrics_do_not_depend_on_the_policy_but_on_the_schedule():
    case = farm([1.0, 1.0], (0.0, 2.0), (1.0, 1.0))
    assert metrics(case, [Served(0, 0.0, 2.0), Served(1, 1.0, 2.0)])["mean_slowdown"] == 1.0
