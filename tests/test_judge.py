"""The judge: scores, verdicts, and that only decisions count."""

import logging
import math
import random
import time
from typing import Any, ClassVar

import pytest

from evolve.cases import CaseSet, split_cases
from evolve.judge import Judge, Measurement
from evolve.problem import Call, InvalidDecision, Problem, ProblemError
from evolve.types import Baseline, Evaluation, Limits, Verdict


class Guess(Problem):
    """Write ``guess(low, high)``: a number between them; ``tell(hint)`` may be asked in between."""

    objective, direction = "misses", "minimize"
    reference = "def guess(low, high):\n    return low\n"
    limits = Limits(cpu_seconds=5, wall_seconds=20, call_seconds=1.0, memory_mib=64)
    name = "guess"

    def cases(self, split):
        return [random.Random(seed).sample(range(1, 100), 5) for seed in split.seeds(20)]

    def simulate(self, case):
        misses = 1
        for secret in case:
            answer = yield Call("guess", 0, 100, returns=int)
            if not 0 <= answer <= 100:
                raise InvalidDecision(f"guessed {answer}, which is not between 0 and 100")
            misses += abs(answer - secret)
        return {"misses": misses, "asked": len(case)}

    def feedback(self, case, metrics):
        return f"off by {metrics['misses'] - 1}"

    def label(self, case):
        return f"guess {case[0]}-{case[1]}-{case[2]}"


class Traced(Guess):
    """The same, but every two cases are cut from one trace."""

    def trace(self, case):
        return case[0] % 2


class Measured(Guess):
    """The same, with two metrics that are another number at every reading."""

    measured = ("seconds",)
    varying: ClassVar[tuple[str, ...]] = ("seconds",)

    def __init__(self):
        self.readings = 0

    def simulate(self, case):
        metrics = yield from super().simulate(case)
        self.readings += 1
        return {**metrics, "seconds": 1.0, **dict.fromkeys(self.varying, 1.0 + self.readings)}


def judge_of(sandbox, problem: Problem, count: int = 20) -> Judge:
    cases = split_cases(problem, "train").cases[:count]
    return Judge(CaseSet(problem, "train", cases), sandbox)


@pytest.fixture(scope="module")
def judge(sandbox) -> Judge:
    return judge_of(sandbox, Guess())


def policy(body: str) -> str:
    return f"def guess(low, high):\n    {body}\n"


def score(judge: Judge, source: str, **how: Any) -> float:
    evaluation = judge.evaluate(source, **how)
    assert evaluation.verdict is Verdict.OK, evaluation.feedback
    assert evaluation.score is not None
    return evaluation.score


def expected(problem: Guess, answer: float, cases: list[list[int]]) -> float:
    logs = [math.log((1 + sum(case)) / (1 + sum(abs(secret - answer) for secret in case))) for case in cases]
    return math.exp(math.fsum(logs) / len(logs))


HONEST = policy("return 50")


def test_the_reference_scores_exactly_one(judge):
    evaluation = judge.evaluate(Guess.reference)
    assert evaluation.score == 1.0
    assert {result.ratio for result in evaluation.cases} == {1.0}


def test_a_score_is_the_geometric_mean_of_the_ratios_to_the_reference(judge):
    problem = Guess()
    cases = split_cases(problem, "train").cases
    evaluation = judge.evaluate(HONEST)
    assert evaluation.score == pytest.approx(expected(problem, 50, cases), rel=1e-12)
    first = evaluation.cases[0]
    assert first.case == problem.label(cases[0])
    assert first.metrics == {"misses": 1 + sum(abs(secret - 50) for secret in cases[0]), "asked": 5}
    assert evaluation.calls == 100
    assert not evaluation.confirmed


