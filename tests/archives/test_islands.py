"""Islands of niches and winners of cases."""

import math
from collections import Counter
from random import Random

import pytest
import tiny

from evolve.archives.islands import LEAD, LEAST, LEAST_LEAD, MOST, PATIENCE, REMEMBERED, WITHIN, YIELDING, Islands, Part
from evolve.statistics import geometric_mean
from evolve.types import Candidate, CaseResult, Evaluation, Proposal, Verdict


def on(number, *ratios, parents=(), size=100, verdict=Verdict.OK):
    """Returns a candidate with these ratios, and a score if it is OK."""
    results = tuple(CaseResult(str(case), ratio, {}) for case, ratio in enumerate(ratios))
    score = geometric_mean(ratios) if verdict is Verdict.OK else None
    return Candidate(number, Proposal("x" * size, "mutate", "", parents), Evaluation(verdict, score, results))


def islands(capacity=32, **switches):
    """An archive with all parts but those that are switched off."""
    return Islands(capacity=capacity, parts=[part for part in Part if switches.get(part, True)])


def planted(*scores, lead=False, **switches):
    """An archive of one baseline for each score; it does not build mostly on the best."""
    archive = islands(lead=lead, **switches)
    for number, score in enumerate(scores):
        archive.add(tiny.judged(number, score, source=f"baseline {number}"))
    return archive


def numbers(archive):
    return [member.number for member in archive]


def fail(archive, parent, numbers):
    for number in numbers:
        archive.add(tiny.judged(number, None, parents=(parent,)))


def searched(seed, count, **switches):
    """Plays a search, and returns its archive, which candidates were built on, and checks what it promises."""
    archive, rng, built_on = islands(**switches), Random(seed), []
    for number in range(count):
        parent = archive.parent(rng) if number >= 5 else None
        parents = () if parent is None else (parent.number,)
        verdict = Verdict.CRASHED if number >= 5 and rng.random() < 0.2 else Verdict.OK
        ratios = [0.5 + number / count + rng.random() / 4 for _ in range(6)]
        candidate = on(number, *ratios, parents=parents, size=rng.randrange(50, 500), verdict=verdict)
        least, best = archive.least(parents), archive.best
        won = best is not None and any(
            all(ratio > member.evaluation.cases[case].ratio for member in archive) for case, ratio in enumerate(ratios)
        )
        stays = archive.add(candidate)
        assert stays == (number in numbers(archive))
        if verdict is not Verdict.OK:
            assert not stays
        elif best is not None and candidate.score > best.score:
            assert stays
            assert archive.best == candidate
        elif won and switches.get("pareto", True):
            assert stays
        elif not switches.get("pareto", True) and candidate.score <= least:
            assert not stays
        built_on.append(parents)
    return archive, built_on


@pytest.mark.parametrize("off", ["nothing", "islands", "niches", "pareto", "migration", "sparing"])
def test_the_best_and_winners_of_cases_are_taken_and_nobody_at_or_below_the_least_for_its_score(off):
    for seed in range(3):
        searched(seed, 300, **({} if off == "nothing" else {off: False}))


def test_the_same_is_built_on_when_the_same_is_told():
    assert searched(7, 400)[1] == searched(7, 400)[1]
    assert searched(7, 400)[1] != searched(8, 400)[1]


def test_memory_does_not_grow_with_the_candidates():
    archive, rng = Islands(), Random(3)
    for number in range(20_000):
        parents = (archive.parent(rng).number,) if number >= 12 else ()
        archive.add(on(number, *(number / 20_000 + rng.random() for _ in range(4)), parents=parents, size=50))
    assert len(archive) <= max(32, MOST * LEAST) + 4 * MOST
    kept = [len(value) for value in vars(archive).values() if hasattr(value, "__len__")]
    assert max(kept) <= REMEMBERED


def test_descendants_of_a_weak_baseline_stay_while_they_become_better():
    archive = planted(1.0, 0.5)
    for number in range(2, 100, 2):
        archive.add(tiny.judged(number, 0.5 + number / 1000, parents=(number - 2 if number > 2 else 1,)))
        archive.add(tiny.judged(number + 1, 1.0 + number / 1000, parents=(0,)))
    assert {98, 99} <= set(numbers(archive))


def test_an_island_that_does_not_become_better_retires_unless_it_leads():
    archive = planted(1.0, 0.5, 0.6, 0.7, migration=False)
    fail(archive, 1, range(10, 10 + PATIENCE - 1))
    assert 1 in numbers(archive)
    fail(archive, 1, [50])
    assert 1 not in numbers(archive)
    fail(archive, 0, range(100, 100 + 3 * PATIENCE))
    assert 0 in numbers(archive)


