"""What a run may use."""

import re
import threading
import time

import pytest
import tiny

from evolve.budget import LONGEST_STEP_SECONDS, Budget, Limit
from evolve.types import NO_USAGE, EvolveError, Miss, Outcome, Usage

MOST = Usage(1000, 0, 200, 0.05)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def miss(number, usage=NO_USAGE):
    return Miss(number, Outcome.EMPTY, "nothing", "llm", usage=usage)


def judged(number, score=1.0, usage=NO_USAGE):
    return tiny.judged(number, score, usage=usage)


def begun(budget, until=10**6):
    """Begins as many turns as the budget affords and returns how many that were."""
    number = 0
    while budget.affords() and number < until:
        budget.begin(number, budget.most)
        number += 1
    return number


def test_200_evaluations_mean_200_with_those_under_way():
    assert begun(Budget(Limit(evaluations=200), Clock())) == 200


def test_a_turn_without_a_policy_is_no_evaluation():
    budget = Budget(Limit(evaluations=3), Clock())
    assert begun(budget) == 3
    budget.end(judged(0))
    assert not budget.affords()
    budget.end(miss(1))
    assert budget.affords()


def test_dollars_under_way_count_with_the_most_they_can_come_to():
    budget = Budget(Limit(dollars=1.0), Clock(), most=MOST)
    assert begun(budget) == 20
    for number in range(20):
        budget.end(judged(number, usage=Usage(800, 0, 100, 0.01)))
    assert budget.usage == Usage(16_000, 0, 2_000, pytest.approx(0.2))
    budget.begin(20, MOST)
    assert begun(budget) == 15


def test_whatever_answers_cost_up_to_the_most_the_limit_is_never_passed():
    budget = Budget(Limit(dollars=1.0), Clock(), most=MOST)
    number = told = 0
    while budget.affords() or told < number:
        if budget.affords():
            budget.begin(number, MOST)
            number += 1
        else:
            budget.end(miss(told, Usage(1000, 0, 200, 0.05 if told % 3 else 0.031)))
            told += 1
        assert budget.usage.dollars <= 1.0 + 1e-9
    assert 0.95 < budget.usage.dollars <= 1.0 + 1e-9


def test_tokens_read_and_written_are_kept_alike():
    assert begun(Budget(Limit(tokens=6000), Clock(), most=MOST)) == 5


def test_what_earlier_sittings_lost_counts():
    budget = Budget(Limit(dollars=1.0), Clock(), most=MOST, lost=Usage(0, 0, 0, 0.9))
    assert begun(budget) == 2


def test_a_budget_in_dollars_affords_nothing_of_unknown_price():
    assert not Budget(Limit(dollars=1.0), Clock(), most=Usage(1, 0, 1, None)).affords()
    assert Budget(Limit(tokens=10), Clock(), most=Usage(1, 0, 1, None)).affords()


def test_a_score_on_train_ends_the_search():
    budget = Budget(Limit(score=1.2), Clock())
    for number, score in enumerate((1.1, None, 1.19)):
        budget.begin(number, NO_USAGE)
        budget.end(judged(number, score))
        assert budget.affords()
    budget.begin(3, NO_USAGE)
    budget.end(judged(3, 1.2))
    assert not budget.affords()


def test_seconds_are_kept_against_the_clock_that_was_passed_in():
    clock = Clock()
    budget = Budget(Limit(seconds=60), clock)
    assert budget.affords()
    clock.now += 59
    assert (budget.affords(), budget.seconds_to_go) == (True, 1)
    clock.now += 1
    assert (budget.affords(), budget.seconds_to_go) == (False, 0)


def test_seconds_used_before_an_interruption_count():
    clock = Clock()
    budget = Budget(Limit(seconds=60), clock, used_seconds=50)
    clock.now += 9
    assert budget.seconds == 59
    assert budget.affords()
    clock.now += 2
    assert not budget.affords()