def test_larger_is_better_when_the_objective_is_to_be_maximized(sandbox):
    class Reach(Guess):
        """Write ``guess``; higher is better."""

        direction = "maximize"

    minimized, maximized = (judge_of(sandbox, problem).evaluate(HONEST).score for problem in (Guess(), Reach()))
    assert minimized is not None
    assert maximized is not None
    assert minimized > 1 > maximized
    assert minimized * maximized == pytest.approx(1)


def test_lock_step_and_isolation_agree(judge):
    together, alone = judge.evaluate(HONEST), judge.evaluate(HONEST, confirm_above=0.0)
    assert together.cases == alone.cases
    assert together.score == alone.score
    assert alone.confirmed


def test_feedback_is_the_problems_words_on_the_worst_cases(judge):
    evaluation = judge.evaluate(HONEST)
    worst = min(evaluation.cases, key=lambda result: result.ratio)
    lines = evaluation.feedback.splitlines()
    assert len(lines) == 3
    assert lines[0] == f"{worst.case} ({worst.ratio:.3f} of the reference): off by {worst.metrics['misses'] - 1}"


def test_feedback_is_on_the_cases_that_leave_most_to_gain_where_a_bound_is_known(sandbox):
    class Bounded(Guess):
        """Write ``guess``."""

        def bound(self, case):
            return 1

    evaluation = judge_of(sandbox, Bounded()).evaluate(HONEST)
    furthest = max(evaluation.cases, key=lambda result: result.metrics["misses"])
    assert evaluation.feedback.startswith(f"{furthest.case} (")


def test_cases_of_which_the_problem_says_nothing_are_left_out_of_the_feedback(sandbox):
    class Silent(Guess):
        """Write ``guess``."""

        def feedback(self, case, metrics):
            return ""

    assert judge_of(sandbox, Silent()).evaluate(HONEST).feedback == ""


def test_a_measured_metric_may_be_another_when_judged_again_and_the_second_reading_counts(sandbox):
    problem = Measured()
    evaluation = judge_of(sandbox, problem).evaluate(HONEST, confirm_above=0.0)
    assert (evaluation.verdict, evaluation.confirmed) == (Verdict.OK, True)
    assert min(result.metrics["seconds"] for result in evaluation.cases) > 40  # after the reference, and a first run


def test_every_other_metric_must_be_the_same_when_judged_again(sandbox):
    problem = Measured()
    problem.varying = ("seconds", "bytes")
    evaluation = judge_of(sandbox, problem).evaluate(HONEST, confirm_above=0.0)
    assert evaluation.verdict is Verdict.INVALID
    assert "depends on other cases, or on chance of its own" in evaluation.feedback


def test_a_simulation_without_a_metric_that_it_says_it_measures_is_at_fault(sandbox):
    problem = Measured()
    problem.measured = ("second",)
    with pytest.raises(ProblemError, match="does not return 'second', which `measured` names"):
        judge_of(sandbox, problem).evaluate(HONEST)


def test_a_score_above_the_bar_is_confirmed_by_a_second_run(judge):
    assert judge.evaluate(HONEST, confirm_above=1.0).confirmed
    assert not judge.evaluate(HONEST, confirm_above=100.0).confirmed
    once, twice = judge.evaluate(HONEST), judge.evaluate(HONEST, confirm_above=0)
    assert twice.score == once.score
    assert twice.calls == 2 * once.calls
    assert twice.cpu_seconds > once.cpu_seconds > 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 101", "guessed 101, which is not between 0 and 100"),
        ("return -1", "guessed -1"),
        ("return '5'", "expected int, got the text '5'"),
        ("return 5.0", "expected int, got 5.0"),
        ("return True", "expected int, got True"),
        ("return None", "expected int, got None"),
        ("return float('nan')", "expected int, got nan"),
        ("return [1] * 9", "expected int, got a list of 9"),
        ("return b'5'", "expected int, got a value of type bytes"),
        ("return 2 ** 63", "expected int, got a value of type int"),
        ("return 10 ** 400", "beyond 64 bits"),
        ("return {5}", "a value of type set"),
        ("yield 5", "a value of type generator"),
        ("return guess", "a value of type function"),
        ("import numpy as np; return np.array([5])", "expected int, got a value of type ndarray"),
        ("return 'x\\x1b[2J\\n' * 10 ** 4", "expected int, got a text of"),
    ],
)
def test_a_wrong_decision_is_invalid_and_names_the_case(judge, body, said):
    evaluation = judge.evaluate(policy(body))
    assert evaluation.verdict is Verdict.INVALID
    assert evaluation.score is None
    assert evaluation.feedback.startswith("guess ")
    assert said in evaluation.feedback
    assert "\n" not in evaluation.feedback


