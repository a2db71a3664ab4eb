"""One sitting of a run, with real workers: the same run whatever the workers and the interruptions."""

import ctypes
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from functools import partial
from random import Random

import pytest
import tiny

from evolve import catalog, finalists
from evolve.budget import Limit
from evolve.folder import RunFolder
from evolve.journal.database import JournalError
from evolve.problem import ProblemError
from evolve.proposers import ONLY
from evolve.report import runs
from evolve.search import Arm
from evolve.session import search
from evolve.strategies import Strategy
from evolve.strategies.ablations import Varied
from evolve.types import EvolveError, Verdict

KILLS = 20
PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def problem(tmp_path):
    return catalog.load(str(tiny.write(tmp_path)))


def candidates(out):
    with RunFolder(out).open(read_only=True) as journal:
        return tiny.rows(journal.candidate(number) for number in range(journal.count()))


def told(out):
    """Returns every told evaluation with when it was told: judged again, it would have another time."""
    try:
        with closing(sqlite3.connect(f"file:{out}/journal.sqlite?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT * FROM evaluations ORDER BY cases, number").fetchall()
    except sqlite3.OperationalError:  # killed before the run began
        return []


def changed(out, statement):
    with closing(sqlite3.connect(out / "journal.sqlite")) as connection:
        connection.execute(statement)
        connection.commit()


def test_the_same_seed_gives_the_same_run_with_one_worker_and_with_two_in_one_sitting_and_in_two(problem, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    outcome = search(problem, one, Limit(60), seed=6, workers=1)
    search(problem, two, Limit(25), seed=6, workers=2)
    assert len(candidates(two)) == 25
    assert search(problem, two, Limit(60), workers=2) == outcome
    assert candidates(one) == candidates(two)
    with RunFolder(one).open() as journal:
        assert journal.count() == 60
        assert len(journal.verdicts()) > 1  # broken candidates stop nothing
        assert (one / "best.py").read_text() == finalists.proposal(journal, outcome.best).source


def test_the_same_seed_gives_the_same_run_where_policies_are_stopped_early_also_from_the_cache(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path, changes=[("split.seeds(6)", "split.seeds(24)")])))
    one, two, three = tmp_path / "one", tmp_path / "two", tmp_path / "three"
    raced = partial(search, problem, strategy=Varied("default-with-racing"))
    outcome = raced(one, Limit(60), seed=6, workers=1, reuse=False)
    raced(two, Limit(25), seed=6, workers=2)
    assert raced(two, Limit(60), workers=2) == outcome
    assert raced(three, Limit(60), seed=6, workers=1) == outcome
    assert candidates(one) == candidates(two) == candidates(three)
    assert sum(row[2] is Verdict.OUTRACED for row in candidates(one)) > 2


def test_another_seed_gives_another_run(problem, tmp_path):
    search(problem, tmp_path / "a", Limit(20), seed=1, workers=1)
    search(problem, tmp_path / "b", Limit(20), seed=2, workers=1)
    assert candidates(tmp_path / "a") != candidates(tmp_path / "b")


def test_a_run_whose_budget_is_spent_judges_nothing_more_and_says_the_same_again(problem, tmp_path):
    first = search(problem, tmp_path / "run", Limit(20), workers=1)
    before = told(tmp_path / "run")
    assert search(problem, tmp_path / "run", Limit(20), workers=1) == first
    assert told(tmp_path / "run") == before


def test_seconds_of_earlier_sittings_count(problem, tmp_path):
    clock = iter(range(10**6))  # a second goes by at every look
    search(problem, tmp_path / "run", Limit(seconds=60), workers=1, clock=lambda: float(next(clock)))
    count = len(candidates(tmp_path / "run"))
    search(problem, tmp_path / "run", Limit(seconds=60), workers=1, clock=lambda: float(next(clock)))
    assert len(candidates(tmp_path / "run")) == count
    search(problem, tmp_path / "run", Limit(seconds=180), workers=1, clock=lambda: float(next(clock)))
    assert len(candidates(tmp_path / "run")) > count


def test_every_candidate_is_reported_and_then_how_the_best_is_chosen(problem, tmp_path):
    seen, chosen = [], []
    choosing = lambda *judged: chosen.append(judged)  # noqa: E731
    search(problem, tmp_path / "run", Limit(12), workers=1, report=seen.append, choosing=choosing)
    assert [progress.told.number for progress in seen] == list(range(12))
    assert seen[-1].best.score == max(c[3] for c in candidates(tmp_path / "run") if c[3] is not None)
    assert seen[-1].seconds_left == 0
    assert chosen == [(judged, len(chosen)) for judged in range(len(chosen))]


def test_what_an_earlier_sitting_did_is_not_reported_again(problem, tmp_path):
    seen = []
    search(problem, tmp_path / "run", Limit(12), workers=1)
    search(problem, tmp_path / "run", Limit(15), workers=1, report=seen.append)
    assert [progress.evaluations for progress in seen] == [13, 14, 15]


