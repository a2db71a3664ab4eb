"""The grid of niches."""

import math
from random import Random

import pytest
import tiny

from evolve.archives.elite import standing
from evolve.archives.grid import Grid, niche
from evolve.types import Candidate, CaseResult, Evaluation, Verdict


def length(candidate):
    return (len(candidate.proposal.source),)


def sized(number, score, size):
    return tiny.judged(number, score, source="x" * size)


def numbers(grid):
    return [member.number for member in grid]


def behaving(*metrics):
    results = tuple(CaseResult(str(i), 1.0, metric) for i, metric in enumerate(metrics))
    return Candidate(0, tiny.judged(0).proposal, Evaluation(Verdict.OK, 1.0, results))


def test_the_worst_of_the_most_crowded_niche_makes_room():
    grid = Grid(3, length)
    for number, (score, size) in enumerate([(1.0, 1), (1.1, 1), (0.5, 2)]):
        assert grid.add(sized(number, score, size))
    assert grid.add(sized(3, 1.2, 1))
    assert numbers(grid) == [3, 1, 2]


def test_of_niches_that_are_equally_crowded_the_worst_member_leaves():
    grid = Grid(2, length)
    for number, score in enumerate([1.0, 0.5, 0.7]):
        grid.add(sized(number, score, number + 1))
    assert numbers(grid) == [0, 2]


def test_what_scores_no_more_than_the_least_is_never_taken_and_the_least_never_falls():
    grid, rng, least = Grid(8, length), Random(1), -math.inf
    for number in range(2000):
        candidate = sized(number, rng.random(), rng.randrange(1, 6))
        before = grid.least
        assert not (grid.add(candidate) and candidate.score <= before)
        assert grid.least >= least
        least = grid.least
    assert len(grid) == 8


def test_the_best_of_all_is_always_a_member():
    for seed in range(20):
        grid, rng = Grid(1 + seed % 4, length), Random(seed)
        added = [sized(number, rng.random(), rng.randrange(1, 4)) for number in range(60)]
        for candidate in added:
            grid.add(candidate)
        assert next(iter(grid)) == min(added, key=standing)


def test_a_candidate_is_a_member_once():
    grid = Grid(4, length)
    assert grid.add(sized(0, 1.0, 1))
    assert not grid.add(sized(0, 1.0, 1))
    assert len(grid) == 1


def test_a_grid_that_shrinks_keeps_the_best_of_each_niche():
    grid = Grid(4, length)
    for number, (score, size) in enumerate([(1.0, 1), (0.9, 1), (0.8, 1), (0.1, 2)]):
        grid.add(sized(number, score, size))
    grid.resize(2)
    assert numbers(grid) == [0, 3]
    assert grid.least == 0.1


def test_a_replacement_takes_the_place_in_a_niche_of_its_own_length():
    grid = Grid(2, length)
    old = sized(0, 1.0, 4)
    grid.add(old)
    grid.replace(old, sized(1, 1.0, 2))
    grid.replace(old, sized(2, 1.0, 1))
    assert numbers(grid) == [1]


def test_policies_of_like_length_share_a_niche():
    def of(size):
        return niche(sized(0, 1.0, size), lambda _: {})

    assert of(1000) == of(1040)
    assert of(1000) != of(2000)


def test_behaviour_is_the_mean_over_the_cases_in_a_few_steps():
    def of(*spent):
        return niche(behaving(*({"idle": value} for value in spent)), lambda metrics: {"idle": metrics["idle"]})[1:]

    assert of(0.0, 0.2) == of(0.1, 0.1) == (0,)
    assert of(0.0, 1.0) == (2,)
    assert of(1.0, 1.0) == of(7.0, math.inf) == (3,)
    assert of(-3.0, 0.0) == of(math.nan, math.nan) == (0,)


def test_numbers_that_describe_behaviour_stand_in_the_order_of_their_names():
    one = niche(behaving({}), lambda _: {"a": 0.0, "b": 1.0})
    assert one == niche(behaving({}), lambda _: {"b": 1.0, "a": 0.0})
    assert one[1:] == (0, 3)


def test_a_grid_that_can_hold_nothing_is_refused():
    with pytest.raises(ValueError, match="capacity=0"):
        Grid(0, length)


def test_a_score_equal_to_the_least_is_not_enough_in_an_empty_niche_either():
    grid = Grid(2, length)
    for number, size in enumerate((1, 1)):
        grid.add(sized(number, 1.0, size))
    assert not grid.add(sized(2, 1.0, 9))
    assert numbers(grid) == [0, 1]