def test_a_policy_that_fails_on_one_case_has_no_score(judge):
    counting = "asked = []\ndef guess(low, high):\n    asked.append(1)\n    return 50 if len(asked) < 5 else 1 / 0\n"
    evaluation = judge.evaluate(counting)
    assert (evaluation.verdict, evaluation.score, evaluation.cases) == (Verdict.CRASHED, None, ())
    assert "line 4: ZeroDivisionError" in evaluation.feedback
    assert evaluation.feedback.startswith("guess ")
    assert evaluation.cpu_seconds > 0


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("def guess(low, high:", Verdict.CRASHED),
        ("'\ud800'", Verdict.CRASHED),
        (policy("raise SystemExit"), Verdict.CRASHED),
        (policy("while True: pass"), Verdict.TIMED_OUT),
        (policy("return bytearray(1 << 40)"), Verdict.OUT_OF_MEMORY),
        (policy("return open('/etc/passwd').read()"), Verdict.FORBIDDEN),
    ],
)
def test_every_failure_is_a_verdict_and_never_a_number(judge, source, verdict):
    evaluation = judge.evaluate(source)
    assert (evaluation.verdict, evaluation.score) == (verdict, None)
    assert evaluation.feedback


class Troubled(Guess):
    """A problem with a bug; which one is asked for says ``bug``."""

    bug: ClassVar[str] = ""

    def simulate(self, case):
        if self.bug == "raises at once":
            raise KeyError("early")
        if self.bug == "asks nothing and says nothing":
            return {}
        if self.bug == "yields nonsense at once":
            yield 5
        if self.bug == "asks for nonsense at once":
            yield Call("guess", 0, 100, returns=5)
        if self.bug == "asks with nonsense at once":
            yield Call("guess", {1, 2}, returns=int)
        answer = yield Call("guess", 0, 100, returns=int)
        if answer == 0:  # the reference's
            return {"misses": 5.0}
        if self.bug == "raises":
            raise KeyError(answer)
        if self.bug == "blames the problem":
            raise ProblemError("no")
        if self.bug == "yields nonsense":
            yield 5
        if self.bug == "asks for nonsense":
            yield Call("guess", 0, 100, returns=object())
        if self.bug == "asks with nonsense":
            yield Call("guess", 2**70, returns=int)
        if self.bug == "returns too many":
            return {"misses": float(answer), "other": float("nan")}
        return {
            "returns nothing": None,
            "returns no objective": {"other": 1},
            "returns zero": {"misses": 0},
            "returns something negative": {"misses": -1},
            "returns next to nothing": {"misses": 5e-324},
            "returns NaN": {"misses": math.nan},
            "returns infinity": {"misses": math.inf},
            "returns a text": {"misses": "few"},
        }.get(self.bug, {"misses": 5})


def troubled(bug: str) -> Troubled:
    return type("Troubled", (Troubled,), {"bug": bug, "__doc__": Troubled.__doc__})()


BUGS_AT_ONCE = ("raises at once", "asks nothing and says nothing", "yields nonsense at once")
BUGS_AT_ONCE += ("asks for nonsense at once", "asks with nonsense at once")
BUGS_PROVOKED = ("raises", "blames the problem", "yields nonsense", "asks for nonsense", "asks with nonsense")
BUGS_PROVOKED += ("returns too many", "returns nothing", "returns no objective", "returns zero", "returns infinity")
BUGS_PROVOKED += ("returns something negative", "returns next to nothing", "returns NaN", "returns a text")


