"""An elite for each baseline and its descendants."""

from collections import Counter
from random import Random

import pytest
import tiny

from evolve.archives.lineages import LEAST, REMEMBERED, Lineages


def planted(*scores):
    """An archive of one baseline for each score."""
    archive = Lineages()
    for number, score in enumerate(scores):
        archive.add(tiny.judged(number, score, source=f"baseline {number}"))
    return archive


def test_descendants_of_a_weak_baseline_stay_although_many_others_are_better():
    archive = planted(1.0, 0.5)
    archive.add(tiny.judged(2, 0.6, parents=(1,)))
    for number in range(3, 200):
        archive.add(tiny.judged(number, 1.0 + number / 1000, parents=(0,)))
    assert {1, 2} <= {member.number for member in archive}
    assert archive.best.number == 199


def test_each_lineage_is_built_on_about_equally_often():
    archive = planted(1.0, 0.5, 0.2)
    for number in range(3, 30):
        archive.add(tiny.judged(number, 1.0 + number / 1000, parents=(0,)))
    chosen = Counter(archive.parent(Random(draw)).number for draw in range(3000))
    assert 0.2 < chosen[1] / 3000 < 0.4
    assert 0.2 < chosen[2] / 3000 < 0.4


def test_a_grandchild_belongs_to_the_lineage_of_its_first_parent_even_if_that_parent_has_left():
    archive = planted(1.0, 0.5)
    archive.add(tiny.judged(2, None, parents=(1, 0)))  # it never stayed
    for number in range(10, 30):
        archive.add(tiny.judged(number, 0.6 + number / 1000, parents=(2,)))
    assert len(archive) == 1 + 32 // 2
    assert 0 in {member.number for member in archive}


def test_room_is_shared_among_lineages_but_each_keeps_a_few():
    archive = planted(*(1 + n / 100 for n in range(10)))
    for number in range(10, 400):
        archive.add(tiny.judged(number, 2 + number / 1000, parents=(number % 10,)))
    assert len(archive) == 10 * LEAST


def test_members_stand_best_first_and_inspire_others():
    archive = planted(1.0, 1.5, 1.2)
    assert [member.number for member in archive] == [1, 2, 0]
    assert sorted(found.number for found in archive.inspirations(archive.best, 9, Random(0))) == [0, 2]


def test_an_empty_archive_has_no_best_and_no_parent():
    archive = Lineages()
    assert archive.best is None
    assert len(archive) == 0
    with pytest.raises(LookupError, match="empty"):
        archive.parent(Random(0))


def test_a_baseline_without_a_score_begins_a_lineage_that_is_never_built_on():
    archive = planted(1.0, None)
    assert {archive.parent(Random(draw)).number for draw in range(100)} == {0}


def test_memory_does_not_grow_with_the_candidates_and_members_are_known_for_ever():
    archive = planted(1.0, 9.0)
    for number in range(2, 8000):
        archive.add(tiny.judged(number, 1.0 + number / 8000, parents=(number - 2 if number % 2 == 0 else 1,)))
    kept = [len(value) for value in vars(archive).values() if hasattr(value, "__len__")]
    assert max(kept) <= 2 * REMEMBERED + 32 + 1
    assert all(archive.idle(member) >= 0 for member in archive)
    archive.add(tiny.judged(9000, 9.5, parents=(1,)))
    assert archive.idle(archive.best) == 0
    assert len(archive) <= 32
