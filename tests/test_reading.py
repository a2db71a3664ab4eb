"""Reading a run on the command line: its log with gains, and differences of anything, of sound runs and others."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import big_run
import pytest
import tiny

import evolve as evolve_api
from evolve.cli import main
from evolve.folder import RunFolder
from evolve.types import Miss, Outcome, Proposal

HEADER = {"problem": "big", "spec": "big.py", "digest": "d", "engine": "0", "seed": 0, "lag": 8, "cases": "train"}
MORE = {"cases_hash": "", "proposers": "mutate", "started": "now"}


@pytest.fixture
def new_run(tmp_path, monkeypatch):
    """Makes a run in the folder ``run``, and returns its journal to write to."""
    monkeypatch.chdir(tmp_path)
    opened = []

    def new_run():
        folder = RunFolder(tmp_path / "run")
        header = big_run.Header(**HEADER, **MORE, secret_hash=folder.prepare())
        opened.append(folder.create(header))
        return opened[-1]

    yield new_run
    for journal in opened:
        journal.close()


@pytest.fixture
def run(new_run):
    """Two baselines, a chain, a crossover, a crash, a turn without a policy; 4 leads on validation."""
    journal = new_run()
    add(journal, 0, 1.0, proposer="baseline", operator="reference", source="x = 1\n")
    add(journal, 1, 0.5, proposer="baseline", operator="greedy", source="x = 2\ny = 2\n")
    add(journal, 2, 1.1, parents=(0,), source="x = 1\ny = 1  # one\n")
    add(journal, 3, None, parents=(2,), rationale="bolder")
    add(journal, 4, 1.21, parents=(2, 1), operator="graft", rationale="takes y", source="x = 1\ny = 2\n")
    journal.propose(5, Miss(5, Outcome.NO_POLICY, "prose", "llm", "edit", (4,), model="m", prompt="p"))
    for number, score in ((0, 1.0), (2, 1.2), (4, 1.26)):
        journal.record(number, tiny.evaluation(score), 9.0, "validation")
    return journal


def add(journal, number, score, parents=(), source="x = 3\n", **made):
    journal.propose(number, Proposal(source, **{"proposer": "mutate", "parents": parents, **made}))
    journal.record(number, tiny.evaluation(score), float(number))


@pytest.fixture
def evolve(capsys):
    """Runs a command and returns its exit status and what it printed."""

    def evolve(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse
            status = ended.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return evolve


@pytest.fixture
def said(evolve):
    """Returns what a command that must fail with status 1 says in its one line."""

    def said(*arguments):
        status, out, errors = evolve(*arguments)
        assert (status, out, errors.count("\n")) == (1, "", 1)
        return errors.removeprefix("evolve: ").rstrip()

    return said


# log


def test_the_log_shows_what_each_step_on_the_line_to_the_best_gained(run, evolve):
    status, out, _ = evolve("log", "run")
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert rows[0] == "candidate from by verdict score gain in all validation gain there why"
    assert rows[2] == "#0 baseline: reference OK 1.0000 - +0.00% 1.0000 -"
    assert rows[3] == "#2 #0 mutate OK 1.1000 +10.00% +10.00% 1.2000 +20.00%"
    assert rows[4] == "#4 #2 #1 mutate: graft OK 1.2100 +10.00% +21.00% 1.2600 +5.00% takes y"
    assert "lists all 6" in out


def test_the_log_in_json_holds_the_gains_beside_what_it_ever_held(run, evolve):
    found = json.loads(evolve("log", "run", "--all", "--json")[1])
    assert [step["number"] for step in found] == list(range(6))
    assert found[4] == {
        "number": 4,
        "verdict": "OK",
        "score": 1.21,
        "proposer": "mutate",
        "operator": "graft",
        "parents": [2, 1],
        "rationale": "takes y",
        "gain": pytest.approx(0.1),
        "gain_in_all": pytest.approx(0.21),
        "validation_score": 1.26,
        "validation_gain": pytest.approx(0.05),
    }
    assert [found[3][name] for name in ("gain", "gain_in_all", "validation_score", "validation_gain")] == [None] * 4


def test_a_child_of_a_failed_parent_has_no_gain_over_it(run, evolve):
    add(run, 6, 1.05, parents=(3,))
    step = json.loads(evolve("log", "run", "--all", "--last", 1, "--json")[1])[0]
    assert (step["gain"], step["gain_in_all"]) == (None, pytest.approx(0.05))


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--verdict", "CRASHED"], [3]),
        (["--verdict", "no_policy"], [5]),
        (["--verdict", "OK", "--last", "2"], [2, 4]),
        (["--verdict", "CRASHED", "--verdict", "NO_POLICY"], [3, 5]),
        (["--all", "--last", "2"], [4, 5]),
        (["--last", "1"], [4]),
        (["--last", "100"], [0, 2, 4]),
        (["--verdict", "TIMED_OUT"], []),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_the_log_shows_only_what_it_is_asked_for(run, evolve, options, numbers):
    assert [step["number"] for step in json.loads(evolve("log", "run", "--json", *options)[1])] == numbers


def test_a_log_without_a_line_says_why(run, evolve):
    assert evolve("log", "run", "--verdict", "TIMED_OUT")[:2] == (0, "none of the 6 turns of this run is TIMED_OUT\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--verdict", "CRASH"], "no verdict or outcome 'CRASH'; did you mean CRASHED?"),
        (["--verdict", "NO_POLICIES"], "did you mean NO_POLICY?"),
        (["--verdict", "zzz"], "no verdict or outcome 'zzz'; there are OK, INVALID, "),
        (["--last", "0"], "expected a whole number of at least 1, got '0'"),
    ],
)
def test_a_wrong_filter_names_what_is_known(run, evolve, options, message):
    status, out, errors = evolve("log", "run", *options)
    assert (status, out) == (2, "")
    assert message in errors


# diff


@pytest.mark.parametrize(
    ("named", "old", "new"),
    [
        ([], "#0 (baseline: reference)", "#4 (mutate: graft)"),
        (["best"], "#0 (baseline: reference)", "#4 (mutate: graft)"),
        (["greedy"], "#0 (baseline: reference)", "#1 (baseline: greedy)"),
        (["2"], "#0 (baseline: reference)", "#2 (mutate)"),
        (["#2"], "#0 (baseline: reference)", "#2 (mutate)"),
        (["parent"], "#2 (mutate)", "#4 (mutate: graft)"),
        (["parent", "2"], "#0 (baseline: reference)", "#2 (mutate)"),
        (["4", "parent"], "#4 (mutate: graft)", "#2 (mutate)"),
        (["greedy", "best"], "#1 (baseline: greedy)", "#4 (mutate: graft)"),
        (["4", "reference"], "#4 (mutate: graft)", "#0 (baseline: reference)"),
        (["mine.py"], "#0 (baseline: reference)", "mine.py"),
        (["./best", "best"], "./best", "#4 (mutate: graft)"),
        (["2", "mine.py"], "#2 (mutate)", "mine.py"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_anything_is_compared_with_anything(run, evolve, tmp_path, named, old, new):
    for name in ("mine.py", "best"):
        (tmp_path / name).write_text("x = 7\n")
    status, out, _ = evolve("diff", "run", *named)
    assert status == 0
    assert out.splitlines()[:2] == [f"--- {old}", f"+++ {new}"]
    found = json.loads(evolve("diff", "run", *named, "--json")[1])
    assert (found["old"], found["new"], found["diff"] + "\n", found["note"]) == (old, new, out, "")


def test_what_is_compared_with_itself_is_the_same(run, evolve):
    assert evolve("diff", "run", 2, 2)[1] == "#2 (mutate) and #2 (mutate) are the same\n"
    assert json.loads(evolve("diff", "run", 2, 2, "--json")[1])["diff"] == ""


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (["bset"], "no candidate, baseline or file 'bset'; did you mean 'best'?"),
        (["gredy", "best"], "no candidate, baseline or file 'gredy'; did you mean 'greedy'?"),
        (
            ["zzz"],
            "no candidate, baseline or file 'zzz'; expected a number, best, parent, reference, greedy, or a file",
        ),
        (["nowhere.py"], "cannot read the policy nowhere.py: No such file or directory; the baselines are reference"),
        (["run"], "cannot read the policy run: Is a directory"),
        (["binary"], "the policy binary is not UTF-8 text"),
        (["/dev/zero"], "the policy /dev/zero is no plain file"),
        (["77"], "the run has no candidate 77; it has 0 to 6"),
        (["9" * 18], "the run has no candidate 999"),
        (["9" * 30], "no candidate, baseline or file '999"),
        (["5"], "turn 5 of the run led to no candidate: NO_POLICY: prose"),
        (["6"], "candidate 6 is not judged yet"),
        (["parent", "parent"], "each side would be the parent of the other"),
        (["parent", "binary"], "binary is a file, and only a candidate has a parent"),
        (["parent", "greedy"], "#1 has no parent: its lineage begins with it"),
        (["bad\x1b[2J\nname"], "no candidate, baseline or file 'bad?[2J name'"),
    ],
    ids=lambda value: ascii(" ".join(value))[:20] if isinstance(value, list) else "",
)
def test_what_cannot_be_compared_is_refused_in_a_line_that_names_the_nearest(run, said, tmp_path, named, message):
    run.propose(6, Proposal("x = 9\n", "mutate", parents=(4,)))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert said("diff", "run", *named).startswith(message)


def test_a_baseline_may_have_any_name(run, said, evolve):
    for number, name in ((6, "\x1b[2J\nevil"), (7, "best"), (8, "x" * 5000)):
        add(run, number, 0.1, proposer="baseline", operator=name)
    message = said("diff", "run", "zzz")
    assert "?[2J evil" in message
    assert len(message) < 500
    assert "+++ #4 " in evolve("diff", "run", "best")[1]


def test_side_by_side_is_as_wide_as_the_terminal_or_as_it_is_told(run, evolve, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    narrow, wide = (evolve("diff", "run", "-y", *more)[1].splitlines() for more in ([], ["--width", 100]))
    assert [line.split() for line in narrow] == [line.split() for line in wide]
    assert [line.index(">") for line in narrow if ">" in line] == [29]
    assert [line.index(">") for line in wide if ">" in line] == [49]
    assert evolve("diff", "run", "--width", 100)[1].splitlines() == wide
    assert json.loads(evolve("diff", "run", "-y", "--json")[1])["diff"].splitlines() == narrow


@pytest.mark.parametrize("width", ["39", "1001", "9" * 9999, "wide", "-60"])
def test_a_width_that_nobody_can_read_is_refused(run, evolve, width):
    status, _, errors = evolve("diff", "run", f"--width={width}")
    assert status == 2
    assert "expected 40 to 1000 columns" in errors


def test_code_alone_is_compared_on_request(run, evolve):
    assert "-y = 1  # one" in evolve("diff", "run", 2, 4)[1]
    note, _, _, *shown = evolve("diff", "run", 2, 4, "--code")[1].splitlines()
    assert note.startswith("code only: ")
    assert shown == ["@@ -1,2 +1,2 @@", " x = 1", "-y = 1", "+y = 2"]
    assert json.loads(evolve("diff", "run", 2, 4, "--code", "--json")[1])["note"] == note


@pytest.mark.parametrize(("no_colour", "painted"), [(False, True), (True, False)])
@pytest.mark.parametrize("how", [[], ["-y"]], ids=["unified", "side by side"])
def test_a_terminal_gets_colours_unless_they_are_refused(run, monkeypatch, capsys, no_colour, painted, how):
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["diff", "run", *how]) == 0
    assert ("\x1b[32m" in capsys.readouterr().out) == painted


# Runs that are not as they should be


def test_a_run_in_which_nothing_was_judged_says_so(new_run, evolve, said):
    new_run()
    assert "best      none yet: nothing was judged" in evolve("show", "run")[1]
    for options in ([], ["--all"], ["--verdict", "OK"]):
        assert evolve("log", "run", *options)[:2] == (0, "the run has come to no candidate yet; run it longer\n")
    assert evolve("log", "run", "--json")[1] == "[]\n"
    assert said("diff", "run") == "the run has no candidate 0; it has none yet"
    assert said("diff", "run", "best") == "the run has no candidate 0; it has none yet"
    assert said("show", "run", 0) == "the run has no candidate 0; it has none yet"


def test_a_run_with_only_failures_says_so(new_run, evolve, said):
    journal = new_run()
    add(journal, 0, None, proposer="baseline", operator="reference")
    add(journal, 1, None, parents=(0,), source="x = 4\n")
    assert "none yet: no candidate has a score; `evolve log run --all` lists" in evolve("show", "run")[1]
    assert evolve("log", "run")[1].startswith("no candidate of this run has a score yet, so there is no line to a best")
    assert evolve("log", "run", "--all")[1].count("CRASHED") == 2
    assert said("diff", "run") == "no candidate of this run has a score yet; run it longer"
    assert "+++ #1 (mutate)" in evolve("diff", "run", 0, 1)[1]


def test_a_run_that_another_process_works_on_is_read_as_far_as_it_is(new_run, evolve, tmp_path):
    new_run().close()
    writer = (
        "import sys, tiny\nfrom pathlib import Path\nfrom evolve.folder import RunFolder\n"
        "from evolve.types import Proposal\n"
        "folder = RunFolder(Path('run'))\n"
        "with folder.locked(), folder.open() as journal:\n"
        "    for number in range(10**9):\n"
        "        made = Proposal(f'x = {number}', 'mutate', parents=(number - 1,) if number else ())\n"
        "        journal.propose(number, made)\n"
        "        journal.record(number, tiny.evaluation(1 + number / 1e6), 1.0)\n"
        "        if number == 20: print('ready', flush=True)\n"
    )
    command, path = [sys.executable, "-c", writer], {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    with subprocess.Popen(command, env=path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            for command in (
                ["show"],
                ["log"],
                ["log", "--all", "--json"],
                ["show", 7],
                ["diff", "7", "best"],
                ["diff"],
            ):
                status, out, errors = evolve(command[0], "run", *command[1:])
                assert (status, errors) == (0, "")
                assert out
        finally:
            process.kill()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE proposals SET parents = '[4]' WHERE number IN (0, 2, 4)",
        "UPDATE proposals SET parents = '[4]' WHERE number = 4",
        "UPDATE proposals SET parents = '[-1]' WHERE number = 4",
        "UPDATE proposals SET parents = '[99]' WHERE number = 2",
        "UPDATE proposals SET parents = '{' WHERE number = 4",
        "UPDATE proposals SET parents = '{\"a\": 1}' WHERE number = 4",
        "UPDATE evaluations SET results = '{\"ratio\": [1e999]}' WHERE number = 4",
        'UPDATE evaluations SET results = \'{"ratio": {"a": 1}}\' WHERE number = 4',
        "UPDATE evaluations SET results = '{\"ratio\": 7}' WHERE number = 4",
        "UPDATE evaluations SET results = '[]' WHERE number = 4",
        "UPDATE evaluations SET results = '{' WHERE number = 4",
        "UPDATE evaluations SET results = x'00' WHERE number = 4",
        "UPDATE evaluations SET score = 'much' WHERE number = 2 AND cases = 'validation'",
    ],
    ids=lambda change: change[:70],
)
def test_a_damaged_run_is_said_to_be_damaged_by_all_that_need_its_best(run, said, change):
    run.close()
    with closing(sqlite3.connect("run/journal.sqlite")) as connection:
        connection.execute(change)
        connection.commit()
    for command in ("show", "log", "diff"):
        message = said(command, "run")
        assert "cannot be used" in message
        assert "put a copy of the file back" in message


def test_the_line_to_the_best_is_as_long_as_it_is(new_run, evolve):
    journal = new_run()
    journal._connection.execute("BEGIN")
    for number in range(3000):
        add(journal, number, 1 + number / 1e4, parents=(number - 1,) if number else ())
    journal._connection.execute("COMMIT")
    found = json.loads(evolve("log", "run", "--json")[1])
    assert [step["number"] for step in found] == list(range(3000))


def test_a_run_that_a_process_works_on_is_said_to_be_where_the_kernel_tells(run, evolve, tmp_path):
    said = "now       a process works on it, and it may come to more"
    with RunFolder(tmp_path / "run").locked():
        if f":{(tmp_path / 'run' / 'lock').stat().st_ino} " not in Path("/proc/locks").read_text():
            pytest.skip("the kernel does not tell")
        assert said in evolve("show", "run")[1].splitlines()
        assert json.loads(evolve("show", "run", "--json")[1])["worked_on"] is True
    assert said not in evolve("show", "run")[1]
    (tmp_path / "run" / "lock").unlink()
    assert json.loads(evolve("show", "run", "--json")[1])["worked_on"] is False


# Texts and files of strangers


def test_two_policies_that_look_the_same_are_not_said_to_be(run, evolve):
    add(run, 6, 1.0, source="x = '" + "a" * 2500 + "1'\n")
    add(run, 7, 1.0, source="x = '" + "a" * 2500 + "2'\n")
    for how in ([], ["--width", "240"]):
        out = evolve("diff", "run", 6, 7, *how)[1]
        assert "are the same" not in out
        assert " ".join(out.split()).count("others differ from column 2,506 on") == 2
    with evolve_api.load("run") as opened:
        assert opened.diff(6, 7).count("others differ from column 2,506 on") == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["diff", "run", "-y", "2", "4"],
        ["diff", "run", "2", "-y", "4"],
        ["diff", "-y", "run", "2", "4"],
        ["diff", "run", "2", "--width", "120", "4"],
        ["diff", "--width", "120", "run", "--", "2", "4"],
    ],
    ids=" ".join,
)
def test_options_may_stand_between_what_is_compared(run, evolve, monkeypatch, arguments):
    monkeypatch.setenv("COLUMNS", "120")
    assert evolve(*arguments) == evolve("diff", "run", "2", "4", "-y")


def test_options_may_stand_before_the_number_of_a_candidate(run, evolve):
    assert (
        evolve("show", "--json", "run", 2) == evolve("show", "run", "--json", 2) == evolve("show", "run", 2, "--json")
    )
    assert json.loads(evolve("show", "run", "--json", 2)[1])["number"] == 2


@pytest.fixture
def planted(run, tmp_path):
    """Plants in the run's folder a pipe, and links to a file that is none of the run's."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key.py").write_text("secret = 1\n")
    os.mkfifo("run/pipe.py")
    for name, to in (
        ("link.py", "../elsewhere/key.py"),
        ("inner", "../elsewhere"),
        ("loop.py", "loop.py"),
        ("nowhere.py", "../nowhere.py"),
    ):
        (tmp_path / "run" / name).symlink_to(to)
    (tmp_path / "elsewhere" / "journal.sqlite").touch()
    (tmp_path / "mine").symlink_to("run")


