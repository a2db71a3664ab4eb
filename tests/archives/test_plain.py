"""The archives of plain searches."""

from collections import Counter
from random import Random

import pytest
from tiny import judged

from evolve.archives.plain import Latest, Reservoir, Starts

RNG = Random(0)


@pytest.mark.parametrize("kind", [Starts, Latest, Reservoir])
def test_an_archive_whose_candidates_all_failed_has_no_parent_and_no_best(kind):
    archive = kind()
    assert not archive.add(judged(0, None))
    assert archive.best is None
    assert len(archive) == 0
    with pytest.raises(LookupError):
        archive.parent(RNG)


@pytest.mark.parametrize("kind", [Starts, Latest, Reservoir])
def test_the_best_of_all_is_known_and_how_long_it_stands(kind):
    archive = kind()
    for number, score in enumerate([1.0, 2.0, 1.5, None, 2.0]):
        archive.add(judged(number, score, parents=(0,) if number else ()))
    assert archive.best.number == 1
    assert archive.idle(archive.best) == 3


def test_best_of_n_builds_on_the_best_baseline_alone():
    archive = Starts()
    for number, score in enumerate([1.0, 1.5, 1.5]):
        assert archive.add(judged(number, score))
    assert not archive.add(judged(3, 9.0, parents=(1,)))
    assert {archive.parent(RNG).number for _ in range(20)} == {1}
    assert archive.best.number == 3


def test_sequential_refinement_builds_on_the_best_and_of_equals_on_the_latest():
    archive = Latest()
    for number, score in enumerate([1.0, 1.5, 1.2, 1.5, 1.4]):
        archive.add(judged(number, score, parents=(0,) if number > 1 else ()))
    assert archive.parent(RNG).number == 3
    assert archive.best.number == 1
    archive.add(judged(5, 1.6, parents=(3,)))
    assert archive.parent(RNG).number == 5
    assert [member.number for member in archive] == [0, 1, 5]


def test_a_reservoir_holds_no_more_than_its_capacity_and_each_candidate_as_likely():
    held = Counter()
    for start in range(0, 40_000, 200):
        archive = Reservoir(20)
        for number in range(start, start + 200):
            archive.add(judged(number))
        assert len(archive) == 20
        held.update((member.number - start) // 50 for member in archive)
    assert all(850 < held[quarter] < 1150 for quarter in range(4))  # 1000 expected, deviation 26


def test_two_reservoirs_that_were_told_the_same_offer_the_same():
    one, other = Reservoir(10), Reservoir(10)
    for number in range(300):
        one.add(judged(number))
        other.add(judged(number))
    assert [member.number for member in one] == [member.number for member in other]
