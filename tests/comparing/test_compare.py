"""Comparisons of real runs, on a problem that costs next to nothing."""

import json

import pytest
import tiny

from evolve.cli import main
from evolve.comparing import cell as searching
from evolve.comparing.cell import Order, failure
from evolve.comparing.folder import ComparisonFolder
from evolve.comparing.plan import Plan, entrant, subject
from evolve.fingerprint import fingerprint
from evolve.folder import RunFolder, alone
from evolve.types import EvolveError

WRONG = """
from evolve.archives.plain import Latest
from evolve.strategies import Strategy


class Breaks(Latest):
    def parent(self, rng):
        raise RuntimeError("no parent")


class Mine(Strategy):
    name = "mine"

    def archive(self, describe):
        return Breaks()
"""


def wanted(folder, **changes):
    details = {"seeds": (0,), "evaluations": 4, "cases": "train"} | changes
    specs = details.pop("strategies", ("default",))
    return Plan((subject(str(tiny.write(folder)), "train"),), tuple(map(entrant, specs)), **details)


def settle(folder, plan):
    with folder.settled(plan):
        pass


def order(folder):
    return Order(str(folder / "run"), str(folder / "tiny.py"), "", "sequential", 3, 5, "train", unsafe=False)


def compared(*arguments):
    return main(["compare", *map(str, arguments)])


def test_a_comparison_goes_on_where_it_was_and_a_cell_that_fails_stops_no_other(tmp_path, capfd):
    problem, out = tiny.write(tmp_path), tmp_path / "out"
    (tmp_path / "mine.py").write_text(WRONG)
    told = ("--evaluations", 4, "--seeds", 1, "--out", out, "--json", "--plot", tmp_path / "a.svg")
    assert compared(problem, *told, "--strategies", f"default,{tmp_path / 'mine.py'}:Mine") == 1
    found = json.loads(capfd.readouterr().out)
    (why,) = found["failures"]
    assert why["cell"] == "tiny/mine/seed-0"
    assert "mine.py: Mine: searching with it failed: RuntimeError: no parent" in why["message"]
    assert found["rows"][0]["seeds"] == [0]
    assert (tmp_path / "a.svg").read_text().startswith("<svg")

    journal = out / "tiny" / "default" / "seed-0" / "journal.sqlite"
    before = journal.stat().st_mtime_ns
    assert compared(problem, *told, "--strategies", "default") == 0
    again = json.loads(capfd.readouterr().out)
    assert again["rows"][0] == found["rows"][0]
    assert journal.stat().st_mtime_ns == before


def test_runs_are_counted_where_no_note_of_them_can_be_kept(tmp_path, monkeypatch, capsys):
    for home in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(home, "/dev/null")
    arguments = (tiny.write(tmp_path), "--out", tmp_path / "out", "--evaluations", 3, "--strategies", "sequential")
    assert compared(*arguments, "--seeds", 1, "--workers", 1) == 0
    assert "not searched here" not in "".join(capsys.readouterr())


def test_runs_of_a_comparison_rest_on_what_its_problem_says(tmp_path):
    based = ("    def bound", "    def basis(self, cases):\n        return f'recorded {cases}'\n\n    def bound")
    assert subject(str(tiny.write(tmp_path, changes=[based])), "train").basis == "recorded train"


def test_whoever_looks_at_a_comparison_as_at_a_run_hears_where_its_runs_are(tmp_path, capsys):
    settle(ComparisonFolder(tmp_path / "out"), wanted(tmp_path))
    assert main(["show", str(tmp_path / "out")]) == 1
    assert "out/PROBLEM/STRATEGY/seed-N" in capsys.readouterr().err


def test_two_do_not_work_in_one_folder_at_a_time(tmp_path, capsys):
    problem, out = tiny.write(tmp_path), tmp_path / "out"
    told = (problem, "--evaluations", 2, "--seeds", 1, "--strategies", "default", "--out", out)
    assert compared(*told) == 0
    settings = (out / "comparison.json").read_bytes()
    with alone(out):
        assert compared(*told, "--strategies", "default,random") == 1
    assert "another process is working on" in capsys.readouterr().err
    assert (out / "comparison.json").read_bytes() == settings