@pytest.mark.parametrize("name", ["pipe.py", "link.py", "inner/key.py", "loop.py", "nowhere.py", "inner/../link.py"])
@pytest.mark.parametrize("folder", ["run", "./run", "mine"])
def test_what_is_planted_in_a_run_is_neither_followed_nor_waited_for(planted, said, folder, name):
    message = said("diff", "run", 2, f"{folder}/{name}")
    reasons = {"pipe.py": "is no plain file", "loop.py": "Too many levels of symbolic links"}
    assert reasons.get(name, "is not followed; name the file") in message
    assert "secret = 1" not in message


def test_plain_files_in_a_run_and_links_elsewhere_are_read(planted, evolve, tmp_path):
    (tmp_path / "run" / "best.py").write_text("x = 7\n")
    (tmp_path / "link.py").symlink_to("run/best.py")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "up.py").write_text("x = 7\n")
    for name in ("run/best.py", "mine/best.py", "run/../run/best.py", "link.py", "run/../here/up.py"):
        assert "+x = 7" in evolve("diff", "run", 2, name)[1]


def test_a_pipe_of_the_user_is_not_waited_for(run, said, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert said("diff", "run", "./pipe").startswith("the policy ./pipe is no plain file, and is not read")


HUGE = 5 * 10**6


def test_huge_feedback_is_cut_where_it_is_shown(run, evolve):
    for number, feedback in ((6, "\n" * HUGE), (7, "y" * HUGE), (8, "ab\n" * 10)):
        run.propose(number, Proposal("x = 1\n", "mutate", parents=(0,)))
        run.record(number, replace(tiny.evaluation(1.0), feedback=feedback), 1.0)
    for number in (6, 7):
        out = evolve("show", "run", number)[1]
        assert "[cut here; it has 5,000,000 characters in all]" in out
        assert len(out) < 30_000
    assert evolve("show", "run", 8)[1].count("feedback  ab\n") == 10


def test_a_huge_policy_is_cut_where_it_is_shown_and_not_compared(run, evolve, said):
    run.propose(6, Proposal("x = 1\n" * HUGE, "mutate", parents=(0,)))
    run.record(6, tiny.evaluation(1.0), 1.0)
    out = evolve("show", "run", 6)[1]
    assert out.endswith("[cut here; it has 29,999,999 characters in all]\n")
    assert len(out) < 1 << 21
    assert said("diff", "run", 6) == "#6 has 30,000,000 characters; that is no policy to compare"


def test_huge_texts_are_cut_in_the_log(run, evolve):
    for number in range(6, 16):
        add(run, number, 1.0, parents=(0,), rationale="y" * HUGE, operator="z" * HUGE)
    run.propose(16, Miss(16, Outcome.NO_POLICY, "m" * HUGE, "llm", "edit", (4,), model="m", prompt="p"))
    start = time.process_time()
    status, out, _ = evolve("log", "run", "--all", "--json")
    assert time.process_time() - start < 2
    assert (status, len(out) < 100_000) == (0, True)
    found = json.loads(out)
    assert found[6]["rationale"] == "y" * 2000 + " [4998000 more characters]"
    assert found[16]["rationale"] == "m" * 2000 + " [4998000 more characters]"
    assert found[4]["rationale"] == "takes y"
    assert len(evolve("log", "run", "--all")[1]) < 20_000
    with evolve_api.load("run") as opened:
        assert opened.candidate(6).proposal.rationale == "y" * HUGE


def test_the_log_says_of_a_failure_why_it_failed(run, evolve):
    run.propose(6, Proposal("def f(): 1 / 0\n", "mutate", "term", (0,), "line 1: `1` becomes `1 / 0`"))
    run.record(6, tiny.evaluation(None), 2.0)
    _, out, _ = evolve("log", "run", "--verdict", "CRASHED", "--last", "1")
    assert out.splitlines()[2].endswith("ZeroDivisionError: division by zero")
