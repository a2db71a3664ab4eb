"""`evolve explain` on runs: what it takes, what it refuses, what it leaves behind."""

import fcntl
import hashlib
import json
from contextlib import closing
from shutil import copytree
from sqlite3 import connect

import pytest
import tiny

from evolve.cli import main
from evolve.folder import RunFolder
from evolve.types import Miss, Outcome, Proposal

PLANTED = """\
def guess(x):
    unused = x + 1
    if x > 40 and x > -1:
        return 3 * x
    return 2 * x + 1
"""


@pytest.fixture
def evolve(capsys):
    """Runs a command and returns its exit status and what it printed."""

    def evolve(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse
            status = exit_.code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert not set(printed.out + printed.err) & {"\x1b", "\x07", "\x00"}
        return status, printed.out, printed.err

    return evolve


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A run with two candidates besides the reference: a good one with planted things, and one that crashes."""
    home = tmp_path_factory.mktemp("explained")
    tiny.write(home, changes=[("seeds(6)", "seeds(24)")])
    assert main(["run", str(home / "tiny.py"), "--evaluations", "1", "--out", str(home / "run"), "--workers", "1"]) == 0
    with RunFolder(home / "run").open() as journal:
        judged = tiny.evaluation(1.2, 24)
        journal.propose(1, Proposal(PLANTED, "mutate", "constant", (0,)))
        journal.record(1, judged, 1.0)
        journal.record(1, judged, 1.0, "validation")
        journal.propose(2, Proposal("def guess(x):\n    return 1 / 0\n", "mutate", "constant", (0,)))
        journal.record(2, tiny.evaluation(None), 1.0)
        journal.propose(3, Miss(3, Outcome.EMPTY, "nothing\x1b[2J", "llm"))
        journal.propose(4, Proposal("def guess(x):\n    return 9 / (x - x)\n", "mutate", "constant", (0,)))
        journal.record(4, tiny.evaluation(1.0), 1.0)
        journal.propose(5, Proposal(tiny.REFERENCE + "\x0c# \x1b]0;title\x07\n", "mutate", "constant", (0,)))
        journal.record(5, tiny.evaluation(1.0), 1.0)
    return home


@pytest.fixture
def home(original, tmp_path):
    """A copy of the run, beside the problem that it is of."""
    copytree(original / "run", tmp_path / "run")
    return tmp_path


def test_the_best_is_explained_and_what_was_found_is_kept_in_the_runs_folder(evolve, home):
    status, said, errors = evolve("explain", home / "run", "--workers", 1)
    assert status == 0
    assert errors.splitlines() == [
        "judging the policy and the baselines ...",
        "judging the smallest difference again, on fresh cases too, and every condition ...",
    ]
    assert said.startswith("tiny #1: +")
    assert "--minimised --to REPO" in said
    assert "statement `unused = x + 1`" in said
    assert "condition `x > -1`" in said
    assert "no conditions declared" in said
    small = (home / "run" / "minimised-1.py").read_text()
    assert "unused" not in small
    assert "return 3 * x" in small
    record = json.loads((home / "run" / "explanation-1.json").read_text())
    assert record["number"] == 1
    assert record["minimised_sha256"] == hashlib.sha256(small.encode()).hexdigest()
    assert record["scores"]["validation"]["minimised"] == pytest.approx(record["scores"]["validation"]["policy"])


def test_any_number_of_workers_finds_the_same(evolve, home):
    records = []
    for workers in (1, 2):
        status, said, _ = evolve("explain", home / "run", "--workers", workers, "--json")
        assert status == 0
        records.append(json.loads(said))
    assert records[0]["evaluations"] == records[1]["evaluations"]
    for record in records:
        assert json.dumps(record["hunks"]) == json.dumps(records[0]["hunks"])
        assert record["minimised"] == records[0]["minimised"]


def test_journal_and_secret_stay_as_they_are(evolve, home):
    with RunFolder(home / "run").open(read_only=True) as journal:
        before = journal.seal(), journal.count()
    evolve("explain", home / "run", 1, "--workers", 1)
    with RunFolder(home / "run").open(read_only=True) as journal:
        assert (journal.seal(), journal.count()) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["0"], "#0 is the baseline 'reference'"),
        (["2"], "#2 is CRASHED (ZeroDivisionError"),
        (["3"], "#3 led to no policy (EMPTY: nothing?[2J)"),
        (["4"], "#4 is CRASHED on the validation cases (validation 0: line 2: ZeroDivisionError"),
        (["5"], "#5 is the same code as reference: there is nothing to explain"),
        (["99"], "the run has no candidate 99"),
        (["--against", "refrence"], "tiny has no baseline 'refrence'; did you mean 'reference'?"),
        (["--against", "\x1b[2J"], "tiny has no baseline '?[2J'; there are: reference"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_what_to_do(evolve, home, words, said):
    status, out, errors = evolve("explain", home / "run", *words, "--workers", 1)
    assert (status, out) == (1, "")
    assert said in errors
    assert not (home / "run" / "minimised-1.py").exists()


@pytest.mark.parametrize("words", [["--tolerance", "2"], ["--evaluations", "0"], ["--workers", "0"], ["one"]])
def test_wrong_use_is_said_before_anything_is_done(evolve, home, words):
    status, _, errors = evolve("explain", home / "run", *words)
    assert status == 2
    assert "error: argument" in errors


def test_a_run_in_which_nothing_has_a_score_is_refused(evolve, home):
    with closing(connect(home / "run" / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE evaluations SET score = NULL, verdict = 'CRASHED'")
    status, _, errors = evolve("explain", home / "run", "--workers", 1)
    assert status == 1
    assert "no candidate of this run has a score yet" in errors


def test_a_run_whose_best_is_a_baseline_is_refused(evolve, home):
    with closing(connect(home / "run" / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE evaluations SET score = NULL, verdict = 'CRASHED' WHERE number > 0")
    status, _, errors = evolve("explain", home / "run", "--workers", 1)
    assert status == 1
    assert "the search found nothing better than the baseline 'reference' (#0)" in errors


def test_a_run_that_still_goes_on_is_left_alone(evolve, home):
    with (home / "run" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, _, errors = evolve("explain", home / "run")
        fcntl.flock(lock, fcntl.LOCK_UN)
    assert status == 1
    assert "another process is working on" in errors


def test_a_baseline_that_was_changed_since_ends_it(evolve, home):
    copy = tiny.write(home, changes=[("seeds(6)", "seeds(24)"), ("return 2.5 * x + 1", "return 2.5 * x + 2")])
    status, _, errors = evolve("explain", home / "run", "--problem", copy)
    assert status == 1
    assert "have changed since" in errors


def test_a_run_on_other_cases_than_train_is_judged_on_those_and_says_so(evolve, tmp_path):
    quick = ("    def bound", "    def case_sets(self):\n        return {'quick': [3, 50, 90]}\n\n    def bound")
    tiny.write(tmp_path, changes=[quick])
    run = tmp_path / "run"
    arguments = ("--cases", "quick", "--evaluations", 1, "--out", run, "--workers", 1)
    assert evolve("run", tmp_path / "tiny.py", *arguments)[0] == 0
    with RunFolder(run).open() as journal:
        journal.propose(1, Proposal(PLANTED, "mutate", "constant", (0,)))
        journal.record(1, tiny.evaluation(1.2, 3), 1.0)
    status, said, _ = evolve("explain", run, "--workers", 1)
    assert status == 0
    assert "judged on the quick cases, which the search saw" in said
    assert "quick score" in said
    assert "fresh score" in said
    assert "train score" not in said


def test_a_file_of_cases_that_was_changed_since_ends_it(evolve, tmp_path):
    reads = ("    def bound", "    def read_cases(self, path):\n        return [*path.read_bytes()]\n\n    def bound")
    tiny.write(tmp_path, changes=[reads])
    cases, run = tmp_path / "cases.bin", tmp_path / "run"
    cases.write_bytes(b"some")
    arguments = ("--cases", cases, "--evaluations", 1, "--out", run, "--workers", 1)
    assert evolve("run", tmp_path / "tiny.py", *arguments)[0] == 0
    with RunFolder(run).open() as journal:
        journal.propose(1, Proposal(PLANTED, "mutate", "constant", (0,)))
        journal.record(1, tiny.evaluation(1.2, 4), 1.0)
    assert evolve("explain", run, 1, "--workers", 1)[0] == 0
    cases.write_bytes(b"same")
    status, _, errors = evolve("explain", run, 1, "--workers", 1)
    assert status == 1
    assert "cases.bin has changed since the run began" in errors


def test_a_link_in_place_of_what_is_written_is_not_followed(evolve, home, tmp_path):
    target = tmp_path / "mine.py"
    target.write_text("mine\n")
    (home / "run" / "minimised-1.py").symlink_to(target)
    assert evolve("explain", home / "run", 1, "--workers", 1)[0] == 0
    assert target.read_text() == "mine\n"
    assert not (home / "run" / "minimised-1.py").is_symlink()
