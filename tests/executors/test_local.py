"""Worker processes."""

import os
import signal
import time
from pathlib import Path

import pytest
import tiny

from evolve import catalog
from evolve.executors import Task
from evolve.executors.local import DEATHS, LocalExecutor
from evolve.executors.worker import claim_core
from evolve.problem import ProblemError
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


def test_closing_at_once_does_not_wait_for_a_policy_that_loops(problem):
    before = set(children(os.getpid()))
    executor = LocalExecutor(problem, 1)
    assert executor.submit(Task(tiny.REFERENCE)).result().score == 1.0
    (worker,) = set(children(os.getpid())) - before
    (zygote,) = children(worker)
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
