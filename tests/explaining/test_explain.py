"""A policy taken apart: what does nothing is found and goes, what counts stays."""

import json
import math
from concurrent.futures import Future
from random import Random

import pytest
from explaining.plain import REFERENCE, Direct, Plain

from evolve.explaining.base import Base
from evolve.explaining.explain import explain
from evolve.explaining.question import Question
from evolve.explaining.trials import Trials
from evolve.explaining.trim import Trimmed
from evolve.report import tables
from evolve.types import Baseline, Evaluation, EvolveError, Verdict

BASE = Base("reference", REFERENCE)
FRESH_SECRET = "fresh"
ESSENTIAL = """\
def guess(x):
    if x > 50:
        return 3 * x + 7
    return 3 * x
"""
PLANTED = '''\
"""A policy with things that do nothing."""


def guess(x):
    unused = x * 17
    if x > 1000:
        return 5 * x
    if x > 50 and x > -3:
        return 3 * x + 7
    return 3 * max(x, 0) + 0 * x
'''


@pytest.fixture
def problem():
    return Plain()


def explained(problem, source, executor=None, **details):
    question = Question(5, source, BASE, "validation", **{"beside": "train", "fresh": FRESH_SECRET, **details})
    return explain(problem, executor or Direct(problem), question)


def test_planted_code_without_effect_is_named_and_gone_and_what_counts_stays(problem):
    found = explained(problem, PLANTED, tolerance=0.0)
    assert found.minimised == ESSENTIAL
    dead = {(idle.line, idle.kind, idle.text) for idle in found.dead}
    assert dead >= {
        (5, "statement", "unused = x * 17"),
        (6, "statement", "if x > 1000:"),
        (8, "condition", "x > -3"),
        (10, "limit", "0"),
        (10, "operand", "0 * x"),
    }
    assert found.lead_kept == pytest.approx(1)
    assert found.scores["train"].kept == pytest.approx(1)
    assert found.smallest.added < found.whole.added


def test_constants_that_may_be_any_others_are_named_and_no_others(problem):
    assert explained(problem, ESSENTIAL).constants == ()
    found = explained(problem, ESSENTIAL.replace("3 * x + 7", "3 * x + [4, 7][-1]"))
    assert [(idle.line, idle.text) for idle in found.constants] == [(3, "4")]


def test_a_constant_that_matters_for_some_other_number_is_not_named(problem):
    found = explained(problem, ESSENTIAL.replace("x > 50", "x > 50 and x < 100"), tolerance=0.0)
    assert "100" not in {idle.text for idle in found.constants}
    found = explained(problem, ESSENTIAL.replace("3 * x + 7", "3 * x + min([7, 100])"))
    assert "100" not in {idle.text for idle in found.constants}


def test_a_long_run_of_statements_without_effect_goes_at_once(problem):
    idle = "".join(f"    a{index} = {index}\n" for index in range(40))
    found = explained(problem, f"def guess(x):\n{idle}    return 3 * x\n", evaluations=120)
    assert found.minimised == "def guess(x):\n    return 3 * x\n"
    assert not found.exhausted
    assert "statements" in {each.kind for each in found.dead}


def test_equal_variants_are_judged_once_however_they_are_written(problem):
    trials = Trials(executor := Direct(problem), "validation", 10)
    trials.judge(["def guess(x): return x\n", "def guess(y):\n    return y  # why\n", "def guess(x: return x\n"])
    trials.judge(["def guess(x): return (x)\n"])
    assert len(executor.variants) == trials.spent == 1


def test_a_constant_of_which_nothing_else_runs_is_not_said_to_have_no_effect(problem):
    source = ESSENTIAL.replace("3 * x + 7", "3 * x + [7, 7][int(5 == 5)]")
    assert "5" not in {idle.text for idle in explained(problem, source).constants}


def test_a_constant_goes_back_to_the_bases_where_that_is_enough(problem):
    base = Base("reference", "def guess(x):\n    return 2 * x + 4 * (x > 90)\n")
    source = "def guess(x):\n    return 3 * x + 5 * (x > 90)\n"
    question = Question(5, source, base, "validation", tolerance=0.2)
    found = explain(problem, Direct(problem), question)
    assert found.minimised == "def guess(x):\n    return 3 * x + 4 * (x > 90)\n"


def test_every_hunk_has_its_worth_and_its_interval(problem):
    found = explained(problem, ESSENTIAL)
    assert [worth.line for worth in found.hunks] == [2, 4]
    rest, slope = found.hunks
    assert slope.policy.factor.low > 1
    assert rest.needed
    assert slope.needed
    assert slope.alone.factor.mean == pytest.approx(
        explained(problem, "def guess(x):\n    return 3 * x\n").gain, rel=1e-9
    )


def test_a_hunk_without_effect_is_said_to_have_none_and_is_left_out(problem):
    found = explained(problem, ESSENTIAL.replace("    return 3 * x\n", "    return 3 * x\n    return x + 9\n"))
    none = [worth for worth in found.hunks if worth.policy.none]
    assert [worth.new for worth in none] == [("    return x + 9",)]
    assert not any(worth.needed for worth in none)
    assert "x + 9" not in found.minimised


