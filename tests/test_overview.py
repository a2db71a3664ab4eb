"""What can be evolved, at a glance: judged once, remembered while nothing changes, with the best published result."""

import json
import os
from dataclasses import dataclass, replace

import pytest
import tiny

from evolve import overview
from evolve.executors.local import LocalExecutor
from evolve.problem import SPLITS, ProblemError
from evolve.publication import result, shelf
from evolve.publication.result import Figure
from evolve.remembered import Remembered
from evolve.report import problems
from evolve.strict import Unreadable, of, read

BETTER = '"""Thrice."""\n\n\ndef guess(x):\n    return 3 * x + 0.5\n'


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a problem and a baseline of it; what is remembered lies there, too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    tiny.write(tmp_path)
    (tmp_path / "seeds" / "tiny").mkdir(parents=True)
    (tmp_path / "seeds" / "tiny" / "better.py").write_text(BETTER)
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """The problems that were judged, each time."""
    names = []

    class Counting(LocalExecutor):
        def __init__(self, problem, *arguments, **options):
            names.append(problem.name)
            super().__init__(problem, *arguments, **options)

    monkeypatch.setattr(overview, "LocalExecutor", Counting)
    return names


def test_a_problem_is_shown_with_its_reference_its_best_baseline_and_its_bound(home):
    (row,) = overview.overview(["tiny.py"])
    assert (row.problem, row.objective, row.baselines, row.best_baseline) == ("tiny", "error", 2, "better")
    assert row.best_score == pytest.approx(row.reference / 1.5, rel=0.9)
    assert row.best_score > 1
    assert (row.bound, row.result) == (1.0, "")
    assert 0.9 < row.gap < 1
    assert 0 < row.seconds < 60


def test_what_was_judged_is_remembered_until_the_problem_changes_or_it_is_to_be_fresh(home, started):
    first = list(overview.overview(["tiny.py"]))
    assert list(overview.overview(["tiny.py"])) == first
    assert started == ["tiny"]
    (home / "seeds" / "tiny" / "better.py").write_text(BETTER.replace("0.5", "0.25"))
    (changed,) = overview.overview(["tiny.py"])
    assert changed.best_score > first[0].best_score
    assert len(started) == 2
    list(overview.overview(["tiny.py"], fresh=True))
    assert len(started) == 3


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1, "entries": 3}', "[" * 100_000, '{"format": 0}'])
def test_memory_that_makes_no_sense_is_none(home, text):
    file = home / "cache" / "evolve" / "overview.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert Remembered(Figure, "overview.json").get("tiny", "key") is None


def test_memory_that_is_a_pipe_is_none_and_not_waited_for(home):
    (home / "cache" / "evolve").mkdir(parents=True)
    os.mkfifo(home / "cache" / "evolve" / "overview.json")
    memory = Remembered(Figure, "overview.json")
    memory.keep("x", "key", FIGURE)
    assert Remembered(Figure, "overview.json").get("x", "key") == FIGURE


def test_what_memory_says_of_results_and_of_another_problem_is_not_believed(home, monkeypatch, started):
    monkeypatch.setattr(shelf, "home", lambda: home / "results")
    first = list(overview.overview(["tiny.py"]))
    file = home / "cache" / "evolve" / "overview.json"
    known = json.loads(file.read_text())
    known["entries"]["tiny"]["value"] |= {"result": "seed-9", "result_score": 9.0, "result_proved": True}
    file.write_text(json.dumps(known))
    assert list(overview.overview(["tiny.py"])) == first
    assert started == ["tiny"]
    known["entries"]["tiny"]["value"]["problem"] = "spot"
    file.write_text(json.dumps(known))
    assert next(overview.overview(["tiny.py"])).problem == "tiny"
    assert started == ["tiny", "tiny"]


def test_memory_that_cannot_be_written_is_no_error(home, monkeypatch):
    (home / "cache").write_text("a file")
    memory = Remembered(Figure, "overview.json")
    memory.keep("x", "key", FIGURE)
    assert Remembered(Figure, "overview.json").get("x", "key") is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    memory.keep("x", "key", FIGURE)
    assert Remembered(Figure, "overview.json").get("x", "key") == FIGURE
    assert Remembered(Figure, "overview.json").get("x", "another key") is None


