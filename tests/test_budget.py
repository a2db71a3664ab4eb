"""What a run may use."""

import pytest

from evolve.budget import Budget, Limit
from evolve.types import EvolveError


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_200_evaluations_mean_200():
    budget = Budget(Limit(evaluations=200), Clock())
    assert [n for n in range(300) if budget.allows(n)] == list(range(200))


def test_seconds_are_kept_against_the_clock_that_was_passed_in():
    clock = Clock()
    budget = Budget(Limit(seconds=60), clock)
    assert budget.allows(10**9)
    clock.now += 59
    assert budget.allows(0)
    clock.now += 1
    assert not budget.allows(0)


def test_seconds_used_before_an_interruption_count():
    clock = Clock()
    budget = Budget(Limit(seconds=60), clock, used_seconds=50)
    clock.now += 9
    assert budget.seconds == 59
    assert budget.allows(0)
    clock.now += 2
    assert not budget.allows(0)


def test_whichever_limit_is_reached_first_ends_the_search():
    clock = Clock()
    budget = Budget(Limit(evaluations=5, seconds=60), clock)
    assert budget.allows(4)
    assert not budget.allows(5)
    clock.now += 60
    assert not budget.allows(4)


def test_the_time_left_is_the_nearer_of_both_limits_and_unknown_where_there_is_nothing_to_go_by():
    clock = Clock()
    budget = Budget(Limit(evaluations=100, seconds=60), clock)
    assert budget.seconds_left(0) == 60
    clock.now += 10
    assert budget.seconds_left(50) == 10  # 50 more at 5 a second
    assert budget.seconds_left(1) == 50
    assert budget.seconds_left(100) == 0
    assert Budget(Limit(evaluations=100), clock).seconds_left(0) is None
    assert Budget(Limit(), clock).seconds_left(3) is None


@pytest.mark.parametrize("limit", [{"evaluations": 0}, {"seconds": -1.0}, {"seconds": float("nan")}])
def test_a_budget_that_is_not_positive_is_refused(limit):
    with pytest.raises(EvolveError, match="must be positive"):
        Limit(**limit)
