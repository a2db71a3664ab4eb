"""Races: where a policy is looked at, when it is stopped, and that the judge and the rule agree."""

import math
import pickle

import pytest
from test_judge import HONEST, Guess, judge_of, policy

from evolve.racing.race import Race, Stage, doubt, looks, raced
from evolve.types import Verdict

ORDER = (5, 0, 3, 1, 2, 4)


def race(**changes) -> Race:
    facts = {
        "order": ORDER,
        "stages": (Stage(2, gain=1.0, twins=True), Stage(4, gain=1.0, twins=True)),
        "parent": (1.0,) * 6,
        "known": (2.0,) * 6,
        "most": (math.inf,) * 6,
        "least": 1.0,
        "length": 100,
    }
    return Race(**{**facts, **changes})


@pytest.mark.parametrize(("cases", "ends"), [(3, ()), (4, (2,)), (8, (2, 4)), (12, (2, 4, 6)), (24, (2, 4, 8, 12))])
def test_few_cases_are_looked_at_less_often(cases, ends):
    assert looks(cases) == ends


def test_a_policy_that_has_fallen_behind_is_stopped_only_where_it_was_looked_at():
    assert "unlikely to exceed 1.0000" in race().stops({5: 0.8, 0: 0.8}, 100)
    assert race().stops({5: 0.8, 0: 0.8, 3: 0.8}, 100) == ""


def test_a_policy_that_may_still_gain_enough_goes_on():
    assert race().stops({5: 0.8, 0: 1.1}, 100) == ""
    assert race(stages=(Stage(2, gain=0.5),)).stops({5: 0.8, 0: 1.1}, 100) != ""
    assert race(stages=(Stage(2),)).stops({5: 0.1, 0: 0.1}, 100) == ""


def test_how_large_a_change_is_does_not_matter_but_how_alike_it_is_on_the_cases():
    for size in (1e-6, 0.1):
        assert race().stops({5: 1 - size, 0: 1 - 0.3 * size}, 100) != ""
        assert race().stops({5: 1 - size, 0: 1 + 0.3 * size}, 100) == ""


def test_the_doubt_is_the_standard_error_of_a_mean_of_some_of_all():
    assert doubt([0.1, -0.1], 4) == pytest.approx(0.1 * math.sqrt(1 / 2 - 1 / 4))
    assert doubt([0.1, 0.1], 4) == doubt([0.1, -0.1], 4)
    assert doubt([0.1, 0.1], 2) == 0.0


def test_a_policy_that_no_bound_lets_come_up_is_stopped_without_doubt():
    bounded = race(most=(1.1,) * 6, stages=(Stage(2),))
    assert "cannot exceed 1.0000" in bounded.stops({5: 0.5, 0: 0.5}, 100)
    assert bounded.stops({5: 0.9, 0: 0.9}, 100) == ""
    assert race(most=(1.1,) * 5 + (math.inf,), stages=(Stage(2),)).stops({0: 0.1, 3: 0.1}, 100) == ""


def test_a_policy_that_equals_its_parent_is_stopped_unless_it_is_shorter():
    same = {5: 1.0, 0: 1.0}
    assert "the same as its parent" in race(least=-math.inf).stops(same, 100)
    assert race(least=-math.inf).stops(same, 99) == ""
    assert race(least=-math.inf, stages=(Stage(2),)).stops(same, 100) == ""


def test_a_policy_that_is_the_best_on_a_case_is_never_stopped():
    assert race(known=(0.9,) * 6).stops({5: 0.1, 0: 0.95}, 100) == ""
    assert race(known=(0.95,) * 6).stops({5: 0.1, 0: 0.95}, 100) != ""


def test_a_race_travels():
    assert pickle.loads(pickle.dumps(race())) == race()


@pytest.fixture(scope="module")
def judge(sandbox):
    return judge_of(sandbox, Guess(), 6)


def test_a_stopped_policy_has_results_on_the_first_cases_only(judge):
    whole = judge.evaluate(HONEST)
    stopped = judge.evaluate(HONEST, confirm_above=0.0, race=race(least=1000.0, known=(math.inf,) * 6))
    assert stopped.verdict is Verdict.OUTRACED
    assert stopped.score is None
    assert stopped.cases == (whole.cases[0], whole.cases[5])
    assert (stopped.simulations, stopped.calls) == (2, whole.calls // 3)
    assert stopped.feedback.startswith("stopped after 2 of 6 cases at ")


def test_a_policy_that_wins_its_race_is_judged_as_without_one(judge):
    for above in (math.inf, 0.0):
        without = judge.evaluate(HONEST, confirm_above=above)
        won = judge.evaluate(HONEST, confirm_above=above, race=race(least=-math.inf))
        assert (won.verdict, won.score, won.cases, won.feedback) == (
            without.verdict,
            without.score,
            without.cases,
            without.feedback,
        )
        assert (won.calls, won.confirmed, won.simulations) == (without.calls, without.confirmed, without.simulations)


def test_simulations_are_the_cases_that_were_begun(judge):
    assert judge.evaluate(HONEST).simulations == 6
    assert judge.evaluate(HONEST, confirm_above=0.0).simulations == 12
    assert judge.evaluate(policy("return -1")).simulations == 4


def test_a_policy_that_fails_in_a_race_has_failed(judge):
    assert judge.evaluate(policy("return -1"), race=race()).verdict is Verdict.INVALID


def test_the_rule_gives_of_whole_results_what_the_judge_gives(judge):
    whole = judge.evaluate(HONEST)
    for least in (0.1, 1000.0):
        against = race(least=least, known=(math.inf,) * 6)
        judged, known = judge.evaluate(HONEST, race=against), raced(against, whole, HONEST)
        assert (known is None) == (judged.verdict is Verdict.OK)
        if known is not None:
            assert (known.verdict, known.cases, known.feedback, known.simulations) == (
                judged.verdict,
                judged.cases,
                judged.feedback,
                judged.simulations,
            )