def test_two_hunks_that_only_work_together_are_kept_together(problem):
    base = Base("reference", "def guess(x):\n    y = x\n    z = 1\n    # here\n    z = z\n    return 2 * x\n")
    source = base.source.replace("y = x", "y = 3 * x").replace("return 2 * x", "return y")
    question = Question(5, source, base, "validation")
    found = explain(problem, Direct(problem), question)
    assert [worth.needed for worth in found.hunks] == [True, True]
    assert found.hunks[0].alone.none
    assert "y = 3 * x" in found.minimised
    assert "return y" in found.minimised


def test_a_hunk_that_is_no_python_alone_costs_nothing_and_says_so(problem):
    executor = Direct(problem)
    source = "def guess(x):\n    if x > 50:\n        y = 3 * x + 7\n    else:\n        y = 3 * x\n    return y\n"
    found = explained(problem, source, executor)
    assert all(source.count("\n") for source in executor.variants)
    assert found.scores["validation"].minimised is not None
    broken = [worth for worth in found.hunks if "does not stand alone" in worth.alone.note + worth.policy.note]
    assert broken or len(found.hunks) == 1


def test_comments_docstrings_and_layout_are_no_code_and_are_never_judged(problem):
    executor = Direct(problem)
    source = '"""Says much.\n\nIn lines.\n"""\n\n\ndef guess(x):  # why\n    # because\n    return 3*x\n'
    found = explained(problem, source, executor)
    assert [worth.new for worth in found.hunks] == [("    return 3*x",)]
    assert found.comments.added >= 6
    assert found.minimised == "def guess(x):\n    return 3 * x\n"


def test_at_most_three_variants_of_a_hunk_are_judged_beyond_the_search_for_the_smallest(problem, monkeypatch):
    from evolve.explaining import explain as module

    monkeypatch.setattr(module, "minimised", lambda *_: PLANTED)
    monkeypatch.setattr(module, "constants", lambda *_: [])
    monkeypatch.setattr(module, "trimmed", lambda _trials, _base, source, *_: Trimmed(source, (), ()))
    executor = Direct(problem)
    found = explained(problem, PLANTED, executor)
    assert len(found.hunks) >= 3
    assert len(executor.variants) <= 3 * len(found.hunks)
    assert len(set(executor.variants)) == len(executor.variants) == found.evaluations


@pytest.mark.parametrize("most", [1, 3, 10, 25])
def test_no_more_variants_are_judged_than_asked_and_that_is_said(problem, most):
    executor = Direct(problem)
    found = explained(problem, PLANTED, executor, evaluations=most)
    assert len(executor.variants) <= most
    assert found.evaluations == len(executor.variants)
    assert found.exhausted
    assert found.lead_kept >= 0.95


def test_the_more_may_be_lost_the_smaller_it_becomes_and_the_tolerance_is_kept(problem):
    sizes = []
    for tolerance in (0.0, 0.05, 0.5, 1.0):
        found = explained(problem, PLANTED, tolerance=tolerance)
        assert found.lead_kept >= 1 - tolerance - 1e-9
        sizes.append(found.smallest.removed + found.smallest.added)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 0


def test_what_has_to_be_kept_is_the_lead_over_the_best_baseline_that_is_beaten(problem):
    weak = explained(problem, PLANTED)
    assert (weak.rival, weak.lead) == ("reference", weak.gain)
    rival = Baseline("rival", "def guess(x):\n    return 2.9 * x\n")
    ahead = Baseline("ahead", "def guess(x):\n    return 3 * x + (7 if x > 50 else 0)\n")
    known = problem.baselines()
    problem.baselines = lambda: [*known, rival, ahead]
    strong = explained(problem, PLANTED)
    assert strong.rival == "rival"
    assert 1 < strong.lead < strong.gain
    scores = strong.scores["validation"]
    assert scores.rival == pytest.approx(scores.policy / strong.lead)
    assert strong.lead_kept == pytest.approx(math.log(scores.minimised / scores.rival) / math.log(strong.lead))
    assert strong.lead_kept >= 0.95


def test_a_policy_no_better_than_its_base_needs_nothing_of_its_difference(problem):
    found = explained(problem, "def guess(x):\n    return 1 * x\n")
    assert found.lead_kept is None
    assert found.minimised == REFERENCE


def test_no_cases_of_the_runs_secret_are_used_and_fresh_ones_only_for_who_asks(problem):
    executor = Direct(problem)
    explained(problem, PLANTED, executor)
    assert {(task.cases, task.secret) for task in executor.tasks} == {
        ("validation", ""),
        ("train", ""),
        ("test", FRESH_SECRET),
    }
    executor = Direct(problem)
    assert explained(problem, PLANTED, executor, fresh="").scores.keys() == {"validation", "train"}
    assert {task.secret for task in executor.tasks} == {""}


def test_the_smallest_difference_is_judged_again_with_a_child_for_each_case(problem):
    executor = Direct(problem)
    found = explained(problem, PLANTED, executor)
    confirmed = [task.cases for task in executor.tasks if task.source == found.minimised and task.confirm_above == 0.0]
    assert sorted(confirmed) == ["test", "train", "validation"]