def test_a_row_of_another_shape_is_forgotten(home):
    memory = Remembered(Figure, "overview.json")
    memory.keep("x", "key", FIGURE)
    file = home / "cache" / "evolve" / "overview.json"
    file.write_text(file.read_text().replace('"mean"', '"average"'))
    assert Remembered(Figure, "overview.json").get("x", "key") is None


def test_rows_come_in_order_though_the_first_takes_longest(home, monkeypatch):
    monkeypatch.setattr(overview, "default_workers", lambda: 2)
    for name in ("b", "c"):
        tiny.write(home, name)
    slow = ("guess = yield", "sum(range(3_000_000))\n        guess = yield")
    tiny.write(home, "a", changes=[slow])
    said = []
    rows = list(overview.overview(["a.py", "b.py", "c.py"], tell=said.append))
    assert [row.problem for row in rows] == ["a", "b", "c"]
    assert said[0] == "judging the baselines of a, b; 3 of 3 problems to go"


def test_a_problem_at_fault_is_said_to_be_and_the_others_are_ended(home, monkeypatch):
    ended = []
    monkeypatch.setattr(overview._Row, "stop", lambda row: ended.append(row.problem.name))
    monkeypatch.setattr(overview, "default_workers", lambda: 2)
    tiny.write(home, "a", changes=[("if guess < 0:", "if guess > 0:")])
    with pytest.raises(ProblemError, match="the reference of a is INVALID"):
        list(overview.overview(["a.py", "tiny.py"]))
    assert ended == ["tiny"]


# the best result, and the table

FIGURE = Figure("#3", 1.0, 2.0, 1.9, 2.1, 5.0, 0.5)


def published(home, name, sealed, proved, objective=""):
    """Writes a result of that score; only what the overview needs is right in it."""
    figure = replace(FIGURE, sealed=sealed, low=sealed, high=sealed, gap_closed=sealed / 4)
    record = result.Result(
        format=1,
        problem="tiny",
        objective=result.Objective(objective, "error", "minimize", timed=False),
        conclusion="",
        proved=proved,
        unsafe=False,
        policy_sha256=result.sha256(""),
        candidate=3,
        baseline=None,
        about="",
        sealed=result.Sealed(6, 6, figure, FIGURE, FIGURE, 1.0, result.Spread(1, 1, 1, 1, 1), (), {}),
        train=1.0,
        validation=None,
        quick=None,
        lineage=(),
        search=result.Effort(None, "train", 0, 1, 1.0, 2, "", (), 0, 0, None, ""),
        versions=result.Versions("", "", "", "", "", ""),
        hashes=dict.fromkeys(SPLITS),
        seal=result.Seal(True, "", "", 1, 0, True),
        basis="",
        walls=(),
    )
    texts = {"policy.py": "", "record.json": result.as_text(record), "README.md": ""}
    return shelf.write(texts, home / "results" / "tiny" / name)


def test_the_best_result_is_the_best_proved_one_of_the_first_objective(home, monkeypatch):
    monkeypatch.setattr(shelf, "home", lambda: home / "results")
    published(home, "lucky", 3.0, proved=False)
    (row,) = overview.overview(["tiny.py"])
    assert (row.result, row.result_proved, row.outdated) == ("lucky", False, True)
    published(home, "good", 1.5, proved=True)
    published(home, "better", 1.75, proved=True)
    published(home, "fast", 9.0, proved=True, objective="speed")
    (home / "results" / "tiny" / "unsound").mkdir()
    (row,) = overview.overview(["tiny.py"])  # remembered, but not this
    assert (row.result, row.result_score, row.result_gap) == ("better", 1.75, 1.75 / 4)


def row(**details):
    known = overview.Overview("tiny", "Write `guess(x)`.", "error", "minimize", 2)
    return replace(known, reference_about="Twice.", reference=50.0, best_baseline="better", best_score=1.25, **details)


