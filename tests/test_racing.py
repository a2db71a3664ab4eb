"""Thresholds of races: from whom they are learned, and that the stated error holds."""

import math
from dataclasses import replace
from random import Random

import pytest
import tiny

from evolve import catalog
from evolve.archives.elite import Elite
from evolve.cases import split_cases
from evolve.race import Stage
from evolve.racing import Racing
from evolve.racing_order import learned
from evolve.statistics import geometric_mean
from evolve.types import Candidate, CaseResult, Evaluation, Proposal, Verdict

CASES = 24


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    changes = [("split.seeds(6)", f"split.seeds({CASES})")]
    return split_cases(catalog.load(str(tiny.write(tmp_path_factory.mktemp("problem"), "raced", changes))), "train")


def candidate(number, ratios, parents=(), source="def guess(x): pass"):
    results = tuple(CaseResult(f"case {i}", ratio, {"error": 10 / ratio}) for i, ratio in enumerate(ratios))
    evaluation = Evaluation(Verdict.OK, geometric_mean(ratios), results)
    return Candidate(number, Proposal(source, "mutate", "", parents), evaluation)


def play(racing, cases, turns, seed=0):
    """Tells a made-up search: children are their parents with a change that shows on most cases or on none."""
    racing.begin(cases, seed)
    rng, archive = Random(7), Elite()
    races = []
    for number in range(turns):
        parent = archive.parent(rng) if number > 3 else None
        parents = () if parent is None else (parent.number,)
        races.append(racing.race(number, parents, archive))
        if parent is None:
            made = candidate(number, [1.0 + 0.01 * number] * CASES)
        else:
            step, silent = rng.gauss(-0.1, 0.1), rng.random() < 0.3
            effect = [0.0 if silent else rng.gauss(step, 0.05) for _ in range(CASES)]
            ratios = [old.ratio * math.exp(e) for old, e in zip(parent.evaluation.cases, effect, strict=True)]
            made = candidate(number, ratios, parents)
        least = archive.least(parents)
        racing.tell(made, least, archive.add(made), archive)
    return races, archive


def test_the_first_candidates_and_a_share_of_the_others_are_judged_in_full(cases):
    races, _ = play(Racing(), cases, 400)
    assert set(races[:64]) == {None}
    control = sum(race is None for race in races[64:])
    assert 0.06 < control / 336 < 0.2


def test_the_same_told_gives_the_same_races(cases):
    assert play(Racing(), cases, 200)[0] == play(Racing(), cases, 200)[0]
    assert play(Racing(), cases, 200)[0] != play(Racing(), cases, 200, seed=1)[0]


def test_errors_in_the_control_group_stay_below_what_is_stated_and_most_of_no_use_are_stopped(cases):
    racing = Racing(error=0.1, control=2)
    play(racing, cases, 1200)
    assert racing.audit.judged > 400
    assert racing.audit.errors <= 0.1 * racing.audit.judged
    assert racing.audit.stopped > 0.5 * racing.audit.judged


def test_with_fewer_pairs_than_the_error_asks_for_nothing_is_stopped(cases):
    races, _ = play(Racing(error=0.01, warm_up=100, control=1000), cases, 110)
    last = races[-1]
    assert last is not None
    assert all(math.isinf(stage.gain) and not stage.twins for stage in last.stages)


def test_the_bound_is_known_by_the_reference(cases):
    racing, archive = Racing(warm_up=1), Elite()
    racing.begin(cases, 0)
    reference = candidate(0, [1.0] * CASES)
    racing.tell(reference, -math.inf, archive.add(reference), archive)
    race = racing.race(1, (0,), archive)
    assert race is not None
    assert race.most == (10.0,) * CASES


def test_a_parent_that_is_forgotten_is_found_in_the_archive(cases):
    racing, archive = Racing(warm_up=0, control=10**9), Elite()
    racing.begin(cases, 0)
    archive.add(candidate(3, [1.5] * CASES))
    assert racing.race(9, (3,), archive).parent == (1.5,) * CASES
    assert racing.race(9, (4,), archive) is None


def test_an_outraced_candidate_teaches_nothing(cases):
    racing, archive = Racing(warm_up=0), Elite()
    racing.begin(cases, 0)
    partial = Evaluation(Verdict.OUTRACED, cases=(CaseResult("case 0", 9.0, {}),))
    racing.tell(replace(candidate(0, [1.0]), evaluation=partial), 1.0, False, archive)
    assert racing.audit.judged == 0
    assert racing.race(9, (0,), archive) is None


def test_cases_come_first_on_which_most_changes_show():
    leads = [(0.0, 0.1, 0.0, 0.1), (0.0, 0.2, 0.0, 0.0), (0.3, 0.0, 0.0, 0.0)]
    assert learned(leads, (3, 2, 1, 0), [Stage(2)])[:2] == (1, 0)
    assert learned([], (3, 2, 1, 0), [Stage(2)]) == (3, 2, 1, 0)


def test_cases_come_first_whose_mean_tells_most_of_the_rest():
    leads = [(0.5, x, x, x + y) for x, y in ((0.1, 0.0), (-0.2, 0.01), (0.3, -0.01))]
    assert learned(leads, (0, 1, 2, 3), [])[0] != 0
