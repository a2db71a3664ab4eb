"""What was judged before is answered from a file, and is what judging gives."""

import math
import sqlite3
from concurrent.futures import Future
from dataclasses import replace

import pytest
import tiny

from evolve import catalog
from evolve.executors import Task
from evolve.executors.cached import CachedExecutor
from evolve.executors.shelf import Shelf
from evolve.racing.race import Race, Stage
from evolve.remembered import folder
from evolve.types import PROVOKED, Evaluation, Layer, Verdict

GOOD = "def guess(x):\n    return 3 * x\n"
BAD = "def guess(x):\n    return -1.0\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def problem(tmp_path):
    return catalog.load(str(tiny.write(tmp_path)))


def judged(problem, inner, *tasks):
    """Returns what comes of tasks in a sitting of its own."""
    with CachedExecutor(inner, problem, Shelf.open()) as executor:
        return [executor.submit(task).result() for task in tasks]


class Fixed:
    """Gives every task the same evaluation."""

    def __init__(self, evaluation):
        self._evaluation, self.tasks = evaluation, []

    def submit(self, task):
        self.tasks.append(task)
        future = Future()
        future.set_result(self._evaluation)
        return future

    def close(self, *, at_once=False):
        pass


def said(folder, file, name, version):
    """Writes what a library says of itself."""
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")


def against(least):
    return Race((5, 0, 1, 2, 3, 4), (Stage(2, gain=0.0),), (1.0,) * 6, (math.inf,) * 6, (math.inf,) * 6, least, 10)


@pytest.mark.parametrize("first", [Task(GOOD), Task(GOOD, 0.0), Task(GOOD, race=against(0.001))])
@pytest.mark.parametrize("second", [Task(GOOD), Task(GOOD, 0.0), Task(GOOD, race=against(0.001))])
def test_a_policy_that_passed_is_answered_as_judging_would(problem, sandbox, first, second):
    judged(problem, tiny.Inline(problem, sandbox), first)
    inner = tiny.Inline(problem, sandbox)
    (known,) = judged(problem, inner, second)
    (anew,) = judged(problem, tiny.Inline(problem, sandbox), Task(f"{GOOD}\n\nUNUSED = 1\n", second.confirm_above))
    assert known.cases == anew.cases
    assert (known.verdict, known.score, known.feedback) == (anew.verdict, anew.score, anew.feedback)
    assert (known.calls, known.confirmed, known.simulations) == (anew.calls, anew.confirmed, anew.simulations)
    needs_confirmation = second.confirm_above == 0.0 and first.confirm_above != 0.0
    assert len(inner.tasks) == needs_confirmation


@pytest.mark.parametrize("other", [f"{GOOD}# random\n", GOOD.replace("x", "number"), f'"""Read by itself."""\n{GOOD}'])
def test_a_policy_of_the_same_form_is_judged_anew_for_it_may_read_its_own_names(problem, other):
    inner = Fixed(tiny.evaluation(1.0, 6))
    judged(problem, inner, Task(GOOD), Task(other))
    assert [task.source for task in inner.tasks] == [GOOD, other]