def test_a_search_that_runs_out_of_ideas_ends_with_what_it_has(problem, tmp_path, monkeypatch):
    class Silent:
        name, trouble = "silent", ""
        propose = recall = tell = lambda *_: None
        ways = staticmethod(lambda idle: {ONLY: 1.0})

    class Quiet(Strategy):
        def arms(self):
            return [Arm(Silent(), 1.0)]

    ending = search(problem, tmp_path / "run", Limit(50), strategy=Quiet(), workers=1)
    assert (ending.best, ending.trouble) == (0, "")
    assert "no proposer had anything new to offer" in ending.exhausted


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE header SET value = '\"other\"' WHERE key = 'problem'", "run with another problem .*other; now tiny"),
        ("UPDATE header SET value = '\"9.9\"' WHERE key = 'engine'", "run with another version of evolve .*9.9"),
        ("UPDATE header SET value = '\"llm\"' WHERE key = 'proposers'", "run with another set of proposers"),
        ("UPDATE header SET value = '17' WHERE key = 'seed'", "run with another seed .17; now 4"),
        ("DELETE FROM proposals WHERE number = 2", "has lost some of its candidates"),
    ],
)
def test_a_run_of_something_else_is_not_resumed(problem, tmp_path, statement, message):
    search(problem, tmp_path / "run", Limit(5), seed=4, workers=1)
    changed(tmp_path / "run", statement)
    with pytest.raises(JournalError, match=message):
        search(problem, tmp_path / "run", Limit(10), seed=4, workers=1)


def test_a_run_of_a_problem_whose_code_has_changed_is_not_resumed(problem, tmp_path):
    search(problem, tmp_path / "run", Limit(5), workers=1)
    again = catalog.load(str(tiny.write(tmp_path, changes=[("below zero", "negative")])))
    with pytest.raises(JournalError, match="code of tiny or its baselines has changed"):
        search(again, tmp_path / "run", Limit(10), workers=1)


def test_a_failing_baseline_stops_the_run_and_is_named(problem, tmp_path):
    (tmp_path / "seeds" / "tiny").mkdir(parents=True)
    (tmp_path / "seeds" / "tiny" / "naive.py").write_text("def guess(x):\n    return -x\n")
    with pytest.raises(ProblemError, match=r"baseline 'naive' is INVALID: .*below zero"):
        search(problem, tmp_path / "run", Limit(10), workers=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return 2 * x", "return -x", "reference"),
        ("guess = yield", "raise KeyError('rack')\n        guess = yield", "KeyError"),
        ('{"error": 1', '{"error": -1', "error"),
        (
            "return [1",
            "raise KeyError('rack')\n        return [1",
            r"`cases` failed: KeyError: 'rack' \(tiny.py, line 11\)",
        ),
    ],
)
def test_a_problem_at_fault_stops_the_run_with_a_message(tmp_path, old, new, message):
    broken = catalog.load(str(tiny.write(tmp_path, changes=[(old, new)])))
    with pytest.raises(EvolveError, match=message):
        search(broken, tmp_path / "run", Limit(10), workers=1)
    with RunFolder(tmp_path / "run").open(read_only=True) as journal:
        assert re.search(message, journal.last_fault())
        assert journal.count() == 0  # what was under way has no verdict


@pytest.mark.parametrize("fails", [False, True])
def test_a_policy_that_cannot_be_described_does_not_end_the_run_unless_it_is_the_reference(tmp_path, fails):
    describe = (
        "    def descriptors(self, metrics):\n        if metrics['error'] == 1.0:\n            raise ValueError\n"
    )
    if fails:
        describe = describe.replace("== 1.0", "> 0")
    reference = [("2 * x + 1", "3 * x + 1"), ("2.5 * x + 1", "3 * x + 1")]
    changes = [*reference, ("    def bound", f"{describe}        return {{'size': 0.5}}\n\n    def bound")]
    problem = catalog.load(str(tiny.write(tmp_path, changes=changes)))
    if fails:
        with pytest.raises(ProblemError, match="`descriptors` failed: ValueError"):
            search(problem, tmp_path / "run", Limit(30), workers=1)
    else:
        search(problem, tmp_path / "run", Limit(60), workers=1)
        with RunFolder(tmp_path / "run").open(read_only=True) as journal:
            best = journal.evaluation(journal.top(1)[0])
        assert any(result.metrics["error"] == 1.0 for result in best.cases)


