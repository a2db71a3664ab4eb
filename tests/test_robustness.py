"""A policy under every condition that its problem names: what is judged, and whose fault a failure is."""

from concurrent.futures import Future

import pytest
import tiny

from evolve import catalog
from evolve.cases import cases_of
from evolve.judge import Judge
from evolve.problem import ProblemError
from evolve.robustness import Side, side, sweep
from evolve.statistics import Interval
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
    assert all(side(each.found.interval) is Side.BETTER for each in settings)
    assert all(each.found.gap == pytest.approx(1.0) for each in settings)
    assert [[duel.baseline for duel in each.duels] for each in settings] == [list(rivals)] * 3
    small, large, _ = (dict(zip(rivals, each.duels, strict=True)) for each in settings)
    assert side(small["bad at large"].interval) is Side.NOT_TOLD_APART
    assert side(large["bad at large"].interval) is Side.BETTER
    assert large["reference"].interval == settings[1].found.interval


def test_a_policy_may_be_better_under_one_setting_and_worse_under_another(problem, executor):
    small, large, _ = sweep(problem, executor, BAD_AT_LARGE, {}, "validation")
    assert side(small.found.interval) is Side.BETTER
    assert side(large.found.interval) is Side.WORSE
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


@pytest.mark.parametrize(
    ("low", "high", "stretches", "found"),
    [
        (1.01, 1.1, 12, Side.BETTER),
        (0.9, 0.99, 12, Side.WORSE),
        (0.9, 1.1, 12, Side.NOT_TOLD_APART),
        (1.0, 1.0, 12, Side.NOT_TOLD_APART),
        (1.01, 1.1, 1, Side.NOT_TOLD_APART),
        (0.9, 0.99, 1, Side.NOT_TOLD_APART),
    ],
)
def test_the_whole_interval_decides(low, high, stretches, found):
    assert side(Interval((low + high) / 2, low, high, stretches)) is found
