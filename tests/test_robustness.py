"""A policy under every condition that its problem names: what is judged, and whose fault a failure is."""

import json
from concurrent.futures import Future
from dataclasses import replace
from math import exp
from random import Random

import pytest
import tiny

from evolve import catalog
from evolve.cases import cases_of
from evolve.judge import Judge
from evolve.problem import ProblemError
from evolve.report.tables import as_json
from evolve.robustness import Look, Side, sweep, told
from evolve.statistics import geometric_mean, holm, sign_flip
from evolve.types import EvolveError, Verdict

SWEEPS = (
    "    def simulate(",
    """\
    sweeps = {"size": ("small", "large"), "far": ("off",)}

    def swept(self, split, condition, setting):
        return [{"small": 1, "large": 41, "off": 1000}[setting] + seed % 40 for seed in split.seeds(12)]

    def simulate(""",
)
EXACT = "def guess(x):\n    return 3.0 * x\n"
BAD_AT_LARGE = "def guess(x):\n    return 1.0 * x if x > 40 else 3.0 * x\n"
BELOW_ZERO_AT_LARGE = "def guess(x):\n    return -1.0 if x > 40 else 3.0 * x\n"


class Inline:
    """An executor that judges in this process, and only when somebody waits."""

    def __init__(self, problem, sandbox):
        self._problem, self._sandbox = problem, sandbox
        self.tasks, self.judged = [], []

    def submit(self, task):
        self.tasks.append(task)
        return Waiting(self, task)

    def judge(self, task):
        self.judged.append(len(self.tasks))
        cases = cases_of(self._problem, task.cases, task.secret)
        return Judge(cases, self._sandbox).evaluate(task.source, confirm_above=task.confirm_above)


class Waiting(Future):
    """What is judged at the first question for it."""

    def __init__(self, executor, task):
        super().__init__()
        self._executor, self._task = executor, task

    def result(self, timeout=None):
        if not self.done():
            self.set_result(self._executor.judge(self._task))
        return super().result(timeout)


@pytest.fixture
def problem(tmp_path):
    return catalog.load(str(tiny.write(tmp_path, changes=[SWEEPS])))


@pytest.fixture
def executor(problem, sandbox):
    return Inline(problem, sandbox)


def test_a_policy_is_judged_under_every_setting_beside_its_rivals(problem, executor):
    rivals = {"reference": tiny.REFERENCE, "bad at large": BAD_AT_LARGE}
    settings = sweep(problem, executor, EXACT, rivals, "validation")
    assert [each.name for each in settings] == ["size=small", "size=large", "far=off"]
    assert {each.cases for each in settings} == {12}
    assert all(each.sides["reference"] is Side.BETTER for each in settings)
    assert all(each.found.gap == pytest.approx(1.0) for each in settings)
    assert [[duel.baseline for duel in each.duels] for each in settings] == [list(rivals)] * 3
    first, second, _ = settings
    large = dict(zip(rivals, second.duels, strict=True))
    assert first.sides["bad at large"] is Side.NOT_TOLD_APART
    assert second.sides["bad at large"] is Side.BETTER
    assert large["reference"].interval == settings[1].found.interval


def test_what_is_said_of_it_goes_into_records(problem, executor):
    first, *_ = json.loads(as_json(sweep(problem, executor, EXACT, {"bad at large": BAD_AT_LARGE}, "validation")))
    assert first["sides"] == {"reference": "better", "bad at large": "not told apart"}


def test_a_policy_may_be_better_under_one_setting_and_worse_under_another(problem, executor):
    small, large, _ = sweep(problem, executor, BAD_AT_LARGE, {}, "validation")
    assert small.sides["reference"] is Side.BETTER
    assert large.sides["reference"] is Side.WORSE
    assert (small.duels, large.duels) == ((), ())


def test_a_policy_that_fails_under_a_setting_has_its_verdict_there(problem, executor):
    small, large, _ = sweep(problem, executor, BELOW_ZERO_AT_LARGE, {"reference": tiny.REFERENCE}, "validation")
    assert large.found.evaluation.verdict is Verdict.INVALID
    assert "below zero" in large.found.evaluation.feedback
    assert (large.found.interval, large.duels) == (None, ())
    assert small.found.evaluation.verdict is Verdict.OK
    assert [duel.baseline for duel in small.duels] == ["reference"]


def test_a_rival_that_fails_under_a_setting_has_no_duel_there(problem, executor):
    rivals = {"fails": BELOW_ZERO_AT_LARGE, "reference": tiny.REFERENCE}
    small, large, _ = sweep(problem, executor, EXACT, rivals, "validation")
    assert [duel.baseline for duel in small.duels] == ["fails", "reference"]
    assert [duel.baseline for duel in large.duels] == ["reference"]