def test_searches_on_a_file_of_cases_are_refused_once_the_file_holds_others(tmp_path, capsys):
    read = "    def read_cases(self, path):\n        return [*map(int, path.read_text().split())]\n\n    def bound"
    problem, cases = tiny.write(tmp_path, changes=[("    def bound", read)]), tmp_path / "cases.txt"
    told = (problem, "--evaluations", 2, "--seeds", 1, "--strategies", "default", "--cases", cases)
    cases.write_text("3 4")
    assert compared(*told, "--out", tmp_path / "out") == 0
    cases.write_text("3 5")
    assert compared(*told, "--out", tmp_path / "out") == 1
    assert f"another content of the file {cases}" in capsys.readouterr().err


def test_a_cell_is_an_ordinary_run_and_its_best_is_judged_on_validation(tmp_path):
    tiny.write(tmp_path)
    searching.search(order(tmp_path))
    with RunFolder(tmp_path / "run").open(read_only=True) as journal:
        assert (journal.header.strategy, journal.header.seed, len(list(journal.told()))) == ("sequential", 3, 5)
        assert searching.validated(journal).score is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evaluations": 5}, "another number of evaluations (4; now 5)"),
        ({"unsafe": True}, "another sandbox (safe; now unsafe)"),
    ],
)
def test_a_comparison_with_other_settings_is_refused_and_says_what_differs(tmp_path, changes, said):
    folder = ComparisonFolder(tmp_path / "out")
    settle(folder, wanted(tmp_path))
    with pytest.raises(EvolveError) as refused:
        settle(folder, wanted(tmp_path, **changes))
    assert said in str(refused.value)


def test_searches_by_other_code_or_other_libraries_are_not_mixed(tmp_path, monkeypatch):
    folder = ComparisonFolder(tmp_path / "out")
    settle(folder, wanted(tmp_path))
    monkeypatch.setattr("evolve.fingerprint.version", lambda library: f"another {library}")
    fingerprint.cache_clear()
    with pytest.raises(EvolveError, match="another code of the search, or version of"):
        settle(folder, wanted(tmp_path))
    fingerprint.cache_clear()


def test_more_seeds_and_strategies_may_join_and_a_strategy_may_not_change(tmp_path):
    folder, own = ComparisonFolder(tmp_path / "out"), tmp_path / "mine.py"
    own.write_text(WRONG)
    settle(folder, wanted(tmp_path))
    settle(folder, wanted(tmp_path, seeds=(0, 1), strategies=("default", f"{own}:Mine")))
    own.write_text(WRONG + "\n# changed\n")
    settle(folder, wanted(tmp_path))
    with pytest.raises(EvolveError, match="another strategy called mine"):
        settle(folder, wanted(tmp_path, strategies=(f"{own}:Mine",)))


@pytest.mark.parametrize("text", ["[]", "{", '{"format": 2}', '{"format": 1, "settings": 3}'])
def test_a_folder_whose_settings_are_damaged_is_refused(tmp_path, text):
    (tmp_path / "comparison.json").write_text(text)
    with pytest.raises(EvolveError, match="give another --out"):
        settle(ComparisonFolder(tmp_path), wanted(tmp_path))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("")
    with pytest.raises(EvolveError, match="no comparison and not empty"):
        settle(ComparisonFolder(out), wanted(tmp_path))
    assert [file.name for file in out.iterdir()] == ["thesis.tex"]


def test_a_process_that_was_killed_is_a_failure_that_says_so():
    assert failure("", 0) == ""
    assert "status -9" in failure("", -9)
    assert failure("no\x1b problem", 0) == "no? problem"


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        ([], "name at least one problem", 2),
        (["spto"], "did you mean 'spot'", 1),
        (["prism,spto"], "did you mean 'spot'", 1),
        (["spot", "--strategies", "sequental"], "did you mean 'sequential'", 1),
        (["spot", "--plot", "a.png"], "expected a name such as curves.svg", 1),
    ],
)
def test_wrong_use_is_said_before_a_folder_is_made(tmp_path, capsys, arguments, said, status):
    try:
        ended = compared(*arguments, "--out", tmp_path / "out")
    except SystemExit as exit_:
        ended = exit_.code
    assert ended == status
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