@pytest.mark.parametrize("bug", BUGS_AT_ONCE)
def test_a_simulator_that_fails_before_the_first_decision_stops_the_run(sandbox, bug):
    with pytest.raises(ProblemError, match="before the first decision"):
        judge_of(sandbox, troubled(bug)).evaluate(HONEST)


@pytest.mark.parametrize("bug", BUGS_PROVOKED)
def test_a_simulator_that_fails_on_a_decision_makes_it_invalid_and_is_logged(sandbox, bug, caplog):
    judge = judge_of(sandbox, troubled(bug))
    with caplog.at_level(logging.ERROR, "evolve.judge.wave"):
        evaluation = judge.evaluate(HONEST)
    assert (evaluation.verdict, evaluation.score) == (Verdict.INVALID, None)
    assert "bug of the problem" in evaluation.feedback
    assert evaluation.feedback.startswith("guess ")
    assert [record.name for record in caplog.records] == ["evolve.judge.wave"]
    assert judge.evaluate(Guess.reference).score == 1.0


@pytest.mark.parametrize("bug", BUGS_PROVOKED)
def test_a_simulator_that_fails_with_the_reference_stops_the_run(sandbox, bug):
    problem = troubled(bug)
    type(problem).reference = HONEST
    with pytest.raises(ProblemError, match="the reference of guess is INVALID"):
        judge_of(sandbox, problem).evaluate(Guess.reference)


def test_an_objective_that_is_zero_with_the_reference_stops_the_run_and_says_what_to_do(sandbox):
    problem = troubled("returns zero")
    type(problem).reference = HONEST
    with pytest.raises(ProblemError, match="set `floor`"):
        judge_of(sandbox, problem).reference()
    type(problem).floor = 0.5
    assert judge_of(sandbox, problem).evaluate(HONEST).score == 1.0


def test_a_feedback_that_fails_costs_no_score(sandbox, caplog):
    class Speechless(Guess):
        """Write ``guess``."""

        def feedback(self, case, metrics):
            raise KeyError("nothing to say")

    evaluation = judge_of(sandbox, Speechless()).evaluate(HONEST)
    assert evaluation.verdict is Verdict.OK
    assert "a bug of the problem" in caplog.text


def test_what_an_illegal_decision_says_is_cleaned_and_cut(sandbox):
    class Quoting(Guess):
        """Write ``guess``: a word."""

        reference = policy("return ''")

        def simulate(self, case):
            word = yield Call("guess", 0, 100, returns=str)
            if word:
                raise InvalidDecision(f"no such word: {word}")
            return {"misses": 1}

    evaluation = judge_of(sandbox, Quoting()).evaluate(policy("return 'x\\x1b[2J\\n' * 10 ** 5"))
    assert evaluation.verdict is Verdict.INVALID
    assert "\n" not in evaluation.feedback
    assert "\x1b" not in evaluation.feedback
    assert len(evaluation.feedback) < 400


class Board(Problem):
    """Write ``move(board)``: the index of an empty place; ``board`` is the policy's own copy."""

    objective, direction = "moves", "maximize"
    reference = "def move(board):\n    return board['free'][0]\n"
    name = "board"

    def cases(self, split):
        return list(range(3, 10))

    def simulate(self, case):
        board = {"free": list(range(case)), "taken": []}
        moves = 0
        while board["free"] and moves < 20:
            place = yield Call("move", board, returns=int)
            if place not in board["free"]:
                raise InvalidDecision(f"place {place} is taken")
            board["free"].remove(place)
            moves += 1
        return {"moves": moves}