def test_the_table_says_whose_gap_it_is_and_what_is_not_proved():
    text = problems.describe([row(bound=1.0, gap=0.25, seconds=0.125)])
    _, _, line, decision, reference, *_ = text.splitlines()
    assert line.split() == ["tiny", "error", "(minimize)", "50.00", "better", "1.250", "1.000", "-", "25.0%", "0.12"]
    assert (decision, reference) == ("  Write `guess(x)`.", "  reference: Twice.")
    assert "the gap closed from reference to bound is the best baseline's" in text
    found = row(gap=0.25, result="seed-1", result_score=1.5, result_gap=0.75, outdated=True, result_proved=True)
    found = replace(found, result_found=True, rival="better", rival_score=1.375)
    assert "best result: seed-1 1.500, the best baseline beside it better 1.375\n" in problems.describe([found])
    nothing = problems.describe([replace(found, result_found=False)])
    assert "best result: the baseline better 1.375, for the search found nothing better\n" in nothing
    line = problems.describe([found]).splitlines()[2]
    assert "seed-1 1.500 (outdated)  75.0% (result)" in line
    line = problems.describe([replace(found, outdated=False, result_proved=False)]).splitlines()[2]
    assert "seed-1 1.500 (not proved)" in line


def test_the_table_names_further_objectives_and_is_no_wider_than_a_wide_terminal():
    wide = row(objectives=("balance", "speed", "both"), gap=0.25, result="speed-seed-1", result_score=1.0, seconds=1.0)
    wide = replace(wide, about="w" * 500, objective="mean_slowdown", best_baseline="uniform_progress_no_hysteresis")
    text = problems.describe([wide])
    assert "  objectives: balance (above), speed, both (with --objective)\n" in text
    assert max(map(len, text.splitlines()[:-2])) <= 160


# strict reading


@dataclass(frozen=True)
class Inner:
    number: float


@dataclass(frozen=True)
class Outer:
    inners: tuple[Inner, ...]
    perhaps: Inner | None
    by_name: dict[str, int]


def test_dataclasses_are_read_from_json_with_whole_numbers_for_real_ones():
    made = read(Outer, '{"inners": [{"number": 1}], "perhaps": null, "by_name": {"a": 2}}')
    assert made == Outer((Inner(1.0),), None, {"a": 2})
    assert type(made.inners[0].number) is float


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"inners": [{"number": "1"}], "perhaps": None, "by_name": {}}, r"inners\[0\]\.number should be a finite numb"),
        (
            {"inners": [{"number": 10**400}], "perhaps": None, "by_name": {}},
            r"inners\[0\]\.number should be a finite numb",
        ),
        ({"inners": [], "perhaps": {"nummer": 1}, "by_name": {}}, "unknown key 'perhaps.nummer'; did you mean 'number"),
        ({"inners": [], "perhaps": None, "by_name": {"a": 1.5}}, "by_name.a should be a whole number, and is 1.5"),
        ({"inners": {}, "perhaps": None, "by_name": {}}, "inners should be a list, and is {}"),
        ({"inners": [], "by_name": {}}, "the key 'perhaps' is missing"),
        (None, "the whole should be an object, and is null"),
    ],
)
def test_what_a_dataclass_does_not_hold_is_refused_with_its_place(value, message):
    with pytest.raises(Unreadable, match=message):
        read(Outer, json.dumps(value))
    with pytest.raises(Unreadable, match=message):
        of(Outer, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"inners": [], "perhaps": null, "perhaps": null, "by_name": {}}', "the key 'perhaps' is there twice"),
        ('{"inners": [], "perhaps": null, "by_name": {"a": 1, "a": 2}}', "the key 'a' is there twice"),
        ('{"inners": [], "perhaps": null, "by_name": {"\\ud800": 1}}', "by_name holds half of a character"),
    ],
)
def test_what_json_lets_pass_is_refused(text, message):
    with pytest.raises(Unreadable, match=message):
        read(Outer, text)