def test_equal_sources_are_judged_once_with_a_child_for_each_case_and_all_at_once(problem, executor):
    rivals = {"reference": tiny.REFERENCE, "its twin": tiny.REFERENCE, "itself": EXACT}
    settings = sweep(problem, executor, EXACT, rivals, "validation")
    assert len(executor.tasks) == 2 * len(settings)
    assert {task.confirm_above for task in executor.tasks} == {0.0}
    assert executor.judged == [len(executor.tasks)] * len(executor.tasks)  # nobody waited before all were submitted
    assert all(each.found.evaluation.confirmed for each in settings)
    assert all(each.duels[2].equal == each.cases for each in settings)


def test_a_reference_that_fails_under_a_setting_is_the_problems_fault(tmp_path, sandbox):
    failing = ('"def guess(x):\\n', '"def guess(x):\\n    if x > 1000: return -1.0\\n')
    problem = catalog.load(str(tiny.write(tmp_path, changes=[failing, SWEEPS])))
    with pytest.raises(ProblemError, match="reference"):
        sweep(problem, Inline(problem, sandbox), EXACT, {}, "validation")


def test_without_conditions_nothing_is_judged(tmp_path, sandbox):
    problem = catalog.load(str(tiny.write(tmp_path)))
    executor = Inline(problem, sandbox)
    assert sweep(problem, executor, EXACT, {"reference": tiny.REFERENCE}, "validation") == []
    assert executor.tasks == []


def test_the_sealed_split_is_swept_with_the_secret_and_never_without(problem, executor):
    sweep(problem, executor, EXACT, {}, "test", "secret")
    assert {(task.cases, task.secret) for task in executor.tasks} == {
        ("test:size=small", "secret"),
        ("test:size=large", "secret"),
        ("test:far=off", "secret"),
    }
    with pytest.raises(EvolveError, match="secret"):
        sweep(problem, executor, EXACT, {}, "test")


def test_what_is_said_is_corrected_for_the_number_of_looks():
    look = Look(1.1, 0.02, close=False)
    assert told([look]) == [Side.BETTER]
    assert told([look, Look(1.0, 0.9, close=False)]) == [Side.BETTER, Side.NOT_TOLD_APART]
    assert told([look] * 10) == [Side.NOT_TOLD_APART] * 10
    assert told([replace(look, chance=0.001), *[look] * 9])[0] is Side.BETTER
    assert told([replace(look, factor=0.9)]) == [Side.WORSE]
    assert told([replace(look, close=True)]) == [Side.NOT_TOLD_APART]


def test_a_policy_that_only_differs_by_rounding_or_on_few_cases_is_not_told_apart(problem, executor):
    nearly = "def guess(x):\n    return 3.0 * x + (1e-12 if x > 0 else 0)\n"
    small, *_ = sweep(problem, executor, nearly, {"exact": EXACT}, "validation")
    assert small.sides["exact"] is Side.NOT_TOLD_APART
    on_few = "def guess(x):\n    return 3.0 * x + (0 if x > 3 else 1)\n"
    small, *_ = sweep(problem, executor, on_few, {"exact": EXACT}, "validation")
    assert small.sides["exact"] is Side.NOT_TOLD_APART


def test_a_difference_made_by_a_single_case_is_none():
    ratios = [1.5] + [1.0] * 11
    assert sign_flip(ratios, range(12)) == 1.0
    assert sign_flip([1.5] * 12, [0] * 12) == 1.0  # one stretch of data tells nothing
    assert sign_flip([1.5] * 12, range(12)) == 2 / 2**12
    assert 0.3 < sign_flip([1.2, 0.9, 1.1, 0.95, 1.3, 0.8] * 2, range(12)) < 0.9


def test_on_many_cases_the_test_draws_signs_and_sees_what_is_there():
    assert 0 < sign_flip([1.01] * 40, range(40)) < 0.001  # what was seen is one of the draws
    assert sign_flip([1.01] * 6 + [1.0] * 40, range(46)) == 2 / 2**6  # what is equal tells nothing
    assert sign_flip([1.01, 1 / 1.01] * 20, range(40)) > 0.9


def test_corrected_chances_follow_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_by_chance_alone_hardly_any_sweep_says_anything():
    random = Random(7)
    said = 0
    for _ in range(200):
        noise = [[exp(random.gauss(0, 0.05)) for _ in range(12)] for _ in range(20)]
        looks = [Look(geometric_mean(each), sign_flip(each, range(12)), close=False) for each in noise]
        said += any(side is not Side.NOT_TOLD_APART for side in told(looks))
    assert said <= 20  # 5% of 200 are 10
