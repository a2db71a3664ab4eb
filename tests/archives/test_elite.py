"""The bounded elite."""

from collections import Counter
from random import Random

import pytest
import tiny

from evolve.archives.elite import Elite
from evolve.types import Candidate


def filled(*scores, capacity=32):
    elite = Elite(capacity)
    for number, score in enumerate(scores):
        elite.add(tiny.judged(number, score, source=f"policy {number}"))
    return elite


def numbers(elite):
    return [member.number for member in elite]


def test_the_best_stand_first_and_the_worst_leave():
    elite = filled(1.0, 1.4, 0.9, 1.2, 1.1, capacity=3)
    assert numbers(elite) == [1, 3, 4]
    assert len(elite) == 3
    assert elite.best.number == 1


def test_adding_says_whether_the_candidate_stays():
    elite = filled(1.0, 1.1, capacity=2)
    assert elite.add(tiny.judged(2, 1.2))
    assert not elite.add(tiny.judged(3, 0.5))
    assert not elite.add(tiny.judged(4, None))


def test_a_candidate_without_a_score_never_enters():
    assert numbers(filled(None, 1.0, None)) == [1]


def test_of_equal_behaviour_only_the_shortest_stays_and_of_equal_length_the_earliest():
    elite = Elite()
    assert elite.add(tiny.judged(0, 1.5, source="a longer policy"))
    assert not elite.add(tiny.judged(1, 1.5, source="another  policy"))
    assert elite.add(tiny.judged(2, 1.5, source="short"))
    assert numbers(elite) == [2]
    assert elite.add(tiny.judged(3, 1.6, source="a longer policy"))
    assert numbers(elite) == [3, 2]


def test_equal_scores_of_another_behaviour_both_stay_the_earliest_first():
    one, other = tiny.judged(5, 1.0), Candidate(4, tiny.judged(0).proposal, tiny.evaluation(1.0, cases=3))
    elite = Elite()
    assert elite.add(one)
    assert elite.add(other)
    assert numbers(elite) == [4, 5]


def test_a_behaviour_that_left_may_come_back():
    elite = filled(1.0, 1.1, capacity=1)
    assert numbers(elite) == [1]
    assert not elite.add(tiny.judged(2, 1.0))
    assert elite.add(tiny.judged(3, 1.2))


def test_good_members_are_built_on_more_often_and_much_used_ones_less():
    elite = filled(*(1 + n / 10 for n in range(8)))
    chosen = Counter(elite.parent(Random(draw)).number for draw in range(2000))
    assert chosen[7] > chosen[3] > chosen[0] > 0
    for number in range(100, 120):
        elite.add(tiny.judged(number, None, parents=(7,)))
    later = Counter(elite.parent(Random(draw)).number for draw in range(2000))
    assert later[7] < chosen[7] / 2


def test_inspirations_are_other_members_each_once():
    elite = filled(1.0, 1.1, 1.2)
    found = elite.inspirations(elite.best, 10, Random(0))
    assert sorted(member.number for member in found) == [0, 1]
    assert len(elite.inspirations(elite.best, 1, Random(0))) == 1


def test_the_same_seed_chooses_the_same_parent():
    elite = filled(1.0, 1.1, 1.2)
    assert [elite.parent(Random(9)) for _ in range(5)] == [elite.parent(Random(9))] * 5


def test_an_empty_archive_has_no_best_and_no_parent():
    elite = Elite()
    assert elite.best is None
    assert list(elite) == []
    with pytest.raises(LookupError, match="empty"):
        elite.parent(Random(0))


def test_an_archive_that_can_hold_nothing_is_refused():
    with pytest.raises(ValueError, match="capacity=0"):
        Elite(0)
