"""Problems and runs at the edge of sense: what a search does with them is defined."""

import math
from random import Random

import pytest
import tiny

from evolve import catalog, cli
from evolve.budget import Limit
from evolve.folder import RunFolder
from evolve.problem import ProblemError
from evolve.session import search
from evolve.strategies import Strategy
from evolve.types import EvolveError, Verdict

ONE_CASE = ("split.seeds(6)", "split.seeds(1)")
CONSTANT = ('{"error": 1 + abs(guess - 3 * x)}', '{"error": 7}')
SENSELESS = ('{"error": 1 + abs(guess - 3 * x)}', '{"error": %s if guess > 3 * x else 1 + abs(guess - 3 * x)}')


def problem(folder, *changes):
    return catalog.load(str(tiny.write(folder, changes=changes)))


def told(out):
    with RunFolder(out).open(read_only=True) as journal:
        return [journal.evaluation(number) for number in range(journal.turns()) if journal.proposal(number)]


def twice(problem, folder, evaluations=40, **options):
    """Returns what a run came to, which is the same in two sittings and with two workers."""
    one, two = folder / "one", folder / "two"
    whole = search(problem, one, Limit(evaluations), workers=1, **options)
    search(problem, two, Limit(evaluations // 2), workers=2, **options)
    assert search(problem, two, Limit(evaluations), workers=2, **options).best == whole.best
    compared = [[(found.verdict, found.score) for found in told(out)] for out in (one, two)]
    assert compared[0] == compared[1]
    return whole, told(one)


def test_a_problem_with_one_case_is_searched_and_improved(tmp_path):
    ending, found = twice(problem(tmp_path, ONE_CASE), tmp_path)
    assert len(found) == 40
    assert {len(each.cases) for each in found if each.score is not None} == {1}
    assert ending.best != 0


def test_where_every_policy_has_the_same_score_the_search_ends_and_the_reference_stays_the_best(tmp_path):
    ending, found = twice(problem(tmp_path, CONSTANT, ("return 1\n", "return 7\n")), tmp_path)
    assert {each.score for each in found if each.verdict is Verdict.OK} == {1.0}
    assert ending.best == 0


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "0.0"])
def test_metrics_that_are_no_numbers_are_no_score_and_stop_no_search(tmp_path, value):
    found = problem(tmp_path, (SENSELESS[0], SENSELESS[1] % value))
    ending = search(found, tmp_path / "run", Limit(25), workers=1)
    evaluations = told(tmp_path / "run")
    assert len(evaluations) == 25
    assert all(each.score is None or math.isfinite(each.score) for each in evaluations)
    assert evaluations[ending.best].verdict is Verdict.OK


def test_a_reference_with_a_metric_that_is_no_number_is_the_problems_fault(tmp_path):
    with pytest.raises(ProblemError, match="tiny"):
        search(problem(tmp_path, (CONSTANT[0], "{'error': float('nan')}")), tmp_path / "run", Limit(9), workers=1)


def test_an_archive_that_holds_nothing_but_failures_offers_no_parent(tmp_path):
    for archive in (Strategy().archive(),):
        for number in range(40):
            assert not archive.add(tiny.judged(number, None, parents=(number - 1,) if number else ()))
        assert (archive.best, len(archive), list(archive)) == (None, 0, [])
        with pytest.raises(LookupError):
            archive.parent(Random(1))
        assert archive.least(()) == -math.inf


@pytest.mark.parametrize("method", ["archive", "arms", "chooser"])
def test_a_strategy_that_raises_ends_the_run_and_the_next_sitting_can_go_on(tmp_path, method, capsys):
    def fail(*_):
        raise ZeroDivisionError("division by zero")

    broken = type("Broken", (Strategy,), {method: fail})()
    found = problem(tmp_path)
    with pytest.raises((EvolveError, ZeroDivisionError), match="division by zero"):
        search(found, tmp_path / "run", Limit(9), strategy=broken, workers=1)
    assert cli.main(["show", str(tmp_path / "run")]) == 0
    assert "division by zero" in capsys.readouterr().out
    search(found, tmp_path / "run", Limit(9), workers=1)
    assert len(told(tmp_path / "run")) == 9