def test_a_policy_that_changes_its_arguments_is_scored_on_its_decisions(sandbox):
    changing = (
        "def move(board):\n    place = board['free'][0]\n"
        "    board['free'].extend(range(100))\n    board['taken'] = None\n    return place\n"
    )
    assert judge_of(sandbox, Board()).evaluate(changing).score == 1.0
    cheating = "def move(board):\n    board['free'].append(77)\n    return 77\n"
    assert judge_of(sandbox, Board()).evaluate(cheating).feedback.endswith("place 77 is taken")


FIND_THE_SCORER = """
import random
os, sys = random._os, random._os.sys
gc = sys.modules["gc"]

def guess(low, high):
    frame = sys._getframe()
    while frame is not None:
        for name in list(frame.f_locals):
            if name in ("misses", "score", "metrics", "case", "measured", "answer"):
                frame.f_locals[name] = 0
        frame = frame.f_back
    for found in gc.get_objects():
        if type(found) is dict and ("misses" in found or "score" in found):
            found["misses"] = found["score"] = 0
        if type(found).__name__ in ("Judge", "Guess", "Measurement", "Evaluation"):
            raise AssertionError("the scorer is here")
    return 50
"""
PATCH_EVERYTHING = """
import json, math, random, time, statistics
def lie(*arguments, **keywords):
    return 0
def guess(low, high):
    for module in (json, math, time, statistics):
        for name in list(vars(module)):
            if not name.startswith("_"):
                setattr(module, name, lie)
    vars(random._os.sys.modules["builtins"]).update(abs=lie, sum=lie, float=lie)
    return 50
"""
LIES = """
class Fifty(int):
    def __eq__(self, other): return True
    def __lt__(self, other): return False
    __le__ = __gt__ = __ge__ = __eq__
    def __sub__(self, other): return 0
    __rsub__ = __sub__
    def __abs__(self): return 0
    def __float__(self): return 0.0
    def __hash__(self): return 0
def guess(low, high):
    return Fifty(50)
"""
TAMPER_WITH_THE_HOST = """
import random
sys = random._os.sys
host, wire = sys.modules["evolve.sandbox.host"], sys.modules["evolve.sandbox.wire"]
def guess(low, high):
    host._Policy.answer = lambda self, case, name, arguments: 50
    host._describe = host._kind = lambda error: "OK"
    return 50
"""
TRACE = """
import random
sys = random._os.sys
def watch(frame, event, argument):
    frame.f_locals["misses"] = 0
    return watch
def guess(low, high):
    sys.settrace(watch)
    sys.setprofile(watch)
    return 50
"""


@pytest.mark.parametrize("source", [FIND_THE_SCORER, PATCH_EVERYTHING, LIES, TAMPER_WITH_THE_HOST, TRACE])
def test_a_policy_that_looks_for_its_scorer_scores_what_its_decisions_earn(judge, source):
    honest = judge.evaluate(HONEST)
    for confirm_above in (0.0, 1e9):
        evaluation = judge.evaluate(source, confirm_above=confirm_above)
        assert evaluation.verdict is Verdict.OK, evaluation.feedback
        assert evaluation.cases == honest.cases


@pytest.mark.parametrize(
    "ending",
    [
        "open('result.json', 'w').write('{\"score\": 1e9}')\n    random._os._exit(0)",
        "try: open('result.json', 'w')\n    except OSError: pass\n    random._os._exit(0)",
        "print('{\"score\": 1e9}')\n    raise SystemExit(0)",
        "random._os.write(1, b'score 1e9')\n    random._os._exit(0)",
    ],
)
def test_a_policy_that_writes_its_own_result_and_leaves_has_no_score(judge, ending):
    evaluation = judge.evaluate("import random\n" + policy(ending))
    assert evaluation.score is None
    assert evaluation.verdict in (Verdict.CRASHED, Verdict.FORBIDDEN)


def test_facts_in_a_global_do_not_reach_another_case(judge):
    carrying = "seen = []\ndef guess(low, high):\n    seen.append(1)\n    return 50 if len(seen) <= 5 else 101\n"
    assert score(judge, carrying, confirm_above=0) == judge.evaluate(HONEST).score


