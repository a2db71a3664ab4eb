"""The winners of cases."""

from random import Random

import pytest
import tiny

from evolve.archives.pareto import CASES, Front
from evolve.statistics import geometric_mean
from evolve.types import Candidate, CaseResult, Evaluation, Verdict


def on(number, *ratios):
    """Returns a candidate with these ratios."""
    results = tuple(CaseResult(str(case), ratio, {}) for case, ratio in enumerate(ratios))
    return Candidate(number, tiny.judged(0).proposal, Evaluation(Verdict.OK, geometric_mean(ratios), results))


def front(*candidates):
    made = Front()
    for candidate in candidates:
        made.add(candidate)
    return made


def numbers(members):
    return [member.number for member in members]


def test_who_is_best_on_a_case_stays_however_it_does_on_the_others():
    made = front(on(0, 1.0, 1.0, 1.0))
    assert made.add(on(1, 0.1, 0.1, 1.1))
    assert not made.add(on(2, 0.9, 0.9, 1.05))
    assert numbers(made) == [0, 1]


def test_who_wins_no_case_any_more_leaves():
    assert numbers(front(on(0, 1.0, 1.0), on(1, 1.2, 0.5), on(2, 1.3, 1.3))) == [2]


def test_of_equal_ratios_the_higher_score_wins_and_then_the_earlier():
    assert numbers(front(on(0, 1.0, 0.5), on(1, 1.0, 0.4))) == [0]
    assert numbers(front(on(0, 1.0, 0.5), on(1, 1.0, 0.6))) == [1]
    assert numbers(front(on(0, 1.0, 0.5), on(1, 1.0, 0.5))) == [0]


def test_those_ahead_of_a_parent_are_the_winners_of_its_weak_cases_once_for_each():
    parent, special = on(0, 1.0, 1.0, 1.0), on(1, 0.5, 1.1, 1.2)
    assert numbers(front(parent, special).ahead(parent)) == [1, 1]
    assert numbers(front(parent, special).ahead(special)) == [0]


def test_who_wins_more_cases_is_drawn_more_often():
    made = front(on(0, 1.0, 1.0, 1.0, 1.0), on(1, 0.5, 1.1, 1.1, 1.1))
    drawn = [made.drawn(Random(draw)).number for draw in range(400)]
    assert 0.65 < drawn.count(1) / 400 < 0.85


def test_a_shorter_twin_takes_over_all_cases():
    old = on(0, 1.0, 1.0)
    made = front(old, on(1, 1.1, 0.1))
    made.replace(old, on(2, 1.0, 1.0))
    assert numbers(made) == [1, 2]


def test_of_many_cases_some_are_left_out_evenly():
    made = Front()
    for case in range(200):
        made.add(on(case, *(2.0 if case == other else 1.0 for other in range(200))))
    assert CASES / 2 < len(made) <= CASES


def test_an_empty_front_has_nobody_to_offer():
    made = Front()
    assert list(made) == []
    assert len(made) == 0
    with pytest.raises(LookupError, match="empty"):
        made.drawn(Random(0))