def test_a_simulator_that_fails_before_the_first_decision_stops_the_run_and_the_fault_is_journalled(tmp_path):
    changes = [("guess = yield", "if FAULT.exists():\n            raise OSError('disk')\n        guess = yield")]
    changes.append(
        (
            "from evolve import",
            f"from pathlib import Path\nFAULT = Path({str(tmp_path / 'fault')!r})\nfrom evolve import",
        )
    )
    problem, out = catalog.load(str(tiny.write(tmp_path, changes=changes))), tmp_path / "run"

    def spoil(progress):
        if progress.told.number == 9:
            (tmp_path / "fault").touch()

    with pytest.raises(ProblemError, match=r"simulator fails with OSError: disk .* before the first decision"):
        search(problem, out, Limit(60), workers=1, report=spoil)
    with RunFolder(out).open(read_only=True) as journal:
        assert "OSError: disk" in journal.last_fault()
        assert 10 <= journal.count() < 60
        assert set(journal.verdicts()) <= {Verdict.OK, Verdict.INVALID}
        assert journal.turns() > journal.count()
        assert "stopped   ProblemError" in runs.describe(runs.summary(RunFolder(out), journal))
    (tmp_path / "fault").unlink()
    search(problem, out, Limit(60), workers=1)
    assert len(candidates(out)) == 60
    with RunFolder(out).open(read_only=True) as journal:
        assert journal.last_fault() == ""


# A kill in the middle: the test adopts what a killed run leaves behind, so that it sees all of it.


@contextmanager
def adopting_orphans():
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def descendants(of):
    parents = {}
    for pid in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:  # noqa: PTH123
                state, parent = stat.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            parents.setdefault(int(parent), []).append(int(pid))
    found, new = set(), {of}
    while new:
        new = {child for parent in new for child in parents.get(parent, ())} - found
        found |= new
    return found


def survivors(before, seconds=1.0):
    until = time.monotonic() + seconds
    while (left := descendants(os.getpid()) - before) and time.monotonic() < until:
        time.sleep(0.01)
    return left


def started(problem, out, *more):
    command = [sys.executable, "-m", "evolve", "run", str(problem.path), "--out", str(out), "--workers", "2", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def test_a_run_killed_at_twenty_instants_has_all_that_was_told_and_ends_like_one_never_killed(problem, tmp_path):
    out, instants = tmp_path / "run", Random(20)
    kept = []
    with adopting_orphans():
        before = descendants(os.getpid())
        for kill in range(KILLS):
            with started(problem, out, "--evaluations", "100000") as running:
                if kill % 2:  # half of them while it begins, however long that takes here
                    assert "searching in" in running.stderr.readline()
                time.sleep(instants.uniform(0.02, 1.0 + kill / 20))
                running.kill()
            assert survivors(before) == set()
            now = told(out)
            assert now[: len(kept)] == kept
            kept = now
    evaluations = len(kept) + 10
    assert evaluations > 30
    outcome = search(problem, out, Limit(evaluations), workers=2)
    assert [row for row in told(out) if row[1] == "train"][: len(kept)] == kept
    assert search(problem, tmp_path / "whole", Limit(evaluations), workers=2) == outcome
    assert candidates(out) == candidates(tmp_path / "whole")


@pytest.mark.parametrize(("send", "stop"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)])
def test_who_stops_a_run_stops_it_cleanly_and_the_command_it_names_goes_on(problem, tmp_path, send, stop):
    out = tmp_path / "run"
    with adopting_orphans():
        before = descendants(os.getpid())
        with started(problem, out, "--evaluations", "100000") as running:
            while len(told(out)) < 20:
                time.sleep(0.02)
            send(running.pid, stop)
            text, errors = running.communicate(timeout=10)
        assert survivors(before) == set()
    assert running.returncode == 1
    assert "Traceback" not in errors
    assert f"stopped; every evaluation is kept, and `evolve run {problem.path} --out {out}" in errors
    assert "judged" in text
    count = len(told(out))
    search(problem, out, Limit(count + 5), workers=1)
    assert len(candidates(out)) == count + 5


@pytest.mark.parametrize("after", [0.05, 0.3, 0.6])
def test_ctrl_c_while_a_run_begins_shows_no_traceback(problem, tmp_path, after):
    with started(problem, tmp_path / "run") as running:
        assert "searching in" in running.stderr.readline()
        time.sleep(after)
        os.killpg(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=10)
    assert running.returncode == 1
    assert "Traceback" not in errors


def test_a_second_process_on_the_same_run_is_refused(problem, tmp_path):
    with RunFolder(tmp_path / "run").locked(), pytest.raises(EvolveError, match="another process is working"):
        search(problem, tmp_path / "run", Limit(5), workers=1)


def test_where_time_counts_nobody_is_raced(tmp_path):
    class Racing(Strategy):
        name = "racing"

        def racing(self):
            raise AssertionError("asked for racing")

    timed = [
        ('objective, direction = "error", "minimize"', 'objective, direction, timed = "cpu_seconds", "minimize", True')
    ]
    problem = catalog.load(str(tiny.write(tmp_path, "timed", timed)))
    with pytest.raises(AssertionError):
        search(catalog.load(str(tiny.write(tmp_path))), tmp_path / "a", Limit(2), strategy=Racing())
    search(problem, tmp_path / "b", Limit(2), strategy=Racing())