SMUGGLE = """
import random
sys = random._os.sys
def guess(low, high):
    seen = vars(sys).setdefault("seen", [])
    seen.append(1)
    return 50 if len(seen) > 5 else 0
"""
"""Carries what it saw from one case to another where a fresh module does not help."""


def test_facts_smuggled_from_case_to_case_are_found_out_when_confirmed(judge):
    assert score(judge, SMUGGLE) > 1
    evaluation = judge.evaluate(SMUGGLE, confirm_above=1.0)
    assert evaluation.verdict is Verdict.INVALID
    assert "depends on other cases" in evaluation.feedback
    assert "guess " in evaluation.feedback


DRAWING = {
    "random": "import random\n" + policy("return random.randrange(101)"),
    "numpy": "import numpy as np\n" + policy("return np.random.randint(101)"),
    "default_rng": "import numpy as np\nrng = np.random.default_rng()\n" + policy("return rng.integers(101)"),
    "Random": "import random\nrng = random.Random()\n" + policy("return rng.randrange(101)"),
    "a class": "import random\nclass Policy:\n    def __init__(self):\n        self.rng = random.Random()\n"
    "    def guess(self, low, high):\n        return self.rng.randrange(101)\n",
    "clocks": "import time\n" + policy("return int(time.time() * 1e6 + time.perf_counter_ns()) % 101"),
}


@pytest.mark.parametrize("how", DRAWING)
def test_chance_and_clocks_are_the_same_in_every_wave_and_order(judge, sandbox, how):
    together = judge.evaluate(DRAWING[how], confirm_above=0)
    assert together.verdict is Verdict.OK, together.feedback
    assert together.confirmed
    few = judge_of(sandbox, Guess(), 6).evaluate(DRAWING[how])
    assert few.cases == together.cases[:6]
    if how != "clocks":
        assert len({result.metrics["misses"] for result in together.cases}) > 10


def test_a_class_policy_has_an_instance_for_each_case(judge):
    source = (
        "class Policy:\n    def __init__(self):\n        self.asked = 0\n"
        "    def guess(self, low, high):\n        self.asked += 1\n        return 50 if self.asked <= 5 else 101\n"
    )
    assert score(judge, source, confirm_above=0) == judge.evaluate(HONEST).score


def test_cases_of_one_trace_never_share_a_child(sandbox):
    problem = Traced()
    judge = judge_of(sandbox, problem, 6)
    lanes = CaseSet(problem, "train", split_cases(problem, "train").cases[:6]).lanes(isolated=False)
    assert sorted(index for lane in lanes for index in lane) == list(range(6))
    counting = SMUGGLE.replace("return 50 if len(seen) > 5 else 0", "return 50 if len(seen) <= 10 else 101")
    assert judge.evaluate(counting).verdict is Verdict.OK  # never more than two cases of five calls in a child


def test_cpu_time_is_what_the_policy_used(judge):
    busy = policy("return 50 + 0 * sum(range(10 ** 5))")
    lazy_seconds, busy_seconds = (judge.evaluate(source).cpu_seconds for source in (HONEST, busy))
    assert 0 < lazy_seconds < busy_seconds < 10


def test_cases_beyond_the_first_waves_are_judged_too(sandbox):
    class Many(Guess):
        """Write ``guess``."""

        def cases(self, split):
            return [[index, index, index] for index in range(1, 40)]

    judge = Judge(split_cases(Many(), "train"), sandbox)
    measured = judge.measure(policy("return 50"))
    assert isinstance(measured, Measurement)
    assert (measured.calls, sorted(measured.metrics)) == (39 * 3, list(range(39)))


def test_what_the_policy_prints_changes_nothing(judge):
    assert judge.evaluate(policy("print('hello')\n    return 50")).score == judge.evaluate(policy("return 50")).score