@pytest.mark.parametrize(
    ("line", "judgings"),
    [
        ("import json, numpy, simpy", 1),
        ("import numpy.linalg", 1),
        ("import mine", 2),
        ("from mine import price", 2),
        ("import sources", 2),
    ],
)
def test_nothing_is_remembered_of_a_problem_whose_imports_may_change(tmp_path, monkeypatch, line, judgings):
    for name in ("mine", "sources"):
        (tmp_path / f"{name}.py").write_text("price = 3\n", encoding="utf-8")
    said(tmp_path, "sources.egg-info/PKG-INFO", "sources", "1.0")  # as a folder of sources does
    monkeypatch.syspath_prepend(tmp_path)
    path = tiny.write(tmp_path)
    path.write_text(f"{line}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    problem, inner = catalog.load(str(path)), Fixed(tiny.evaluation(1.0, 6))
    judged(problem, inner, Task(GOOD))
    judged(problem, inner, Task(GOOD))
    assert len(inner.tasks) == judgings


def test_another_version_of_what_policies_may_import_is_another_matter(tmp_path, monkeypatch):
    (tmp_path / "lent.py").write_text("", encoding="utf-8")
    said(tmp_path, "lent-1.0.dist-info/METADATA", "lent", "1.0")
    said(tmp_path, "lent-1.0.dist-info/RECORD", "lent", "1.0")
    monkeypatch.syspath_prepend(tmp_path)
    lending = ("    def cases", "    imports = ('lent',)\n\n    def cases")
    problem, inner = catalog.load(str(tiny.write(tmp_path, changes=[lending]))), Fixed(tiny.evaluation(1.0, 6))
    judged(problem, inner, Task(GOOD))
    judged(problem, inner, Task(GOOD))
    assert len(inner.tasks) == 1
    said(tmp_path, "lent-1.0.dist-info/METADATA", "lent", "1.1")
    judged(problem, inner, Task(GOOD))
    assert len(inner.tasks) == 2


def test_another_objective_is_another_matter(tmp_path):
    several = (
        'objective, direction = "error", "minimize"',
        'objectives = {"error": Objective("error", "minimize"), "again": Objective("error", "minimize")}',
    )
    path = tiny.write(tmp_path, changes=[several, ("Call, Inv", "Call, Objective, Inv")])
    inner = Fixed(tiny.evaluation(1.0, 6))
    for name in ("error", "error", "again"):
        judged(catalog.load(str(path), name), inner, Task(GOOD))
    assert len(inner.tasks) == 2


def test_a_known_policy_that_loses_its_race_is_outraced(problem, sandbox):
    judged(problem, tiny.Inline(problem, sandbox), Task(GOOD))
    inner = tiny.Inline(problem, sandbox)
    (known,) = judged(problem, inner, Task(GOOD, race=against(1e6)))
    (anew,) = judged(problem, tiny.Inline(problem, sandbox), Task(f"{GOOD}\n\nUNUSED = 1\n", race=against(1e6)))
    assert known.verdict is Verdict.OUTRACED
    assert (known.cases, known.feedback, known.simulations) == (anew.cases, anew.feedback, anew.simulations)
    assert inner.tasks == []


def test_what_failed_is_known_for_the_very_text_and_race_only(problem, sandbox):
    judged(problem, tiny.Inline(problem, sandbox), Task(BAD))
    inner = tiny.Inline(problem, sandbox)
    known, *_ = judged(problem, inner, Task(BAD), Task(f"# {BAD}"), Task(BAD, race=against(1e6)))
    assert known.verdict is Verdict.INVALID
    assert [task.source for task in inner.tasks] == [f"# {BAD}", BAD]


@pytest.mark.parametrize(
    "evaluation",
    [
        Evaluation(Verdict.TIMED_OUT),
        Evaluation(Verdict.OUT_OF_MEMORY),
        Evaluation(Verdict.OUTRACED),
        Evaluation(Verdict.INVALID, confirmed=True),
        Evaluation(Verdict.INVALID, feedback=f"{PROVOKED}: its simulator takes more than 2 seconds"),
        Evaluation(Verdict.CRASHED, layers=(Layer.SECCOMP,)),
    ],
)
def test_what_may_come_out_otherwise_is_not_remembered(problem, evaluation):
    inner = Fixed(evaluation)
    judged(problem, inner, Task(GOOD))
    judged(problem, inner, Task(GOOD))
    assert len(inner.tasks) == 2


@pytest.mark.parametrize("task", [Task(GOOD, cases="validation"), Task(GOOD, secret="s"), Task(GOOD, unhurried=True)])
def test_what_confirms_a_search_is_judged_anew(problem, task):
    inner = Fixed(tiny.evaluation(1.0, 6))
    judged(problem, inner, task)
    judged(problem, inner, task)
    assert len(inner.tasks) == 2


def test_another_problem_is_another_matter(problem, tmp_path):
    inner = Fixed(tiny.evaluation(1.0, 6))
    judged(problem, inner, Task(GOOD))
    changed = catalog.load(str(tiny.write(tmp_path, changes=[("1 + abs", "2 + abs")])))
    judged(changed, inner, Task(GOOD))
    assert len(inner.tasks) == 2


@pytest.mark.parametrize("held", [replace(tiny.evaluation(1.0, 6), score=99.0), tiny.evaluation(1.0, 2)])
def test_what_does_not_add_up_is_judged_anew(problem, held):
    judged(problem, Fixed(held), Task(GOOD))
    inner = Fixed(tiny.evaluation(1.0, 6))
    assert judged(problem, inner, Task(GOOD, race=against(0.001))) == [tiny.evaluation(1.0, 6)]
    assert len(inner.tasks) == 1


@pytest.mark.parametrize("damage", ["no database", "a folder", "senseless", "locked"])
def test_a_file_that_cannot_be_used_is_no_error(problem, damage):
    file, inner = folder() / "judged.sqlite", Fixed(tiny.evaluation(1.0, 6))
    file.parent.mkdir(parents=True, exist_ok=True)
    other = None
    if damage == "no database":
        file.write_bytes(b"x" * 5000)
    elif damage == "a folder":
        file.mkdir()
    else:
        judged(problem, inner, Task(GOOD))
        other = sqlite3.connect(file)
        other.execute("UPDATE judged SET held = x'00'" if damage == "senseless" else "BEGIN EXCLUSIVE")
        if damage == "senseless":
            other.commit()
    before = len(inner.tasks)
    task = Task(f"{GOOD}\n\nNEW = 1\n" if damage == "locked" else GOOD, 0.0)
    assert judged(problem, inner, task) == [tiny.evaluation(1.0, 6)]
    assert len(inner.tasks) == before + 1
    if other is not None:
        other.close()


def test_the_oldest_evaluations_make_room(monkeypatch):
    monkeypatch.setattr("evolve.executors.shelf.MOST", 3)
    shelf = Shelf.open()
    for number in range(5):
        shelf.keep([(str(number), tiny.evaluation(1.0 + number))])
    assert [shelf.get(str(number)) is None for number in range(5)] == [True, True, False, False, False]
    assert shelf.get("4") == tiny.evaluation(5.0)
    shelf.close()
