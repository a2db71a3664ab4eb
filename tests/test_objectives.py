"""Problems with several objectives, and constraints that a policy must keep besides."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import tiny

from evolve import catalog, cli
from evolve.budget import Limit
from evolve.cases import CaseSet, split_cases
from evolve.executors.worker import Worker
from evolve.folder import RunFolder
from evolve.journal.database import JournalError
from evolve.judge import Judge
from evolve.objective import Constraint, Objective
from evolve.problem import Call, Problem, ProblemError, steady
from evolve.proposers import brief
from evolve.session import search
from evolve.types import EvolveError, Limits, Verdict
from evolve.verify import Verification

WORK = "def answer(case):\n    total = 0\n    for number in range(200_000):\n        total += number\n    return 10\n"
FAST = "def answer(case):\n    return 10\n"
NEAR = "def answer(case):\n    return 9.6 if case else 10\n"
FAR = "def answer(case):\n    return 5 if case == 2 else 10\n"


class Several(Problem):
    """Write `answer(case)`: a number, the larger the better its `quality`."""

    objectives: ClassVar = {
        "quality": Objective("quality", "maximize"),
        "speed": Objective(
            "cpu_seconds", "minimize", timed=True, constraints=(Constraint("quality", "maximize", 0.95),)
        ),
        "both": Objective("loss", "minimize", timed=True),
    }
    reference = WORK
    limits = Limits(cpu_seconds=20, wall_seconds=20, call_seconds=2, memory_mib=64)
    name = "several"

    def cases(self, split):
        return [0, 1, 2]

    def simulate(self, case):
        answer = yield Call("answer", case, returns=float)
        return {"quality": answer}

    def derive(self, metrics):
        return {"loss": metrics["cpu_seconds"] ** 0.1 / metrics["quality"]}


def of(objective: str = "") -> Several:
    problem = Several()
    if objective:
        problem.pursue(objective)
    return problem


def judged(sandbox, source: str, objective: str = "", problem: Problem | None = None):
    problem = problem or of(objective)
    return Judge(CaseSet(problem, "train", [0, 1, 2]), sandbox).evaluate(source)


def test_the_first_objective_counts_unless_another_is_chosen():
    assert (of().chosen, of().objective, of().direction, of().timed) == ("quality", "quality", "maximize", False)
    speed = of("speed")
    assert (speed.chosen, speed.objective, speed.direction, speed.timed) == ("speed", "cpu_seconds", "minimize", True)
    assert speed.constraints[0].metric == "quality"
    assert of().constraints == ()
    assert of().timed is False  # one problem's choice is not another's


def test_an_unknown_objective_names_the_nearest_one():
    with pytest.raises(EvolveError, match="several has no objective 'sped'; did you mean 'speed'\\? there are: qual"):
        of("sped")
    single = type("Single", (Problem,), {"objective": "misses", "name": "single"})()
    with pytest.raises(EvolveError, match="single has a single objective, 'misses'; leave 'speed' out"):
        single.pursue("speed")


def test_a_policy_that_keeps_to_a_constraint_on_the_mean_is_judged_by_its_speed(sandbox):
    near = judged(sandbox, NEAR, "speed")  # 0.973 of the reference's quality
    assert near.verdict is Verdict.OK, near.feedback
    assert near.score > 1.5
    assert near.cases[1].metrics["quality"] == 9.6


def test_a_policy_that_breaks_a_constraint_is_invalid_and_hears_where(sandbox):
    far = judged(sandbox, FAR, "speed")
    assert far.verdict is Verdict.INVALID
    assert far.feedback == (
        "breaks a constraint: its quality is 0.7937 of the reference's on the mean, and must be at least 0.95 of it; "
        "worst on train 2, 0.5000"
    )
    assert judged(sandbox, FAR).verdict is Verdict.OK  # where it is the quality itself that counts


def test_a_constraint_holds_without_times_too(sandbox):
    kind = type(
        "Kept", (Several,), {"objectives": {"q": Objective("quality", "maximize", 0.0, False, (LEAST_QUALITY,))}}
    )
    assert judged(sandbox, FAR, problem=kind()).verdict is Verdict.INVALID
    assert judged(sandbox, NEAR, problem=kind()).verdict is Verdict.OK


LEAST_QUALITY = Constraint("quality", "maximize", 0.95)


def test_an_objective_may_follow_from_the_time_and_the_quality(sandbox):
    found = judged(sandbox, NEAR, "both")
    assert found.verdict is Verdict.OK, found.feedback
    for result in found.cases:
        assert result.metrics["loss"] == result.metrics["cpu_seconds"] ** 0.1 / result.metrics["quality"]
    assert found.score > 1


def test_what_follows_from_a_time_is_not_expected_twice_the_same():
    first, second = ({"quality": 1.0, "cpu_seconds": seconds, "loss": seconds} for seconds in (0.1, 0.2))
    assert steady(of("both"), first) == steady(of("both"), second) == {"quality": 1.0}
    untimed = {"quality": 1.0, "loss": 2.0}
    assert steady(of(), untimed) == untimed


def test_an_objective_that_nothing_returns_is_the_problems_fault(sandbox):
    problem = type("Nothing", (Several,), {"derive": lambda self, metrics: {}})()
    problem.pursue("both")
    with pytest.raises(ProblemError, match="neither `simulate` nor `derive` returns 'loss', the objective"):
        judged(sandbox, FAST, problem=problem)


def test_a_decision_that_makes_a_derived_objective_zero_is_invalid_and_ends_no_run(sandbox):
    for extreme, said in (("1e300", "on train 1, but ratios need positive values: set `floor`"), ("0", "ZeroDivision")):
        source = f"def answer(case):\n    return {extreme} if case == 1 else 10\n"
        found = judged(sandbox, source, "both")
        assert found.verdict is Verdict.INVALID
        assert found.feedback.startswith("the decision provoked a bug of the problem: several: ")
        assert said in found.feedback


def test_a_constraint_on_what_the_simulator_does_not_return_is_the_problems_fault(sandbox):
    objective = Objective("quality", "maximize", constraints=(Constraint("balance", "maximize", 1.0),))
    kind = type("Missing", (Several,), {"objectives": {"one": objective}})
    with pytest.raises(ProblemError, match="does not return a positive 'balance', which a constraint is on"):
        judged(sandbox, FAST, problem=kind())


@pytest.mark.parametrize(("direction", "least"), [("larger", 0.9), ("maximize", 0.0), ("maximize", 1.1)])
def test_a_constraint_that_cannot_be_is_refused(direction, least):
    with pytest.raises(ValueError, match="a constraint asks to minimize or maximize 'quality'"):
        Constraint("quality", direction, least)


OBJECTIVES = """    objectives = {
        "error": Objective("error"),
        "size": Objective("size", constraints=(Constraint("error", "minimize", 0.9),)),
    }