def test_whichever_limit_is_reached_first_ends_the_search():
    clock = Clock()
    assert begun(Budget(Limit(evaluations=5, seconds=60, tokens=6000), clock, most=MOST)) == 5
    assert begun(Budget(Limit(evaluations=50, seconds=60, tokens=3000), clock, most=MOST)) == 2
    late = Budget(Limit(evaluations=5, seconds=60), clock)
    clock.now += 60
    assert not late.affords()


def test_the_time_left_is_the_nearest_of_all_limits_and_unknown_where_there_is_nothing_to_go_by():
    clock = Clock()
    budget = Budget(Limit(evaluations=100, seconds=60, dollars=10), clock)
    assert budget.seconds_left() == 60
    clock.now += 10
    for number in range(50):
        budget.begin(number, NO_USAGE)
        budget.end(judged(number))
    assert budget.seconds_left() == 10  # 50 more at 5 a second
    budget.begin(50, NO_USAGE)
    budget.end(miss(50, Usage(0, 0, 0, 8.0)))
    assert budget.seconds_left() == 2.5  # 2 dollars more at 0.8 a second
    assert Budget(Limit(evaluations=100), clock).seconds_left() is None
    assert Budget(Limit(), clock).seconds_left() is None


@pytest.mark.parametrize("name", ["evaluations", "seconds", "dollars", "tokens", "score"])
def test_a_budget_of_nothing_is_refused(name):
    with pytest.raises(EvolveError, match=f"must be positive; got {name}=0"):
        Limit(**{name: 0})


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        (Limit(evaluations=2), "2 evaluations"),
        (Limit(tokens=2500), "2500 of 2500 tokens are left, and a question can use 1200"),
        (Limit(dollars=0.12), r"\$0.1200 of \$0.12 are left, and a question can cost \$0.0500"),
    ],
)
def test_it_says_which_limit_ends_the_search(limit, why):
    budget = Budget(limit, Clock(), most=MOST)
    assert budget.spent == ""
    begun(budget)
    assert re.match(why, budget.spent)


def test_a_clock_that_goes_back_neither_gives_time_back_nor_takes_any():
    clock = Clock()
    budget = Budget(Limit(seconds=60), clock)
    clock.now += 20
    assert budget.seconds == 20
    clock.now -= 5000
    assert (budget.seconds, budget.affords()) == (20, True)
    clock.now += 39
    assert (budget.seconds, budget.affords()) == (59, True)
    clock.now += 1
    assert not budget.affords()


def test_a_clock_that_leaps_ahead_costs_ten_minutes_at_most():
    clock = Clock()
    budget = Budget(Limit(seconds=3600), clock)
    clock.now += 100
    assert budget.seconds == 100
    clock.now += 10**9
    assert (budget.seconds, budget.affords()) == (100 + LONGEST_STEP_SECONDS, True)


def test_seconds_of_a_pause_do_not_count_whatever_the_clock_does_meanwhile():
    clock = Clock()
    budget = Budget(Limit(seconds=60), clock)
    clock.now += 10
    with budget.stopped():
        for step in (5000, -9000, 20):
            clock.now += step
            assert (budget.seconds, budget.seconds_to_go) == (10, 50)
    clock.now += 5
    assert budget.seconds == 15


def test_a_pause_that_is_broken_off_is_over():
    clock = Clock()
    budget = Budget(Limit(seconds=60), clock)
    with pytest.raises(KeyboardInterrupt), budget.stopped():
        clock.now += 10
        raise KeyboardInterrupt
    clock.now += 5
    assert budget.seconds == 5


def test_threads_that_look_at_the_same_time_count_no_second_twice():
    ticks = iter(range(10**6))

    def clock():
        now = next(ticks)
        time.sleep(0)  # lets another thread look before this one has added what it saw
        return float(now)

    budget = Budget(Limit(seconds=10**6), clock)
    looking = [threading.Thread(target=lambda: [budget.seconds for _ in range(500)]) for _ in range(4)]
    for thread in looking:
        thread.start()
    for thread in looking:
        thread.join()
    assert budget.seconds == 2001 == next(ticks) - 1
