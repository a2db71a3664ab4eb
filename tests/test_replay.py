"""A problem that replays measured times: without them it says how to get them, with them what its scores rest on."""

import json
import re
import signal
import subprocess
import sys
from functools import partial

import pytest
import tiny

from evolve import catalog, overview
from evolve.budget import Limit
from evolve.cases import basis_of
from evolve.cli import main
from evolve.executors import Task
from evolve.executors.local import LocalExecutor
from evolve.folder import RunFolder
from evolve.journal.header import FORMAT
from evolve.journal.rows import Seal
from evolve.problem import ProblemError, Unready
from evolve.session import search

TABLE = "tiny.table"
LACKING = "tiny: no table of times; `evolve gpu record tiny.py` measures one"
BASIS = "replay of times recorded on a test, table 1"
REPLAYING = [
    ("from evolve import", "from pathlib import Path\n\nfrom evolve import Unready,"),
    ("    objective,", '    held_out = True\n    measured = ("error",)\n    objective,'),
    (
        "        return [1 + seed",
        "        if not TABLE.exists():\n"
        f"            raise Unready({LACKING!r})\n"
        "        if split.name == 'test':\n"
        "            return [3 + 5 * n for n in range(6)]\n"
        "        return [1 + seed",
    ),
    (
        "    def bound",
        "    def basis(self, cases):\n"
        "        return f'replay of times recorded on a test, table {TABLE.read_text()}'\n\n"
        "    def record(self, file, tell):\n"
        "        tell('1 of 2 shapes')\n"
        "        (file or TABLE).write_text('1')\n"
        "        tell('2 of 2 shapes')\n"
        "        return file or TABLE\n\n"
        "    def bound",
    ),
]
RUN = ["run", "tiny.py", "--out", "run", "--workers", "1", "--evaluations"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with the problem and no table."""
    path = tiny.write(tmp_path, changes=REPLAYING)
    path.write_text(f"{path.read_text()}\n\nTABLE = Path(__file__).with_name({TABLE!r})\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recorded(home):
    """The same with a table."""
    (home / TABLE).write_text("1")
    return home


def files(folder):
    return {item.name for item in folder.iterdir()} - {"__pycache__"}


# without a table


@pytest.mark.parametrize(
    "command",
    [
        ["run", "tiny.py", "--evaluations", "3"],
        ["run", "tiny.py", "--evaluations", "3", "--out", "run"],
        ["score", "tiny.py"],
        ["score", "tiny.py", "--split", "validation"],
        ["prompt", "tiny.py"],
        ["check", "tiny.py"],
    ],
)
def test_what_a_problem_lacks_is_said_in_a_line_by_whoever_needs_it_and_no_folder_is_left(home, command, capsys):
    assert main(command) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"evolve: {LACKING}\n")
    assert files(home) == {"tiny.py"}


def test_a_search_that_is_begun_in_python_leaves_no_folder_either(home):
    (home / TABLE).mkdir()  # there is one, which cannot be read
    with pytest.raises(ProblemError, match="tiny: `basis` failed: IsADirectoryError"):
        search(catalog.load("tiny.py"), home / "run", Limit(3), workers=1)
    assert files(home) == {"tiny.py", TABLE}


def test_the_list_of_problems_has_it_with_what_it_lacks_in_place_of_scores(home, monkeypatch, capsys):
    monkeypatch.setattr(overview, "overview", partial(overview.overview, ["tiny.py"]))
    (row,) = overview.overview()
    assert (row.baselines, row.best_score, row.seconds, row.unready) == (1, None, None, LACKING)
    assert main(["problems"]) == 0
    _, _, line, *_, said = capsys.readouterr().out.splitlines()
    assert re.search(r"^tiny +error \(minimize\) +- +not ready +- +- +- +-$", line)
    assert said == f"not ready: {LACKING}"
    assert main(["problems", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["problem"], found["unready"], found["best_score"]) == ("tiny", LACKING, None)


def test_a_table_that_went_away_leaves_a_run_unverified_and_its_cases_unused(recorded, capsys):
    assert main([*RUN, "3"]) == 0
    (recorded / TABLE).unlink()
    capsys.readouterr()
    for command in (["verify", "run"], [*RUN, "9"]):
        assert main(command) == 1
        assert capsys.readouterr().err == f"evolve: {LACKING}\n"
    with RunFolder(recorded / "run").open(read_only=True) as journal:
        assert (journal.seal(), journal.count()) == (Seal(0, 0, None), 3)
    assert main(["show", "run"]) == 0


def test_what_is_unready_is_a_fault_of_the_problem_and_travels_as_it_is():
    assert issubclass(Unready, ProblemError)


# recording


def test_recording_tells_how_far_it_is_and_how_to_use_what_it_wrote(home, capsys):
    assert main(["gpu", "record", "tiny.py"]) == 0
    said = capsys.readouterr()
    assert said.err == "1 of 2 shapes\n2 of 2 shapes\n"
    first, *rest = said.out.splitlines()
    assert first == f"recorded  {home / TABLE}"
    assert "evolve run tiny.py" in rest[-1]
    assert (home / TABLE).exists()
    assert main(["score", "tiny.py", "--workers", "1"]) == 0


def test_a_recording_elsewhere_is_named_and_how_it_is_used_is_for_the_problem_to_say(home, capsys):
    assert main(["gpu", "record", "tiny.py", "--out", "mine"]) == 0
    out = capsys.readouterr().out
    assert out == "recorded  mine\n"
    assert files(home) - {"tiny.py"} == {"mine"}


def test_a_recording_that_is_interrupted_says_that_the_same_command_goes_on(home, capsys, monkeypatch):
    def interrupted(self, file, tell):
        tell("1 of 2 shapes")
        raise KeyboardInterrupt

    monkeypatch.setattr(signal, "signal", lambda *_: None)  # it would be ignored from then on
    monkeypatch.setattr(catalog, "load", lambda _: type("Some", (), {"record": interrupted})())
    assert main(["gpu", "record", "tiny.py", "--out", "my table"]) == 1
    said = capsys.readouterr()
    again = "`evolve gpu record tiny.py --out 'my table'`"
    assert (said.out, said.err) == ("", f"1 of 2 shapes\n\nstopped; what was measured is kept, and {again} goes on\n")


def test_a_problem_that_measures_nothing_has_nothing_to_record(capsys):
    assert main(["gpu", "record", "spot"]) == 1
    said = capsys.readouterr()
    assert said.err == "evolve: spot measures nothing: there is nothing to record, and it can be run as it is\n"


@pytest.mark.parametrize("arguments", [[], ["rec"], ["record"], ["record", "spot", "--ou", "x"]])
def test_wrong_use_of_gpu_ends_with_status_2_and_help(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["gpu", *arguments])
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert "usage: evolve gpu" in said.err
    assert re.search(r"^evolve gpu.*: error: ", said.err, re.MULTILINE)
    assert "record" in said.err


# with a table


def test_scores_stand_with_what_they_rest_on(recorded, monkeypatch, capsys):
    assert main(["score", "tiny.py", "--workers", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"basis {BASIS}"
    assert main(["score", "tiny.py", "--workers", "1", "--json"]) == 0
    assert [row["basis"] for row in json.loads(capsys.readouterr().out)] == [BASIS]
    monkeypatch.setattr(overview, "overview", partial(overview.overview, ["tiny.py"]))
    (row,) = overview.overview()
    assert main(["problems"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"tiny: basis {BASIS}"
    assert (row.basis, row.unready) == (BASIS, "")


def test_a_run_keeps_it_and_calls_its_cases_held_out_wherever_it_is_shown(recorded, capsys):
    assert main([*RUN, "40"]) == 0
    said = capsys.readouterr()
    assert f"basis     {BASIS}\n" in said.out
    assert f"basis     {BASIS}\nsearching in run;" in said.err
    (recorded / "tiny.py").unlink()  # whoever reads a run imports nothing
    assert main(["show", "run"]) == 0
    out = capsys.readouterr().out
    assert f"basis     {BASIS}\n" in out
    assert "held out  recorded and public, not secret; never used\n" in out
    assert "prove it on held-out cases" in out
    assert "sealed" not in out
    assert "SHA-256" not in out
    for command in (["show", "run", "0"], ["log", "run"], ["log", "run", "--all"]):
        assert main(command) == 0
        assert re.search(rf"^basis +{BASIS}$", capsys.readouterr().out, re.MULTILINE), command
    assert main(["show", "run", "--json"]) == 0
    header = json.loads(capsys.readouterr().out)["header"]
    assert (header["basis"], header["held_out"]) == (BASIS, True)


def test_a_proof_on_held_out_cases_never_calls_them_sealed_or_secret(recorded, capsys):
    assert main([*RUN, "40"]) == 0
    capsys.readouterr()
    assert main(["verify", "run", "--workers", "1"]) == 0
    said = capsys.readouterr()
    assert re.fullmatch(r"judging \d policies on 6 held-out cases \.\.\.\n", said.err)
    lines = said.out.splitlines()
    assert re.match(r"tiny: the best found, #\d+, beats every baseline on the held-out cases, reference by", lines[0])
    assert f"basis {BASIS}" in lines
    public = "recorded and public, not secret; used for the first time by this run"
    assert f"cases   6 held out, a process for each: {public}" in lines
    assert "train score  held-out score" in said.out
    assert "sealed" not in said.out
    assert "secret" not in said.out.replace("not secret", "")
    assert main(["verify", "run", "--workers", "1", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["held_out"], record["basis"], record["proved"]) == (True, BASIS, True)
    assert "on the held-out cases" in record["conclusion"]
    assert record == json.loads((recorded / "run" / "verification.json").read_text())
    assert main(["show", "run"]) == 0
    known = "used 2 times, 1 of them after scores on them had been shown"
    assert f"held out  recorded and public, not secret; {known}\n" in capsys.readouterr().out


def test_a_policy_found_after_scores_on_held_out_cases_were_shown_is_not_proved(recorded, capsys):
    assert main([*RUN, "2"]) == 0
    assert main(["verify", "run", "--workers", "1"]) == 0
    assert main([*RUN, "60"]) == 0
    capsys.readouterr()
    assert main(["verify", "run", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "was found after an earlier `evolve verify` had shown scores on these cases: no proof" in out
    assert "used 2 times by this run, 1 of them after scores on them had been shown" in out
    assert json.loads((recorded / "run" / "verification.json").read_text())["proved"] is False


def test_a_run_goes_on_and_is_verified_on_the_same_basis_only(recorded, capsys):
    assert main([*RUN, "3"]) == 0
    (recorded / TABLE).write_text("2")
    capsys.readouterr()
    for command in ([*RUN, "9"], ["verify", "run"]):
        assert main(command) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"evolve: the scores of this run rest on {BASIS}; here they would rest on ")
        assert "table 2; they cannot be compared" in said
    with RunFolder(recorded / "run").open(read_only=True) as journal:
        assert (journal.seal(), journal.count()) == (Seal(0, 0, None), 3)
    (recorded / TABLE).write_text("1")
    assert main([*RUN, "9"]) == 0


def test_where_search_and_proof_rest_on_different_things_both_are_said(recorded, capsys):
    path = recorded / "tiny.py"
    replay = "        return f'replay"
    live = "        if cases == 'train':\n            return 'measured here'\n"
    path.write_text(path.read_text().replace(replay, live + replay))
    assert main([*RUN, "9"]) == 0
    capsys.readouterr()
    assert main(["verify", "run", "--workers", "1"]) == 0
    assert f"basis measured here (train); {BASIS} (held-out)\n" in capsys.readouterr().out


@pytest.mark.parametrize("basis", ["two\nlines", "\x1b[2J", None])
def test_a_basis_is_plain_text_on_one_line(recorded, basis):
    problem = catalog.load("tiny.py")
    problem.basis = lambda cases: basis
    with pytest.raises(ProblemError, match="tiny: `basis` returned"):
        basis_of(problem, "train")


def test_scores_of_a_simulation_say_nothing_of_a_basis(tmp_path, monkeypatch, capsys):
    tiny.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = (["show", "run"], ["show", "run", "0"], ["log", "run"])
    for command in ([*RUN, "3"], ["score", "tiny.py"], ["verify", "run"], *shown):
        assert main(command) == 0
        said = capsys.readouterr()
        assert "basis" not in said.out + said.err
        assert "held" not in said.out + said.err


def test_a_journal_of_a_format_that_knew_no_basis_is_refused_as_that_of_another_version(recorded, capsys):
    assert FORMAT == 7
    assert main([*RUN, "3"]) == 0
    change = "import sqlite3\nwith sqlite3.connect('run/journal.sqlite') as c: c.execute(\"{}\")"
    for statement in (
        "UPDATE header SET value = '4' WHERE key = 'format'",
        "DELETE FROM header WHERE key = 'basis'",
        "DELETE FROM header WHERE key = 'held_out'",
    ):
        subprocess.run([sys.executable, "-c", change.format(statement)], check=True)
        assert main(["show", "run"]) == 1
        assert "was written by another version of evolve" in capsys.readouterr().err


def test_cases_that_are_kept_from_searches_are_refused_by_a_run_and_judged_by_score(recorded, capsys):
    path = recorded / "tiny.py"
    kept = (
        "    reserved = ('proof',)\n\n    def case_sets(self):\n        return {'proof': [3, 8, 13]}\n\n    def basis"
    )
    path.write_text(path.read_text().replace("    def basis", kept, 1))
    assert main([*RUN, "5", "--cases", "proof"]) == 1
    said = capsys.readouterr().err
    assert "the cases proof are kept from searches, to confirm what they find: `evolve score tiny POLICY.py" in said
    assert "run" not in files(recorded)
    assert main(["score", "tiny.py", "reference", "--cases", "proof"]) == 0


def test_a_table_that_is_exchanged_while_a_run_goes_on_gives_no_score(recorded):
    problem = catalog.load("tiny.py")
    began = basis_of(problem, "train")
    problem.basis = lambda cases: began  # a problem's scores rest on one table, whatever becomes of its file
    with LocalExecutor(problem, 1) as executor:
        assert executor.submit(Task(tiny.REFERENCE)).result().score == 1.0
        (recorded / TABLE).write_text("2")
        with pytest.raises(Unready, match=r"have to rest on .* table 1; since then it has become .* table 2"):
            executor.submit(Task(tiny.REFERENCE, cases="validation")).result()
