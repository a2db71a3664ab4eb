"""Thresholds of races: from whom they are learned, and that the stated error holds."""

import math
from dataclasses import replace
from random import Random

import pytest
import tiny

from evolve import catalog
from evolve.archives.elite import Elite
from evolve.budget import Limit
from evolve.cases import split_cases
from evolve.folder import RunFolder
from evolve.racing import Racing
from evolve.racing.order import learned
from evolve.racing.race import Stage
from evolve.report import runs
from evolve.session import search
from evolve.statistics import geometric_mean
from evolve.strategies.ablations import Varied
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


def test_all_but_the_control_group_are_raced_from_the_beginning(cases):
    races, _ = play(Racing(), cases, 1200)
    raced = [race for race in races[4:] if race is not None]
    assert 0.02 < 1 - len(raced) / 1196 < 0.07
    assert {stage.gain for stage in raced[0].stages} == {0.57}
    assert [stage.twins for stage in raced[0].stages] == [False, True, True, True]


def test_the_same_told_gives_the_same_races(cases):
    assert play(Racing(), cases, 200)[0] == play(Racing(), cases, 200)[0]
    assert play(Racing(), cases, 200)[0] != play(Racing(), cases, 200, seed=1)[0]


def test_of_those_worth_judging_on_no_more_are_lost_than_stated_and_most_others_are_stopped(cases):
    racing = Racing(behind=0.15, twins=0.1, control=2)
    play(racing, cases, 1600)
    audit = racing.audit
    assert audit.worth > 40
    assert audit.lost <= 0.25 * audit.worth
    assert audit.stopped > 0.7 * audit.judged


def test_where_what_is_good_begins_badly_thresholds_become_careful(cases):
    racing, archive = Racing(control=2), Elite()
    racing.begin(cases, 0)
    parent = candidate(0, [1.0] * CASES)
    racing.tell(parent, -math.inf, archive.add(parent), archive)
    best = candidate(1, [2.0] * CASES)
    racing.tell(best, -math.inf, archive.add(best), archive)
    order = next(race for number in range(99) if (race := racing.race(number, (0,), archive)) is not None).order
    for number in range(2, 60):
        ratios = [0.99 if case in order[:2] else 1.1 for case in range(CASES)]
        if racing.race(number, (0,), archive) is None:
            racing.tell(candidate(number, ratios, (0,)), -math.inf, True, archive)
    race = next(race for number in range(99) if (race := racing.race(number, (0,), archive)) is not None)
    assert race.stops(dict.fromkeys(order[:2], 0.99), 1000) == ""
    assert racing.audit.lost < racing.audit.worth


def test_a_share_so_small_that_experience_cannot_say_anything_stops_nobody(cases):
    races, _ = play(Racing(behind=0.01, twins=0.01), cases, 60)
    raced = [race for race in races if race is not None]
    assert raced
    assert all(math.isinf(stage.gain) and not stage.twins for race in raced for stage in race.stages)


def test_a_child_has_to_exceed_its_parent_and_what_the_archive_takes(cases):
    racing, archive = Racing(control=10**9), Elite(capacity=1)
    racing.begin(cases, 0)
    archive.add(candidate(3, [1.5] * CASES))
    assert racing.race(9, (3,), archive).least == pytest.approx(1.5)
    parent = candidate(2, [1.2] * CASES)
    racing.tell(parent, -math.inf, False, archive)
    assert racing.race(9, (2,), archive).least == pytest.approx(1.5)


@pytest.mark.parametrize("wrong", [{"behind": 0.0}, {"twins": 1.0}, {"control": 0}])
def test_shares_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="expected shares between 0 and 1"):
        Racing(**wrong)


def test_the_bound_is_known_by_the_reference(cases):
    racing, archive = Racing(control=10**9), Elite()
    racing.begin(cases, 0)
    reference = candidate(0, [1.0] * CASES)
    racing.tell(reference, -math.inf, archive.add(reference), archive)
    race = racing.race(1, (0,), archive)
    assert race is not None
    assert race.most == (10.0,) * CASES


def test_a_parent_that_is_forgotten_is_found_in_the_archive(cases):
    racing, archive = Racing(control=10**9), Elite()
    racing.begin(cases, 0)
    archive.add(candidate(3, [1.5] * CASES))
    assert racing.race(9, (3,), archive).parent == (1.5,) * CASES
    assert racing.race(9, (4,), archive) is None


def test_an_outraced_candidate_teaches_nothing(cases):
    racing, archive = Racing(), Elite()
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


def test_a_run_says_how_many_were_stopped_early_and_after_how_many_cases(tmp_path):
    changes = [("split.seeds(6)", f"split.seeds({CASES})")]
    problem, out = catalog.load(str(tiny.write(tmp_path, "raced", changes))), tmp_path / "run"
    search(problem, out, Limit(30), strategy=Varied("default-with-racing"), seed=1, workers=1)
    with RunFolder(out).open(read_only=True) as journal:
        said = runs.describe(runs.summary(RunFolder(out), journal))
        stopped = [told.evaluation for told, _, _ in journal.told() if told.evaluation.verdict is Verdict.OUTRACED]
        assert journal.outraced() == (len(stopped), sum(each.simulations for each in stopped))
    assert stopped
    mean = sum(each.simulations for each in stopped) / len(stopped)
    assert 2 <= mean <= CASES / 2
    assert f"raced     {len(stopped)} of 30 stopped early, after {mean:.1f} cases on the mean" in said