def test_limits_hold_for_all_cases_together_when_each_has_a_child_of_its_own(sandbox):
    class Brisk(Guess):
        """Write ``guess``."""

        limits = Limits(cpu_seconds=0.5, wall_seconds=1.0, call_seconds=0.5)

    judge = Judge(split_cases(Brisk(), "train"), sandbox)
    waits = "import time\ntime.sleep(0.2)\ndef guess(low, high):\n    return 50\n"
    start = time.monotonic()
    assert judge.measure(waits, isolated=True).verdict is Verdict.TIMED_OUT
    assert time.monotonic() - start < 0.2 * len(split_cases(Brisk(), "train"))
    Brisk.limits = Limits(cpu_seconds=0.5, wall_seconds=60.0)
    judge = Judge(split_cases(Brisk(), "train"), sandbox)
    burns = "sum(range(3 * 10 ** 6))\ndef guess(low, high):\n    return 50\n"  # each child far below its limit
    assert judge.measure(burns, isolated=True).message == "used up the 0.5 s of CPU that it had for all cases"


def test_limits_by_the_case_are_for_all_cases_together_and_a_search_has_half(sandbox):
    class Many(Guess):
        """Write ``guess``."""

        limits = Limits(cpu_seconds=9, wall_seconds=60, call_seconds=9, case_cpu_seconds=0.01)

    for split, allowed in (("train", "0.1 s of CPU"), ("validation", "0.2 s of CPU")):  # 20 cases
        judge = Judge(split_cases(Many(), split), sandbox)
        assert judge.measure(HONEST).verdict is Verdict.OK
        failed = judge.measure(policy("return 50 + 0 * sum(range(5 * 10 ** 5))"))
        assert failed.verdict is Verdict.TIMED_OUT
        assert allowed in failed.message


def test_limits_over_cases_are_the_lesser_of_both():
    limits = Limits(cpu_seconds=10, case_cpu_seconds=0.05)
    assert limits.over(24, proving=False).cpu_seconds == pytest.approx(0.6)
    assert limits.over(24, proving=True).cpu_seconds == pytest.approx(1.2)
    assert limits.over(1000, proving=True).cpu_seconds == 10
    assert limits.over(24, proving=True).unhurried().cpu_seconds == pytest.approx(4.8)
    assert limits.unhurried().call_seconds == 4 * limits.call_seconds
    assert Limits(cpu_seconds=10).over(1, proving=False).cpu_seconds == 10


def test_a_metric_that_a_decision_drives_beyond_all_floats_is_a_verdict(sandbox, caplog):
    class Powers(Guess):
        """Write ``guess``."""

        def simulate(self, case):
            guess = yield Call("guess", 1, 2, returns=int)
            return {"misses": 10 ** (guess * 8)}

    judge = Judge(split_cases(Powers(), "train"), sandbox)
    assert judge.evaluate(policy("return 100")).verdict is Verdict.INVALID


def test_the_first_baseline_is_the_reference(sandbox):
    class Seeded(Guess):
        """Write ``guess``."""

        def baselines(self):
            return [Baseline("reference", policy("return 50")), Baseline("other", Guess.reference)]

    assert judge_of(sandbox, Seeded()).evaluate(HONEST).score == 1.0


def test_an_evaluation_has_a_score_exactly_when_it_is_ok():
    with pytest.raises(ValueError, match="exactly when it is OK"):
        Evaluation(Verdict.OK)
    with pytest.raises(ValueError, match="exactly when it is OK"):
        Evaluation(Verdict.CRASHED, 1.0)


def test_addresses_in_messages_do_not_tell_one_process_from_another(sandbox):
    judge = Judge(split_cases(Guess(), "train"), sandbox)
    source = "class Policy:\n    def guess(self, low, high):\n        raise ValueError(self)\n"
    evaluation = judge.evaluate(source)
    assert evaluation.verdict is Verdict.CRASHED
    assert "object at 0x...>" in evaluation.feedback