def test_progress_in_time_keeps_an_island():
    archive = planted(1.0, 0.5, 0.6, 0.7, migration=False)
    fail(archive, 1, range(10, 10 + PATIENCE - 1))
    archive.add(tiny.judged(40, 0.55, parents=(1,)))
    fail(archive, 40, range(50, 50 + PATIENCE - 1))
    assert {1, 40} <= set(numbers(archive))


def test_what_a_retired_island_leaves_goes_to_the_others():
    archive = planted(1.0, 0.5, 0.6, 0.7, 0.8, pareto=False, migration=False, niches=False)
    for number in range(10, 30):
        archive.add(tiny.judged(number, 1.0 + number / 1000, parents=(0,)))
    assert len(archive) == 4 + LEAST
    fail(archive, 1, range(100, 100 + PATIENCE))
    fail(archive, 2, range(200, 200 + PATIENCE))
    for number in range(300, 330):
        archive.add(tiny.judged(number, 2.0 + number / 1000, parents=(0,)))
    assert len(archive) == 2 + 32 // 3


def test_where_few_islands_are_left_one_begins_with_the_member_that_behaves_least_like_the_best():
    archive = islands(lead=False, migration=False)
    for candidate in (on(0, 2.0, 2.0), on(1, 0.5, 0.5), on(2, 0.6, 0.6)):
        archive.add(candidate)
    for number, ratios in ((3, (1.9, 2.0)), (4, (0.9, 3.0)), (5, (1.8, 2.0))):
        archive.add(on(number, *ratios, parents=(0,)))
    fail(archive, 1, range(10, 10 + PATIENCE))
    assert 1 not in numbers(archive)
    chosen = Counter(archive.parent(Random(draw)).number for draw in range(2000))
    assert chosen[4] > 2000 * 0.8 / 3