"""
CHANGES = [
    ('    objective, direction = "error", "minimize"\n', OBJECTIVES),
    ("from evolve import Call, InvalidDecision, Problem", "from evolve import *"),
    ('return {"error": 1 + abs(guess - 3 * x)}', 'return {"error": 1 + abs(guess - 3 * x), "size": 1 + guess}'),
]
TINY_BOUND = ("return 1\n", "return 1 if self.chosen == 'error' else None\n")


@pytest.fixture
def file(tmp_path) -> Path:
    path = tiny.write(tmp_path, changes=[*CHANGES, TINY_BOUND])
    seeds = tmp_path / "seeds" / "tiny"
    seeds.mkdir(parents=True)
    (seeds / "nothing.py").write_text("def guess(x):\n    return 0\n", encoding="utf-8")  # small, and far off
    return path


def test_the_catalog_loads_a_problem_with_the_objective_asked_for(file):
    assert catalog.load(str(file)).chosen == "error"
    assert catalog.load(str(file), "size").objective == "size"
    with pytest.raises(EvolveError, match="did you mean 'size'"):
        catalog.load(str(file), "sise")


@pytest.mark.parametrize("wrong", ["objectives = ['error']", "objectives = {'error': 'minimize'}"])
def test_objectives_that_are_none_are_refused(tmp_path, wrong):
    path = tiny.write(tmp_path, changes=[('objective, direction = "error", "minimize"', wrong)])
    with pytest.raises(ProblemError, match=r"`objectives` is .* it must map names to evolve\.Objective"):
        catalog.load(str(path))


def test_workers_judge_by_the_objective_of_the_run(file):
    worker = Worker(str(file), None, 1 << 30, objective="size")
    try:
        small = worker.answer(tiny.Task(source="def guess(x):\n    return 0\n"))
        assert small.verdict is Verdict.INVALID
        assert "breaks a constraint" in small.feedback
    finally:
        worker.close()


def test_a_run_is_of_one_objective_and_goes_on_with_no_other(file, tmp_path):
    out = tmp_path / "run"
    search(catalog.load(str(file), "size"), out, Limit(4), workers=1)  # beside a baseline that breaks the constraint
    with RunFolder(out).open() as journal:
        assert journal.header.objective == "size"
        assert journal.evaluation(1).verdict is Verdict.INVALID
    with pytest.raises(JournalError, match=r"another objective \(size; now error\)"):
        search(catalog.load(str(file)), out, Limit(5), workers=1)


def test_verify_proves_by_the_objective_of_the_run_and_a_barred_baseline_is_no_rival(file, tmp_path, capsys):
    out = tmp_path / "run"
    assert cli.main(["run", str(file), "--objective", "size", "--evaluations", "4", "--out", str(out)]) == 0
    assert "problem   tiny, objective size; seed 0" in capsys.readouterr().out
    assert cli.main(["verify", str(out)]) == 0
    said = capsys.readouterr().out
    assert "nothing is INVALID: breaks a constraint: its error is" in said
    assert "lower size is better" in said
    assert cli.main(["verify", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["barred"] == ["nothing"]


def test_a_barred_baseline_needs_not_be_beaten_and_another_that_fails_does():
    verified = SimpleNamespace(
        duels=[], standings=[SimpleNamespace(name=name) for name in ("barred", "slow", "#7")], barred=("barred",)
    )
    assert Verification.unbeaten.fget(verified) == ["slow"]


def test_score_takes_the_name_of_an_objective(file, capsys):
    assert cli.main(["score", str(file), "--objective", "size"]) == 1  # the barred baseline has no score
    assert "breaks a constraint" in capsys.readouterr().out
    assert cli.main(["score", str(file)]) == 0
    assert cli.main(["score", str(file), "--objective", "speed"]) == 1
    assert "tiny has no objective 'speed'" in capsys.readouterr().err


def test_the_audit_takes_a_baseline_that_breaks_a_constraint_for_no_fault(file, capsys):
    cli.main(["check", str(file), "--objective", "size"])
    out = " ".join(capsys.readouterr().out.split())
    assert "nothing break a constraint, so they are no rivals here" in out
    assert "FIX baselines" not in out


def test_a_model_is_told_what_counts_and_what_must_hold(file):
    problem = catalog.load(str(file), "size")
    said = brief.briefing(problem, split_cases(problem, "train")).scoring
    assert "What counts here is the objective `size`. A lower `size` is better." in said
    assert "INVALID if its `error` (minimize it) comes to less than 0.9 of the reference's" in said
