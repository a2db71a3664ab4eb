"""The command line: what it prints, its exit statuses, and that it never shows a traceback."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial

import pytest
import tiny

from evolve import overview
from evolve.cli import main
from evolve.folder import RunFolder
from evolve.types import Proposal

EVALUATIONS = 40


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a problem and a finished run of it."""
    home = tmp_path_factory.mktemp("home")
    tiny.write(home)
    command = [sys.executable, "-m", "evolve", "run", "tiny.py", "--evaluations", str(EVALUATIONS), "--out", "run"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True)
    (home / "out.txt").write_text(done.stdout)
    (home / "err.txt").write_text(done.stderr)
    return home


@pytest.fixture
def evolve(home, monkeypatch, capsys):
    """Runs a command in that folder and returns its exit status and what it printed."""
    monkeypatch.chdir(home)

    def evolve(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse
            status = exit_.code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return status, printed.out, printed.err

    return evolve


@pytest.fixture
def as_json(evolve):
    """The same with --json, which must be JSON that every reader takes."""

    def as_json(*arguments):
        status, out, _ = evolve(*arguments, "--json")
        assert status == 0
        return json.loads(out, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))

    return as_json


def copied(home, tmp_path):
    """Returns a copy of the run that a test may spoil."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for item in (home / "run").iterdir():
        (copy / item.name).write_bytes(item.read_bytes())
    return copy


# run


def test_run_prints_where_it_works_one_progress_line_and_a_summary(home):
    errors, out = (home / "err.txt").read_text(), (home / "out.txt").read_text()
    assert errors.startswith(
        f"searching in run; Ctrl-C stops, and `evolve run tiny.py --evaluations {EVALUATIONS} --out run` goes on\n"
    )
    assert re.search(
        rf"^{EVALUATIONS} evaluations, best on train \d+\.\d{{4}}, gap closed \d+\.\d%, \d+\.\d/s, \$0\.00, 0:00 left$",
        errors,
        re.MULTILINE,
    )
    assert re.search(rf"^judged +{EVALUATIONS} evaluations in \d+ s", out, re.MULTILINE)
    assert "cost      $0.00" in out
    assert "evolve verify run" in out


def test_run_in_json(as_json):
    run = as_json("run", "tiny.py", "--evaluations", EVALUATIONS, "--out", "run", "--workers", 1)
    assert (run["evaluations"], run["dollars"], run["header"]["problem"]) == (EVALUATIONS, 0.0, "tiny")
    assert sum(run["verdicts"].values()) == EVALUATIONS


def test_run_without_out_makes_a_folder_of_its_own_each_time(evolve, tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["run", str(home / "tiny.py"), "--evaluations", "1", "--workers", "1"]) == 0
    assert len(list((tmp_path / "runs").glob("tiny-2*/best.py"))) == 2


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ("spott", "evolve: no problem 'spott'; did you mean 'spot'?"),
        ("nowhere.py", "evolve: no problem file at nowhere.py"),
        ("out.txt", "evolve: no problem 'out.txt'"),
    ],
)
def test_an_unknown_problem_is_said_to_be_unknown_with_the_nearest_known(evolve, problem, message):
    for command in ("run", "score"):
        status, _, errors = evolve(command, problem)
        assert status == 1
        assert errors.startswith(message)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["rnu", "spot"],
        ["run", "tiny.py", "--evaluation", "3"],
        ["run", "tiny.py", "--evaluations", "0"],
        ["run", "tiny.py", "--evaluations", "many"],
        ["run", "tiny.py", "--minutes", "nan"],
        ["run", "tiny.py", "--minutes", "-1"],
        ["run", "tiny.py", "--workers", "0"],
        ["score", "tiny.py", "--split", "test"],
        ["score", "tiny.py", "--split", "exam"],
        ["score", "tiny.py", "--split", "train", "--cases", "quick"],
        ["show", "run", "best"],
        ["diff", "run", "1", "2", "3"],
    ],
)
def test_wrong_use_ends_with_status_2_and_says_what_was_expected(evolve, arguments):
    status, out, errors = evolve(*arguments)
    assert (status, out) == (2, "")
    assert re.search(r"^evolve.*: error: ", errors, re.MULTILINE)


def test_a_folder_that_holds_something_else_is_left_alone(evolve, home, tmp_path):
    (tmp_path / "thesis.tex").touch()
    status, _, errors = evolve("run", "tiny.py", "--out", tmp_path)
    assert status == 1
    assert "no run and not empty (it holds 'thesis.tex'); give another --out" in errors
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_that_another_process_works_on_is_refused(evolve, home):
    with RunFolder(home / "run").locked():
        for command in (["run", "tiny.py", "--out", "run"], ["verify", "run"]):
            status, _, errors = evolve(*command)
            assert status == 1
            assert "another process is working on run" in errors


def test_a_damaged_journal_is_refused_by_every_command_with_one_line(evolve, home, tmp_path):
    copy = copied(home, tmp_path)
    whole = (copy / "journal.sqlite").read_bytes()
    for damaged in (b"", whole[:3000], whole[: len(whole) // 2], b"\x00" * 5000, whole[:100] + b"\xff" * len(whole)):
        (copy / "journal.sqlite").write_bytes(damaged)
        for command in (["run", "tiny.py", "--out", copy], ["show", copy], ["log", copy], ["diff", copy]):
            status, out, errors = evolve(*command)
            assert (status, out) == (1, "")
            assert len([line for line in errors.splitlines() if line.startswith("evolve: ")]) == 1
            assert "--out" in errors


@pytest.mark.parametrize("command", ["show", "log", "diff", "verify"])
def test_what_is_no_run_is_said_to_be_none(evolve, command, tmp_path):
    for path in ("nowhere", "tiny.py", tmp_path):
        status, _, errors = evolve(command, path)
        assert status == 1
        assert errors.startswith(f"evolve: no run at {path}")


def test_reading_a_run_never_imports_code_from_its_folder(evolve, home, tmp_path):
    copy = copied(home, tmp_path)
    (copy / "trap.py").write_text("raise SystemExit('imported')\n")
    link = tmp_path / "elsewhere.py"
    link.symlink_to(copy / "trap.py")
    for spec in (copy / "trap.py", copy / ".." / "copy" / "trap.py", link):
        with closing(sqlite3.connect(copy / "journal.sqlite")) as connection:
            connection.execute("UPDATE header SET value = ? WHERE key = 'spec'", [json.dumps(str(spec))])
            connection.commit()
        for command in ("show", "log", "diff"):
            assert evolve(command, copy)[0] == 0
        status, _, errors = evolve("verify", copy)
        assert status == 1
        assert "what others name is not imported" in errors


# score


def test_score_compares_files_and_baselines(evolve, home):
    (home / "mine.py").write_text("def guess(x):\n    return 3 * x\n")
    status, out, _ = evolve("score", "tiny.py", "reference", "mine.py", "--workers", 1)
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split("  ")[0] == "policy"
    assert re.match(r"reference +OK +1\.000 +\[1\.000, 1\.000\] +\d+\.\d+ +0\.0%", lines[2])
    assert re.match(r"mine\.py +OK +\d+\.\d{3} +\[.*\] +1\.000 +100\.0%", lines[3])


def test_options_may_stand_before_the_policies(evolve, home):
    (home / "mine.py").write_text("def guess(x):\n    return 3 * x\n")
    for arguments in (
        ["--workers", 1, "tiny.py", "reference", "mine.py"],
        ["tiny.py", "--workers", 1, "reference", "mine.py"],
        ["tiny.py", "reference", "--workers", 1, "mine.py"],
    ):
        status, out, _ = evolve("score", *arguments)
        assert (status, [line.split()[0] for line in out.splitlines()[2:4]]) == (0, ["reference", "mine.py"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["score"], "the following arguments are required: PROBLEM"),
        (["export"], "the following arguments are required: RUN, --to"),
        (["export", "--to", "x"], "the following arguments are required: RUN"),
        (["diff", "run", "1", "-y", "2", "3"], "unknown argument 3; `evolve diff --help` lists what it takes"),
        (["show", "run", "--promt", "3"], "unknown argument --promt; did you mean --prompt?"),
        (["score", "tiny.py", "--split", "train", "a.py", "--cases", "b"], "not allowed with argument --split"),
        (["show", "run", "--json", "best"], "argument ID: invalid int value: 'best'"),
        (["explain", "run", "--evaluations", "0", "3"], "expected a whole number of at least 1, got '0'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_said_as_well_wherever_options_stand(evolve, arguments, said):
    status, out, errors = evolve(*arguments)
    assert (status, out) == (2, "")
    assert errors.startswith(f"usage: evolve {arguments[0]} [-h]")
    assert f"evolve {arguments[0]}: error: " in errors
    assert said in errors


def test_score_in_json(as_json):
    (row,) = as_json("score", "tiny.py", "--split", "validation", "--workers", 1)
    assert (row["name"], row["evaluation"]["score"], row["gap"]) == ("reference", 1.0, 0.0)
    assert len(row["evaluation"]["cases"]) == 6


def test_a_policy_without_a_score_has_its_reason_under_the_table_in_harmless_text(evolve, home):
    (home / "bad.py").write_text("def guess(x):\n    raise ValueError('\x1b]0;owned\x07' + 'x' * 10**6)\n")
    status, out, _ = evolve("score", "tiny.py", "bad.py", "--workers", 1)
    assert status == 1
    assert re.search(r"^bad\.py +CRASHED +- ", out, re.MULTILINE)
    assert "bad.py: " in out.splitlines()[-1]
    assert "ValueError" in out
    assert "\x1b" not in out
    assert len(out) < 2000


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("nothing.py", "cannot read the policy nothing.py: No such file or directory; the baselines are reference"),
        ("run", "cannot read the policy run: Is a directory"),
        ("binary", "the policy binary is not UTF-8 text"),
        ("/dev/zero", "the policy /dev/zero is no plain file"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(evolve, home, policy, message):
    (home / "binary").write_bytes(b"\xff\xfe\x00")
    status, out, errors = evolve("score", "tiny.py", policy)
    assert (status, out) == (1, "")
    assert errors.startswith(f"evolve: {message}")


@pytest.mark.parametrize("method", ["label", "bound", "stretch", "case_sets"])
def test_a_problem_whose_methods_raise_is_told_where(evolve, tmp_path, method):
    broken = f"    def {method}(self, *case):\n        raise KeyError('rack')\n\n    def bound"
    path = tiny.write(
        tmp_path, changes=[("    def bound(self, x):\n        return 1\n", f"{broken}_of(self):\n        pass\n")]
    )
    status, _, errors = evolve("score", path, "--workers", 1, *(["--cases", "quick"] if method == "case_sets" else []))
    assert (status, errors) == (1, f"evolve: tiny: `{method}` failed: KeyError: 'rack' (tiny.py, line 20)\n")


def test_unknown_cases_are_refused(evolve):
    status, _, errors = evolve("score", "tiny.py", "--cases", "nowhere.json")
    assert status == 1
    assert "no case set and no file 'nowhere.json'" in errors


def test_a_search_on_named_cases_says_where_it_ended_though_nobody_is_chosen_on_others(evolve, tmp_path):
    sets = ("    def bound", "    def case_sets(self):\n        return {'few': [3, 5]}\n\n    def bound")
    path = tiny.write(tmp_path, "named", [sets])
    status, _, errors = evolve(
        "run", path, "--cases", "few", "--evaluations", 7, "--workers", 1, "--out", tmp_path / "n"
    )
    assert status == 0
    assert re.search(r"^7 evaluations, best on few ", errors, re.MULTILINE)


# show, log, diff


def test_show_prints_a_run_and_what_to_do_next(evolve):
    status, out, _ = evolve("show", "run")
    assert status == 0
    assert re.search(r"^best +#\d+ \(.*\): score \d+\.\d{4} on train, \d+\.\d{4} on validation$", out, re.MULTILINE)
    assert re.search(
        r"^baseline +reference, the best of them: score 1\.0000 on train, 1\.0000 on validation$", out, re.MULTILINE
    )
    assert re.search(r"^sealed .*SHA-256 is [0-9a-f]{16}\.\.\.$", out, re.MULTILINE)


def test_show_prints_a_candidate(evolve, as_json):
    status, out, _ = evolve("show", "run", 0)
    assert status == 0
    assert out.startswith("#0 by baseline: reference\n")
    assert out.endswith(tiny.REFERENCE)
    assert as_json("show", "run", 0)["proposal"]["source"] == tiny.REFERENCE
    assert as_json("show", "run")["evaluations"] == EVALUATIONS


@pytest.mark.parametrize("number", [EVALUATIONS, -1])
def test_a_candidate_that_the_run_lacks_is_said_to_be_missing(evolve, number):
    for command in ("show", "diff"):
        status, _, errors = evolve(command, "run", "--", number)
        assert status == 1
        assert f"no candidate {number}; it has 0 to {EVALUATIONS - 1}" in errors


def test_log_prints_the_line_to_the_best_or_everything(evolve, as_json):
    status, out, _ = evolve("log", "run")
    assert status == 0
    assert out.splitlines()[2].startswith("#0 ")
    assert f"`evolve log run --all` lists all {EVALUATIONS}" in out
    assert len(evolve("log", "run", "--all")[1].splitlines()) == EVALUATIONS + 2
    assert [entry["number"] for entry in as_json("log", "run", "--all")] == list(range(EVALUATIONS))
    line = as_json("log", "run")
    assert line[0]["number"] == 0
    assert [entry["parents"][0] for entry in line[1:]] == [entry["number"] for entry in line[:-1]]


def test_diff_compares_with_the_reference_or_two_candidates(evolve, as_json):
    status, out, _ = evolve("diff", "run")
    assert status == 0
    assert out.startswith("--- #0 (baseline: reference)\n+++ #")
    assert evolve("diff", "run", 0)[1] == "#0 (baseline: reference) and #0 (baseline: reference) are the same\n"
    assert evolve("diff", "run", 3, 2)[1].startswith("--- #3 (")
    assert as_json("diff", "run")["diff"] + "\n" == out


def test_hostile_text_in_a_run_is_inert(evolve, home, tmp_path):
    copy = copied(home, tmp_path)
    hostile = "\x1b[2J\x1b]0;owned\x07\u202e\r\x9b31m"
    with RunFolder(copy).open() as journal:
        proposal = Proposal(f"# {hostile}\n{'y' * 10**6}\n", hostile, f"{hostile}\n\n", (0,), f"{hostile}\n" * 500)
        journal.propose(EVALUATIONS, proposal)
        evaluation = tiny.evaluation(1e6)
        journal.record(EVALUATIONS, evaluation, 1.0)
        journal.record(EVALUATIONS, evaluation, 1.0, "validation")
    printed = [evolve(*command, copy)[1] for command in (["show"], ["log"], ["log", "--all"], ["diff"])]
    printed.append(evolve("show", copy, EVALUATIONS)[1])
    for text in printed:
        assert f"#{EVALUATIONS}" in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
        assert len(text) < 20_000


# verify


def test_verify_prints_the_proof_and_keeps_it(evolve, home, tmp_path):
    copy = copied(home, tmp_path)
    (copy / "best.py").unlink()
    status, out, _ = evolve("verify", copy)
    assert status == 0
    lines = out.splitlines()
    assert re.match(r"tiny: the best found, #\d+, beats every baseline on the sealed cases, reference by", lines[0])
    for role in ("reference", "best baseline", "best found", "bound"):
        assert re.search(rf"^{role}  .*%  +[-.0-9]+$", out, re.MULTILINE)
    secret = (copy / "secret").read_text()
    for expected in (
        "6 cases, a process for each; used for the first time",
        f"{EVALUATIONS} evaluations in",
        "cost $0.00",
        f"run     {copy}\n",
        f"policy  {copy / 'best.py'}\n",
        "--- #0 (baseline: reference)",
    ):
        assert expected in out
    assert secret not in out
    record = json.loads((copy / "verification.json").read_text())
    assert record["secret"] == secret
    assert record["policy"] == (copy / "best.py").read_text()
    assert record["standings"][-1]["name"] == f"#{record['number']}"


def test_verify_in_json_counts_its_uses_and_others_can_judge_it_again(as_json, evolve, home, tmp_path):
    copy = copied(home, tmp_path)
    first, second = as_json("verify", copy), as_json("verify", copy)
    assert (first["uses"], second["uses"]) == (1, 2)
    assert first["standings"][-1]["evaluation"]["cases"] == second["standings"][-1]["evaluation"]["cases"]
    assert first["secret_hash"] == first["run"]["header"]["secret_hash"]
    assert "used 3 times" in evolve("verify", copy)[1]
    assert "used 3 times" in evolve("show", copy)[1]


def test_verify_refuses_a_tampered_secret_and_a_changed_problem(evolve, home, tmp_path):
    copy = copied(home, tmp_path)
    (copy / "secret").write_text("0" * 32)
    status, _, errors = evolve("verify", copy)
    assert status == 1
    assert "is not the secret whose hash was recorded when the run began" in errors
    assert "used" not in evolve("show", copy)[1].partition("never used")[0]
    (copy / "secret").unlink()
    assert "cannot read" in evolve("verify", copy)[2]


def test_verify_refuses_a_problem_that_has_changed_since(evolve, tmp_path, capsys):
    path = tiny.write(tmp_path)
    out = tmp_path / "run"
    assert evolve("run", path, "--evaluations", 2, "--out", out, "--workers", 1)[0] == 0
    tiny.write(tmp_path, changes=[("below zero", "negative")])
    status, _, errors = evolve("verify", out)
    assert status == 1
    assert "have changed since" in errors
    assert evolve("show", out)[0] == 0
    path.unlink()
    status, _, errors = evolve("verify", out)
    assert status == 1
    assert "no problem file at" in errors


# new, problems, doctor, help


def test_new_writes_a_problem_that_scores_and_runs_at_once(evolve, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = evolve("new", "page_cache")
    assert status == 0
    assert "evolve check page_cache.py" in out
    status, out, _ = evolve("score", "page_cache.py", "--workers", 1)
    assert status == 0
    assert re.search(r"^reference +OK +1\.000", out, re.MULTILINE)
    assert evolve("run", "page_cache.py", "--evaluations", 1, "--out", "run", "--workers", 1)[0] == 0
    status, _, errors = evolve("new", "page_cache")
    assert status == 1
    assert "exists already" in errors


@pytest.mark.parametrize("name", ["no-name", "1st", "", "../up", "random", "problem", "é"])
def test_new_refuses_a_name_that_cannot_be_a_problem(evolve, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    status, _, errors = evolve("new", name)
    assert status == 1
    assert errors.startswith("evolve: ")
    assert list(tmp_path.iterdir()) == []


def test_problems_lists_what_can_be_evolved(evolve, as_json, home, monkeypatch):
    monkeypatch.setattr(overview, "overview", partial(overview.overview, [str(home / "tiny.py")]))
    status, out, _ = evolve("problems")
    assert status == 0
    _, _, line, decision, *_ = out.splitlines()
    assert re.match(r"tiny +error \(minimize\) +\d+\.\d+ +reference 1\.000 +1\.000 +- +0\.0% +\d+\.\d\d$", line)
    assert decision.startswith("  Write `guess(x)`: a number")
    (found,) = as_json("problems")
    assert (found["problem"], found["best_score"], found["gap"]) == ("tiny", 1.0, 0.0)


def test_doctor_says_whether_the_sandbox_stands(evolve, as_json):
    status, out, _ = evolve("doctor")
    assert status == 0
    assert "the sandbox stands" in out
    assert as_json("doctor")["sound"] is True


def test_help_is_quick_because_it_loads_nothing_heavy():
    code = (
        "import sys\nfrom evolve.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "verify" in done.stdout
    loaded = set(done.stderr.split())
    assert not loaded & {"numpy", "optuna", "sqlite3", "msgpack", "multiprocessing", "ctypes", "evolve.judge"}


def test_a_reader_that_has_seen_enough_is_no_error(home):
    command = f"{sys.executable} -m evolve log run --all --json | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=home, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_run_in_a_folder_that_cannot_be_written_to_can_be_read(evolve, home, tmp_path):
    copy = copied(home, tmp_path)
    copy.chmod(0o500)
    assert evolve("show", copy)[0] == 0


def test_an_unknown_option_is_answered_with_the_nearest_known_one(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "spot", "--evaluation", "3"])
    assert ended.value.code == 2
    assert "unknown argument --evaluation; did you mean --evaluations?" in capsys.readouterr().err


def test_a_score_is_confirmed_before_it_is_shown(evolve, home):
    smuggled = """
import random
notes = random.__dict__.setdefault("notes", [])
def guess(x):
    notes.append(x)
    return 3 * x + (0 if len(notes) > 1 else 5)
"""
    (home / "smuggler.py").write_text(smuggled)
    status, out, _ = evolve("score", "tiny.py", "smuggler.py")
    assert status == 1
    assert "depends on other cases" in out


def test_a_split_is_no_case_set(evolve):
    status, _, err = evolve("score", "tiny.py", "--cases", "test")
    assert status == 2
    assert "--split takes train or validation, and test is sealed" in err