def test_an_island_that_stands_still_takes_in_the_best_of_another():
    trading, apart = planted(1.0, 0.5), planted(1.0, 0.5, migration=False)
    for archive in (trading, apart):
        fail(archive, 1, range(10, 10 + PATIENCE // 2))
    shares = [sum(archive.parent(Random(draw)).number == 0 for draw in range(1000)) for archive in (trading, apart)]
    assert shares[0] > shares[1] + 100


def test_a_child_of_a_migrant_belongs_to_one_of_its_islands_by_its_own_number():
    archive = planted(1.0, 0.5)
    fail(archive, 1, range(10, 10 + PATIENCE // 2))
    archive.add(tiny.judged(20, 0.9, parents=(0,)))
    archive.add(tiny.judged(21, 0.8, parents=(0,)))
    fail(archive, 1, range(100, 100 + PATIENCE))
    assert {20, 21} & set(numbers(archive)) == {20}


def test_without_islands_all_compete_with_each_other():
    archive = planted(1.0, 0.5, islands=False, niches=False, pareto=False)
    for number in range(2, 60):
        archive.add(tiny.judged(number, 1.0 + number / 1000, parents=(0,)))
    assert 1 not in numbers(archive)
    assert len(archive) == 32


def test_without_niches_only_the_score_counts():
    def kept(**switches):
        archive = islands(capacity=3, lead=False, islands=False, pareto=False, **switches)
        for number, size in enumerate((5000, 100, 100, 100)):
            archive.add(on(number, 1.0 + number / 100, size=size, parents=(0,) if number else ()))
        archive.add(on(9, 0.9 + 0.2, size=100, parents=(0,)))
        return set(numbers(archive))

    assert kept() == {9, 3, 0}
    assert kept(niches=False) == {9, 3, 2}


def test_without_a_front_the_winner_of_a_case_needs_a_score():
    def kept(**switches):
        archive = islands(capacity=2, lead=False, islands=False, **switches)
        for candidate in (on(0, 1.0, 1.0), on(1, 1.1, 1.0, parents=(0,)), on(2, 0.1, 1.2, parents=(0,))):
            archive.add(candidate)
        return numbers(archive)

    assert kept() == [1, 0, 2]
    assert kept(pareto=False) == [1, 0]


def test_a_winner_of_a_case_is_built_on_although_it_scores_little():
    def share(**switches):
        archive = islands(lead=False, islands=False, **switches)
        archive.add(on(0, 1.0, 1.0))
        for number in range(1, 40):
            archive.add(on(number, 1.0 + number / 100, 1.0, parents=(0,)))
        archive.add(on(99, 0.1, 1.2, parents=(0,)))
        return sum(archive.parent(Random(draw)).number == 99 for draw in range(1000)) / 1000

    assert share() > 0.08
    assert share(pareto=False) == 0


def test_what_was_built_on_often_is_built_on_less_unless_that_is_off():
    def share(**switches):
        archive = planted(*(1 + n / 10 for n in range(8)), islands=False, pareto=False, **switches)
        fail(archive, 7, range(100, 120))
        return sum(archive.parent(Random(draw)).number == 7 for draw in range(1000)) / 1000

    assert share() < share(sparing=False) / 2


def test_of_equal_behaviour_only_the_shortest_stays_on_whatever_island():
    archive = Islands()
    archive.add(on(0, 1.0, 1.2, size=90))
    archive.add(on(1, 0.9, 0.9, size=80))
    assert not archive.add(on(2, 1.0, 1.2, size=90, parents=(1,)))
    assert archive.add(on(3, 1.0, 1.2, size=70, parents=(1,)))
    assert numbers(archive) == [3, 1]
    assert not archive.add(on(4, 1.0, 1.2, size=90))
    assert numbers(archive) == [3, 1]


def test_idle_counts_the_candidates_since_an_island_became_better_whatever_became_of_them():
    archive = planted(1.0, 0.5)
    best, weak = archive.best, list(archive)[1]
    archive.add(on(2, 1.0, 2.0, parents=(0,), verdict=Verdict.OUTRACED))
    fail(archive, 0, [3])
    archive.add(tiny.judged(4, 0.9, parents=(0,)))
    assert (archive.idle(best), archive.idle(weak)) == (3, 0)
    archive.add(tiny.judged(5, 1.1, parents=(0,)))
    assert archive.idle(best) == 0
    assert archive.idle(tiny.judged(77)) == 0


def test_what_was_outraced_never_enters_and_counts_as_a_use_of_its_parent():
    def share(outraced):
        archive = planted(1.0, 0.9, islands=False, pareto=False)
        for number in range(2, 2 + outraced):
            assert not archive.add(on(number, 9.0, parents=(0,), verdict=Verdict.OUTRACED))
        return sum(archive.parent(Random(draw)).number == 0 for draw in range(1000)) / 1000

    assert share(20) < share(0)


def test_while_an_island_has_room_everyone_is_taken():
    archive = planted(1.0, 0.5)
    assert archive.least((0,)) == archive.least(()) == archive.least((99,)) == -math.inf
    for number in range(2, 20):
        archive.add(tiny.judged(number, 1.0 + number / 100, parents=(0,)))
    assert archive.least((0,)) == archive.least((19,)) >= 1.0
    assert archive.least((1,)) == -math.inf


def test_a_child_of_a_failed_candidate_belongs_to_the_island_of_that_one():
    archive = planted(1.0, 0.5, niches=False, pareto=False)
    fail(archive, 1, [2])
    for number in range(3, 40):
        archive.add(tiny.judged(number, 0.6 + number / 1000, parents=(2,)))
    assert len(archive) == 1 + 16
    assert 0 in numbers(archive)


def test_a_child_of_nobody_known_belongs_to_the_island_that_leads():
    archive = planted(1.0, 0.5)
    archive.add(tiny.judged(10, 1.1, parents=(5000,)))
    assert archive.idle(archive.best) == 0
    fail(archive, 5000, [11])
    assert archive.idle(archive.best) == 1


def test_beginners_beyond_the_most_islands_join_the_one_that_leads():
    archive = planted(*(1 + n / 100 for n in range(MOST + 4)))
    chosen = Counter(archive.parent(Random(draw)).number for draw in range(4000))
    assert min(chosen[number] for number in range(MOST - 1)) > 4000 * 0.8 / MOST * 0.7


def test_inspirations_are_a_winner_where_the_parent_is_weak_then_the_best_elsewhere_then_any():
    archive = Islands()
    parent = on(0, 1.0, 1.0)
    for candidate in (parent, on(1, 0.5, 0.5), on(2, 0.2, 1.5, parents=(0,)), on(3, 0.9, 0.9, parents=(0,))):
        archive.add(candidate)
    for seed in range(20):
        assert [found.number for found in archive.inspirations(parent, 2, Random(seed))] == [2, 1]
    assert sorted(found.number for found in archive.inspirations(parent, 9, Random(0))) == [1, 2, 3]
    assert archive.inspirations(parent, 0, Random(0)) == []


def test_an_archive_whose_only_members_failed_has_no_parent():
    archive = planted(None, None)
    fail(archive, 0, [2])
    assert archive.best is None
    assert len(archive) == 0
    assert list(archive) == []
    with pytest.raises(LookupError, match="empty"):
        archive.parent(Random(0))
    archive.add(tiny.judged(3, 1.0, parents=(0,)))
    assert archive.parent(Random(0)).number == 3


def test_one_case_and_constant_scores_leave_one_member():
    archive = Islands()
    for number in range(50):
        archive.add(on(number, 1.0, parents=(0,) if number else ()))
    assert numbers(archive) == [0]
    assert archive.inspirations(archive.best, 3, Random(0)) == []


def test_a_migrant_is_no_progress():
    archive = planted(1.0, 0.5, 0.6, 0.7)
    fail(archive, 3, range(10, 10 + PATIENCE))
    assert 3 not in numbers(archive)


def test_the_longer_the_best_has_not_become_better_the_more_others_are_built_on():
    archive = planted(1.0, 1.5, 0.7, lead=True)
    archive.add(on(3, 1.5, 1.5, parents=(1,), size=900))  # behaves like its parent and is longer
    assert 3 not in numbers(archive)
    for failed, share in [(0, LEAD - 2 * YIELDING), (18, LEAD - 20 * YIELDING), (60, LEAST_LEAD)]:
        fail(archive, 1, range(10, 10 + failed))
        drawn = Counter(archive.parent(Random(draw)).number for draw in range(2000))
        assert drawn[3] / 2000 == pytest.approx(share, abs=0.05)
        assert drawn.keys() == {0, 1, 2, 3}
    archive.add(on(99, 1.6, 1.6, parents=(1,)))
    assert Counter(archive.parent(Random(draw)).number for draw in range(2000))[99] / 2000 > LEAD - 0.05


def test_others_are_chosen_on_any_island_alike_but_at_times_among_the_best_of_all():
    archive = planted(1.0, 0.5, 0.6, sparing=False, pareto=False, migration=False)
    for number in range(10, 13):
        archive.add(tiny.judged(number, 1.0 + number / 1000, parents=(0,)))
    drawn = Counter(archive.parent(Random(draw)).number for draw in range(6000))
    alone = (drawn[1] + drawn[2]) / 6000  # on two of three islands; of all six they are the last, and win 4 of 36 draws
    assert alone == pytest.approx(WITHIN * 2 / 3 + (1 - WITHIN) * 4 / 36, abs=0.03)
    assert drawn[12] > drawn[11] > drawn[10] > drawn[0]


def test_the_island_that_the_best_came_from_stays_where_another_took_it_in():
    archive = planted(0.5, 1.0, 0.6, 0.7)
    for number in range(10, 16):
        archive.add(tiny.judged(number, 1.0 + number / 100, parents=(number - 1 if number > 10 else 1,)))
    fail(archive, 0, range(20, 20 + PATIENCE // 2))  # an older island takes the best in
    fail(archive, 12, range(40, 40 + 2 * PATIENCE))
    assert {1, 10, 11, 12, 13, 14, 15} <= set(numbers(archive))


def test_a_plateau_is_seen_though_another_island_took_the_best_in():
    archive = planted(0.5, 1.0, 0.6, 0.7)
    fail(archive, 1, range(10, 50))
    fail(archive, 0, range(60, 60 + PATIENCE // 2))
    assert archive.idle(archive.best) == 40


def test_where_the_latest_of_the_best_belongs_is_not_forgotten():
    archive = planted(1.0, 1.5, lead=True)
    archive.add(on(2, 1.5, 1.5, parents=(1,), size=900))
    fail(archive, 2, range(10, 10 + REMEMBERED + 50))
    assert archive.find(2) is not None
    assert archive.idle(archive.find(2)) == REMEMBERED + 51


def test_what_is_no_member_is_not_inspired_by_a_member_that_behaves_alike():
    archive = planted(0.5, 1.5, 0.7, lead=True)
    archive.add(on(3, 1.5, 1.5, parents=(1,), size=900))
    assert {archive.inspirations(archive.find(3), 1, Random(draw))[0].number for draw in range(50)} == {0, 2}


def test_what_is_built_on_without_being_a_member_belongs_to_the_island_of_its_parent():
    archive = planted(1.0, 1.5, lead=True)
    archive.add(on(2, 1.5, 1.5, parents=(1,), size=900))
    leading = next(archive.parent(Random(draw)) for draw in range(99) if archive.parent(Random(draw)).number == 2)
    assert archive.idle(leading) == archive.idle(next(member for member in archive if member.number == 1)) == 1
    fail(archive, 2, [3, 4])
    assert archive.idle(leading) == 3
    assert archive.least((2,)) == archive.least((1,))


def test_the_children_of_one_whose_island_has_retired_join_the_island_that_leads():
    archive = planted(1.0, 0.5, 0.6, 0.7, migration=False)
    fail(archive, 1, range(10, 10 + PATIENCE))
    assert 1 not in numbers(archive)
    before = archive.idle(archive.best)
    fail(archive, 1, range(50, 53))
    assert archive.idle(archive.best) == before + 3


def test_a_beginner_that_behaves_like_a_member_takes_no_room():
    archive = islands()
    archive.add(on(0, 1.0, 1.0))
    for number in range(1, 40):
        archive.add(on(number, 1 + number / 100, 1.0, parents=(0,)))
    before = numbers(archive)
    assert not archive.add(on(50, 1.0 + 39 / 100, 1.0, size=200))
    assert numbers(archive) == before
    assert archive.inspirations(archive.best, 2, Random(0))
