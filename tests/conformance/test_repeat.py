"""What comes out otherwise the second time is found, with its cause."""

from conformance.problems import PLAN, QUEUE, SMITH

from evolve.conformance.finding import Status, fine
from evolve.conformance.repeat import check_noise, check_order, check_process, check_simulator


def simulated(subject, start, *more):
    (finding,) = check_simulator(
        subject(QUEUE, ("        now, delay, waiting", f"        {start}\n        now, delay, waiting"), *more)
    )
    return finding


def test_an_honest_simulator_comes_to_the_same_again(subject):
    for source in (QUEUE, PLAN):
        (finding,) = check_simulator(subject(source))
        assert finding.status is Status.OK


def test_random_numbers_without_a_seed_are_found(subject):
    finding = simulated(subject, "noise = random.random()", ('{"delay": delay', '{"delay": noise + delay'))
    assert finding.status is Status.FIX
    assert "came to another result when played again: delay " in finding.found
    assert "draw random numbers only from a generator" in finding.todo


def test_a_clock_in_the_simulator_is_found_and_named(subject):
    clock = "import time; noise = time.monotonic_ns()"
    finding = simulated(subject, clock, ('{"delay": delay', '{"delay": noise + delay'))
    assert finding.status is Status.FIX
    assert "look at no clock" in finding.todo


def test_state_on_the_problem_object_is_found_and_named(subject):
    kept = "self.played = getattr(self, 'played', 0) + 1"
    finding = simulated(subject, kept, ('{"delay": delay', '{"delay": self.played + delay'))
    assert finding.status is Status.FIX
    assert "keep nothing on the problem object" in finding.todo


def test_state_in_module_globals_is_found(subject):
    kept = "random.played = getattr(random, 'played', 0) + 1"
    finding = simulated(subject, kept, ('{"delay": delay', '{"delay": random.played + delay'))
    assert finding.status is Status.FIX
    assert "keep nothing in module globals" in finding.todo


def test_other_questions_are_another_result_too(subject):
    finding = simulated(subject, "noise = random.random()", ('"serve", waiting, now', '"serve", waiting, now + noise'))
    assert finding.status is Status.FIX
    assert "call 1 asks otherwise" in finding.found


def test_a_simulator_that_uses_up_its_case_is_found(subject):
    finding = simulated(subject, "case.pop()")
    assert finding.status is Status.FIX
    assert "it changes its case" in finding.todo


def test_a_case_that_is_changed_without_effect_is_to_be_looked_at(subject):
    finding = simulated(
        subject, "case[:] = [tuple([*job]) if random else job for job in case]; case[0] = list(case[0])"
    )
    assert finding.status is Status.LOOK
    assert "changes the case itself" in finding.found


def test_honest_baselines_reach_the_same_alone_and_elsewhere(subject):
    honest = subject(PLAN, seeds=[("smith", SMITH)])
    for check, how in ((check_order, "with each case alone, last case first"), (check_process, "in another sandbox")):
        assert check(honest) == [fine(f"2 baselines reached the same metrics {how}")]


def test_a_baseline_that_remembers_earlier_cases_is_found(subject):
    remembers = (
        "import math\n\ndef order(jobs):\n    math.seen = getattr(math, 'seen', 0) + 1\n"
        "    return list(range(len(jobs)))[:: 1 if math.seen == 1 else -1]\n"
    )
    (finding,) = check_order(subject(PLAN, seeds=[("remembers", remembers)]))
    assert finding.status is Status.FIX
    assert finding.found.startswith("remembers did not reach the same with each case alone, last case first: delay ")


def test_a_baseline_that_throws_dice_is_found(subject):
    dice = (
        "import random\n\ndef order(jobs):\n"
        "    return random.Random(id(jobs)).sample(range(len(jobs)), len(jobs))  # where memory happens to be\n"
    )
    (finding,) = check_process(subject(PLAN, seeds=[("dice", dice)]))
    assert finding.status is Status.FIX
    assert finding.found.startswith("dice did not reach the same in another sandbox")


def test_a_simulator_that_keeps_state_between_cases_is_found_by_judging_them_alone(subject):
    kept = (
        "        now, delay, waiting",
        "        random.played = getattr(random, 'played', 0) + 1\n        now, delay, waiting",
    )
    (finding,) = check_order(subject(QUEUE, kept, ('{"delay": delay', '{"delay": random.played + delay')))
    assert finding.status is Status.FIX


CLOCKED = [  # a metric that is read anew each time
    ('{"delay": delay', '{"seconds": random.random(), "delay": delay'),
    ("    limits =", '    measured = ("seconds",)\n    limits ='),
]


def test_what_is_measured_need_not_come_out_the_same_and_all_else_must(subject):
    measured = subject(QUEUE, *CLOCKED)
    for check in (check_simulator, check_order, check_process):
        (finding,) = check(measured)
        assert finding.status is Status.OK, finding
    (finding,) = check_simulator(subject(QUEUE, *CLOCKED, ("len(case)}", "len(case) + random.random()}")))
    assert finding.status is Status.FIX
    assert "came to another result when played again: delay " in finding.found
    (finding,) = check_process(subject(QUEUE, *CLOCKED, ("len(case)}", "len(case) + random.random()}")))
    assert finding.status is Status.FIX


def test_how_far_a_measured_objective_spreads_is_said(subject):
    counts = [*CLOCKED, ('objective, direction = "delay"', 'objective, direction = "seconds"')]
    (finding,) = check_noise(subject(QUEUE, *counts))
    assert finding.found.startswith("the reference, judged 5 times, scored ")
    assert finding.status is Status.LOOK
    assert check_noise(subject(QUEUE, *CLOCKED)) == []