def test_what_counts_only_on_train_is_neither_dead_nor_left_out(problem, monkeypatch):
    def cases(_, split):
        return [1 + seed % 97 for seed in split.seeds(30)] + ([0] if split.name == "train" else [])

    monkeypatch.setattr(Plain, "cases", cases)
    base = Base("reference", "def guess(x):\n    return 2 * x ** (x // x)\n")
    guard = "def guess(x):\n    if x == 0:\n        return 0\n    return 3 * x ** (x // x)\n"
    found = explain(problem, Direct(problem), Question(5, guard, base, "validation", beside="train"))
    assert found.minimised == guard
    assert found.dead == ()
    assert found.scores["train"].base is None
    alone = explain(problem, Direct(problem), Question(5, guard, base, "validation"))
    assert [idle.text for idle in alone.dead] == ["if x == 0:"]
    assert "x == 0" not in alone.minimised


def test_what_a_smaller_difference_gains_by_luck_on_validation_it_has_to_gain_on_train_too(problem, monkeypatch):
    """Of two changes one does harm on validation and good on train: without train it would be left out."""
    harm = "def guess(x):\n    if x == 1:\n        return 1\n    return 3 * x + (7 if x > 50 else 0)\n"
    ones = {"validation": 1, "train": 0}

    def cases(_, split):
        return [ones.get(split.name, 0) or 60] + [2 + seed % 40 for seed in split.seeds(30)]

    monkeypatch.setattr(Plain, "cases", cases)
    lucky = explain(problem, Direct(problem), Question(5, harm, BASE, "validation", tolerance=0.0))
    assert "x > 50" not in lucky.minimised
    found = explain(problem, Direct(problem), Question(5, harm, BASE, "validation", beside="train", tolerance=0.0))
    assert "x > 50" in found.minimised


def test_where_the_smallest_difference_does_not_stand_alone_all_of_it_is_kept(problem):
    class Shaky(Direct):
        def submit(self, task):
            known = {PLANTED, *(baseline.source for baseline in problem.baselines())}
            if task.confirm_above == 0.0 and task.cases == "train" and task.source not in known:
                future = Future()
                future.set_result(Evaluation(Verdict.INVALID, feedback="depends on other cases"))
                return future
            return super().submit(task)

    found = explained(problem, PLANTED, Shaky(problem))
    assert found.minimised == PLANTED
    assert "INVALID on the train cases (depends on other cases)" in found.note
    assert found.dead


def test_a_measured_objective_is_said_to_be_noisy_and_equal_times_are_not_asked_for(problem, monkeypatch):
    random = Random(1)
    monkeypatch.setattr(Plain, "measured", ("error",))
    monkeypatch.setattr(Plain, "bound", lambda *_: None)
    found = explained(problem, ESSENTIAL, Direct(problem, lambda: random.uniform(0.99, 1.01)))
    assert found.noisy
    assert found.dead == ()


def test_wins_and_losses_are_counted_against_every_baseline(problem):
    found = explained(problem, "def guess(x):\n    return 3 * x if x > 30 else x\n").by_case
    (duel,) = found.duels
    assert duel.baseline == "reference"
    assert duel.better + duel.equal + duel.worse == 30
    assert len(found.against[0].best) == 5
    assert found.against[0].losses.worse == duel.worse > 0
    assert 0 < found.farthest[0].ratio <= found.farthest[-1].ratio <= 1
    assert found.gap is not None


def test_an_explanation_as_json_has_what_an_export_needs(problem):
    record = json.loads(tables.as_json(explained(problem, PLANTED)))
    assert record["number"] == 5
    assert record["base"] == "reference"
    assert len(record["policy_sha256"]) == len(record["minimised_sha256"]) == 64
    assert record["tolerance"] == 0.1
    assert record["fresh"] == FRESH_SECRET
    assert record["lead_kept"] >= 0.95
    assert record["scores"]["train"].keys() == {"base", "rival", "policy", "minimised"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (REFERENCE, "same code as reference"),
        ('"""Other words."""\ndef guess(y): return 2*y\n', "same code as reference"),
        ("def guess(x):\n    return 1 / 0\n", "CRASHED on the validation cases (ZeroDivisionError"),
        ("def guess(x:\n", "cannot be taken apart"),
        ("x" * 200_000, "cannot be taken apart"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_words(problem, source, said):
    with pytest.raises(EvolveError) as refused:
        explained(problem, source)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "def guess(x):\n" + "".join(f"    a{i} = {i}\n" for i in range(6_000)) + "    return 3 * x\n",
        f"def guess(x):\n    y = [{'1, ' * 30_000}]\n    return 3 * x\n",
        f"def guess(x):\n    return 3 * x{' + x * 0' * 60}\n",
    ],
)
def test_a_huge_policy_is_explained_in_bounded_time(problem, source):
    found = explained(problem, source, evaluations=30)
    assert found.lead_kept >= 0.95
    assert found.evaluations <= 30
