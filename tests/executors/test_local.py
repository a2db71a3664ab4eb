"""Worker processes."""

import os
import resource
import signal
import time
from pathlib import Path

import pytest
import tiny

from evolve import catalog
from evolve.executors import Task, memory
from evolve.executors.local import DEATHS, LocalExecutor
from evolve.executors.worker import Worker, claim_core
from evolve.judge import Judge
from evolve.problem import ProblemError
from evolve.sandbox import SandboxError
from evolve.types import EvolveError, Verdict

POLICIES = [f"def guess(x):\n    return {n}.1 * x\n" for n in range(1, 9)]


@pytest.fixture
def problem(tmp_path):
    return catalog.load(str(tiny.write(tmp_path)))


def children(of):
    """Returns the processes started by a process."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if int(lines["PPid"]) == of and not lines["State"].startswith("Z"):
            found.append(int(lines["Pid"]))
    return found


def gone(pid, seconds=5.0):
    until = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        os.sched_yield()
    return not Path(f"/proc/{pid}").exists()


def test_many_workers_answer_what_one_answers_and_end_with_the_executor(problem):
    answers = []
    for workers in (1, 3):
        with LocalExecutor(problem, workers) as executor:
            futures = [executor.submit(Task(source, confirm_above=1.0)) for source in POLICIES]
            answers.append([(future.result().score, future.result().cases) for future in futures])
            own = set(children(os.getpid()))
            assert len(own) >= workers
        assert all(map(gone, own - set(children(os.getpid()))))
    assert answers[0] == answers[1]
    assert len({score for score, _ in answers[0]}) == len(POLICIES)


def test_a_failing_policy_is_an_answer_and_the_next_is_judged(problem):
    with LocalExecutor(problem, 1) as executor:
        broken = ["def (", "def guess(x):\n    raise SystemExit", "def guess(x):\n    return -1\n", "x = 1", ""]
        verdicts = [executor.submit(Task(source)).result().verdict for source in broken]
        assert verdicts == ["CRASHED", "CRASHED", "INVALID", "CRASHED", "CRASHED"]
        assert executor.submit(Task(tiny.REFERENCE)).result().score == 1.0


def test_a_killed_worker_is_replaced_and_its_tasks_are_judged(problem):
    before = set(children(os.getpid()))
    with LocalExecutor(problem, 1) as executor:
        assert executor.submit(Task(tiny.REFERENCE)).result().verdict is Verdict.OK
        (worker,) = set(children(os.getpid())) - before
        os.kill(worker, signal.SIGSTOP)
        futures = [executor.submit(Task(source)) for source in POLICIES]
        os.kill(worker, signal.SIGKILL)
        assert [future.result().verdict for future in futures] == ["OK"] * len(POLICIES)


def test_a_policy_over_which_every_worker_dies_stops_the_run_with_a_message(tmp_path):
    suicide = [("guess = yield", "__import__('os')._exit(7)\n        guess = yield")]
    problem = catalog.load(str(tiny.write(tmp_path, changes=suicide)))
    with LocalExecutor(problem, 1) as executor:
        future = executor.submit(Task(tiny.REFERENCE))
        with pytest.raises(EvolveError, match=f"{DEATHS} worker processes died over the same policy"):
            future.result()


def test_a_problem_at_fault_is_named_by_the_future(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path, changes=[('return {"error"', 'return {"mistake"')])))
    with LocalExecutor(problem, 1) as executor, pytest.raises(ProblemError, match="'error'"):
        executor.submit(Task(tiny.REFERENCE)).result()


HANGING = [
    ("guess = yield", "import itertools\n        guess = yield"),
    ("if guess < 0:", "if guess == 7:\n            sum(itertools.repeat(0))\n        if guess < 0:"),
    ("    def cases", "    limits = __import__('evolve').Limits(step_seconds=0.2)\n\n    def cases"),
]
"""A decision of 7 drives the simulator into an endless loop in C."""

SEVEN = "def guess(x):\n    return 7\n"


def test_a_decision_that_drives_the_simulator_into_an_endless_loop_in_c_is_invalid_and_the_worker_replaced(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path, changes=HANGING)))
    before = set(children(os.getpid()))
    with LocalExecutor(problem, 1) as executor:
        futures = [executor.submit(Task(source)) for source in (tiny.REFERENCE, SEVEN, *POLICIES[:2])]
        first, seven, *rest = [future.result() for future in futures]
        assert first.score == 1.0
        assert (seven.verdict, seven.score) == (Verdict.INVALID, None)
        said = "the decision provoked a bug of the problem: its simulator did not come back within 0.2 s and was killed"
        assert seven.feedback == said
        assert [evaluation.verdict for evaluation in rest] == ["OK", "OK"]
    assert set(children(os.getpid())) <= before


def test_a_simulator_that_loops_in_c_with_the_reference_stops_the_run(tmp_path):
    hopeless = [*HANGING, ("2.5 * x + 1", "7"), ("2 * x + 1", "7")]
    problem = catalog.load(str(tiny.write(tmp_path, changes=hopeless)))
    with LocalExecutor(problem, 1) as executor:
        future = executor.submit(Task(problem.baselines()[0].source))
        with pytest.raises(ProblemError, match=r"did not come back within 0\.2 s with the reference"):
            future.result()


CRASHING = [("if guess < 0:", "if guess == 7:\n            __import__('ctypes').string_at(0)\n        if guess < 0:")]


def test_a_decision_that_crashes_the_simulators_code_in_c_is_invalid_and_the_worker_replaced(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path, changes=CRASHING)))
    with LocalExecutor(problem, 1) as executor:
        seven, next_one = [executor.submit(Task(source)).result() for source in (SEVEN, tiny.REFERENCE)]
    assert seven.verdict is Verdict.INVALID
    assert seven.feedback == "the decision provoked a bug of the problem: its simulator crashed (SIGSEGV)"
    assert next_one.score == 1.0


@pytest.mark.parametrize("how", ["baseline", "killed"])
def test_a_baseline_that_crashes_the_simulator_and_a_worker_that_is_killed_stop_the_run(tmp_path, how):
    killing = ("__import__('ctypes').string_at(0)", "__import__('os').kill(__import__('os').getpid(), 9)")
    changes = [(old, new.replace(*killing) if how == "killed" else new) for old, new in CRASHING]
    problem = catalog.load(str(tiny.write(tmp_path, changes=changes)))
    source = SEVEN
    if how == "baseline":
        folder = tmp_path / "seeds" / "tiny"
        folder.mkdir(parents=True)
        (folder / "seven.py").write_text(SEVEN)
        source = next(baseline.source for baseline in problem.baselines() if baseline.name == "seven")
    with LocalExecutor(problem, 1) as executor, pytest.raises(EvolveError, match="died over the same policy"):
        executor.submit(Task(source)).result()


def zygotes(worker):
    """Returns the processes below a worker."""
    found = children(worker)
    return found + [pid for child in found for pid in zygotes(child)]


def test_a_zygote_that_is_killed_between_two_evaluations_is_replaced(problem):
    before = set(children(os.getpid()))
    with LocalExecutor(problem, 1) as executor:
        assert executor.submit(Task(tiny.REFERENCE)).result().score == 1.0
        (worker,) = set(children(os.getpid())) - before
        old = zygotes(worker)
        os.kill(old[-1], signal.SIGKILL)
        assert executor.submit(Task(tiny.REFERENCE)).result().score == 1.0
        assert all(map(gone, old))
        assert len(zygotes(worker)) == len(old)
        assert worker in children(os.getpid())
        new = zygotes(worker)
    assert all(map(gone, new))


def test_a_zygote_that_is_killed_while_a_policy_runs_is_replaced_and_the_policy_judged_again(problem):
    before = set(children(os.getpid()))
    with LocalExecutor(problem, 1) as executor:
        reference = executor.submit(Task(tiny.REFERENCE)).result()
        (worker,) = set(children(os.getpid())) - before
        old = zygotes(worker)
        future = executor.submit(Task(f"sum(range(3 * 10 ** 6))\n{tiny.REFERENCE}"))
        while len(zygotes(worker)) == len(old):  # until a child runs
            os.sched_yield()
        os.kill(old[-1], signal.SIGKILL)
        assert future.result().cases == reference.cases
        assert all(map(gone, old))
        assert len(zygotes(worker)) == len(old)
        assert worker in children(os.getpid())


def test_a_sandbox_that_fails_again_is_the_runs_to_hear_of(problem, monkeypatch):
    asked = []

    def fails(judge, source, **how):
        asked.append(judge)
        raise SandboxError("the zygote has ended")

    monkeypatch.setattr(Judge, "evaluate", fails)
    worker = Worker(catalog.spec(problem), None, 1 << 30)
    answer = worker.answer(Task(tiny.REFERENCE))
    worker.close()
    assert isinstance(answer, SandboxError)
    assert len(set(asked)) == 2  # each with a sandbox of its own


def test_who_asks_for_the_same_again_and_not_for_speed_gives_a_slow_policy_its_time(tmp_path):
    limited = ("objective, direction =", "limits = Limits(case_cpu_seconds=0.05)\n    objective, direction =")
    imports = ("from evolve import Call,", "from evolve import Limits, Call,")
    problem = catalog.load(str(tiny.write(tmp_path, changes=[limited, imports])))
    slow = f"sum(range(3_000_000))\n{tiny.REFERENCE}"  # about 0.05 s a case; all six have 0.15 s, or 1.2 s
    with LocalExecutor(problem, 1) as executor:
        hurried, unhurried = (executor.submit(Task(slow, unhurried=patient)).result() for patient in (False, True))
    assert hurried.verdict is Verdict.TIMED_OUT
    assert unhurried.verdict is Verdict.OK


def test_a_worker_holds_its_share_of_memory_while_it_judges_and_policies_are_not_touched_by_it(tmp_path):
    reports = ('return {"error"', 'return {"most": __import__("resource").getrlimit(RLIMIT_DATA)[0], "error"')
    reports = (reports[0], reports[1].replace("RLIMIT_DATA", str(resource.RLIMIT_DATA)))
    problem = catalog.load(str(tiny.write(tmp_path, changes=[reports])))
    before = set(children(os.getpid()))
    with LocalExecutor(problem, 2) as executor:
        evaluation = executor.submit(Task(tiny.REFERENCE)).result()
        below = [pid for worker in set(children(os.getpid())) - before for pid in zygotes(worker)]
        limits = [Path(f"/proc/{pid}/limits").read_text() for pid in below]
    assert {result.metrics["most"] for result in evaluation.cases} == {memory.share(2)}
    assert limits
    assert all(f"{memory.share(2)}" not in text for text in limits)


def test_the_share_of_memory_is_half_the_machines_for_all_workers_together_and_at_least_a_gibibyte():
    assert memory.share(1) < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory.share(1 << 20) == 1 << 30
    assert memory.share(1) // 2 <= max(memory.share(2), 1 << 30)


def test_a_limit_of_memory_is_put_back_and_never_raised():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory.at_most(1 << 40):
        inner = resource.getrlimit(resource.RLIMIT_DATA)
        with memory.at_most(1 << 41):
            assert resource.getrlimit(resource.RLIMIT_DATA) == inner
        with memory.at_most(1 << 30), pytest.raises(MemoryError):
            bytearray(1 << 31)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_closing_at_once_does_not_wait_for_a_policy_that_loops(problem):
    before = set(children(os.getpid()))
    executor = LocalExecutor(problem, 1)
    assert executor.submit(Task(tiny.REFERENCE)).result().score == 1.0
    (worker,) = set(children(os.getpid())) - before
    *_, zygote = zygotes(worker)
    future = executor.submit(Task("def guess(x):\n    while True: pass\n"))
    started = time.monotonic()
    executor.close(at_once=True)
    assert time.monotonic() - started < 2
    assert future.cancelled()
    assert gone(worker)
    assert gone(zygote)


def test_closing_an_executor_that_has_only_begun_leaves_nothing_behind(problem):
    before = set(children(os.getpid()))
    LocalExecutor(problem, 2).close(at_once=True)
    assert set(children(os.getpid())) <= before


def test_what_a_problem_prints_does_not_get_into_the_results(tmp_path, capfd):
    loud = tiny.write(tmp_path, changes=[("guess = yield", "print('debugging')\n        guess = yield")])
    with LocalExecutor(catalog.load(str(loud)), 1) as executor:
        executor.submit(Task(tiny.REFERENCE)).result()
    assert capfd.readouterr().out == ""


def test_at_least_one_worker_must_judge(problem):
    with pytest.raises(EvolveError, match="at least one"):
        LocalExecutor(problem, 0)


def test_whatever_a_problem_raises_the_future_raises(tmp_path):
    path = tiny.write(tmp_path)
    problem = catalog.load(str(path))
    tiny.write(tmp_path, changes=[("return [1", "raise OSError('no trace')\n        return [1")])
    with LocalExecutor(problem, 1) as executor, pytest.raises(Exception, match="no trace"):
        executor.submit(Task(tiny.REFERENCE)).result()


def test_no_two_workers_are_on_one_core_and_the_last_has_none():
    cores, mine = os.sched_getaffinity(0), f"test-{os.getpid()}"
    held, places = [], []
    try:
        for _ in cores:
            os.sched_setaffinity(0, cores)  # as a new worker has it
            held.append(claim_core(mine))
            places.append(os.sched_getaffinity(0))
        assert sorted(places, key=min) == [{core} for core in sorted(cores)]
        os.sched_setaffinity(0, cores)
        assert claim_core(mine) is None
        assert os.sched_getaffinity(0) == cores
        held.pop(0).close()
        held.append(claim_core(mine))
        assert os.sched_getaffinity(0) == places[0]
    finally:
        os.sched_setaffinity(0, cores)
        for claim in held:
            claim.close()
