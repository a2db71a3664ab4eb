"""A run as a git repository: what its history says, that nothing else counts in it, and that hostile text is data."""

import os
import shlex
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import git as gitpython
import pytest
import tiny

from evolve import lineage
from evolve.cli import main
from evolve.folder import RunFolder
from evolve.journal.database import JournalError
from evolve.journal.header import Header
from evolve.repository import GitError, Repository
from evolve.types import EvolveError, Miss, Outcome, Usage

FACTS = {
    "problem": "tiny",
    "spec": "tiny.py",
    "digest": "d",
    "engine": "0.1.0",
    "seed": 0,
    "lag": 8,
    "cases": "train",
    "cases_hash": "",
    "proposers": "mutate 3, tune 1",
    "started": "2026-01-02T03:04:05+00:00",
}
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e\u2066\x00\r"
NAMES = (
    "--help",
    "../x",
    "a b",
    "x.lock",
    "@{",
    "a\nb",
    "<",
    ">",
    "",
    ".",
    "x" * 1000,
    ESCAPES,
    "~^:?*[\\",
    "-",
    "HEAD",
)


@pytest.fixture(autouse=True)
def nobodys_git(tmp_path, monkeypatch):
    """No configuration of whoever runs the tests counts."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder, *words):
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True)
    return done.stdout.decode()


def source(number):
    return tiny.REFERENCE + f"# {number}\n"


def member(number, score=1.0, parents=(), **details):
    given = {"source": source(number), "parents": parents, "rationale": f"because of {number}", **details}
    return tiny.judged(number, score, **given)


def baseline(number, name, score=1.0):
    return member(number, score, proposer="baseline", operator=name)


def make(path, candidates, validation=(), **facts):
    """Makes the run of these candidates, or misses, the n-th of which was told after n seconds."""
    folder = RunFolder(path)
    header = Header(**{**FACTS, **facts}, secret_hash=folder.prepare())
    with folder.create(header) as journal:
        for index, found in enumerate(candidates):
            journal.propose(found.number, found if isinstance(found, Miss) else found.proposal)
            if not isinstance(found, Miss):
                journal.record(found.number, found.evaluation, float(index))
        for number, score in validation:
            journal.record(number, tiny.evaluation(score), 99.0, "validation")
    return folder


def write(folder, to=None):
    with folder.open(read_only=True) as journal:
        return lineage.write(folder, journal, to)


FAMILY = (
    baseline(0, "reference"),
    baseline(1, "greedy", 0.9),
    member(2, 1.1, (0,)),
    member(3, 1.2, (1,), proposer="llm", operator="edit", model="anthropic/small", usage=Usage(2000, 0, 1000, 0.0125)),
    member(4, None, (2,)),
    Miss(5, Outcome.EMPTY, "blank", "llm", "edit", (2,)),
    member(6, 1.3, (3, 2), operator="crossover"),
    member(7, 1.05, (2,)),
)


@pytest.fixture
def run(tmp_path):
    return make(tmp_path / "run", FAMILY, [(6, 1.25), (2, 1.2)])


# What the history says


def test_each_candidate_is_a_commit_whose_parents_are_the_candidates_parents(run):
    made = write(run)
    for found in FAMILY:
        if not isinstance(found, Miss):
            parents = git(made.path, "rev-parse", *(f"c{parent}" for parent in found.proposal.parents)).split()
            assert git(made.path, "show", "-s", "--format=%P", f"c{found.number}").split() == parents
            assert git(made.path, "ls-tree", "--name-only", f"c{found.number}") == "policy.py\n"
            assert git(made.path, "show", f"c{found.number}:policy.py") == found.proposal.source
    assert made.candidates == 7


def test_a_crossover_is_a_merge_and_other_libraries_see_it(run):
    made = write(run)
    assert made.merges == 1
    with gitpython.Repo(made.path) as repo:
        merges = [commit.summary for commit in repo.iter_commits("--all") if len(commit.parents) > 1]
    assert merges == ["c6 mutate: crossover, score 1.3000"]
    assert "|\\" in git(made.path, "log", "--graph", "--oneline", "best")


def test_a_candidate_whose_two_parents_are_one_is_no_merge(tmp_path):
    made = write(make(tmp_path / "run", [baseline(0, "reference"), member(1, 1.1, (0, 0))]))
    assert made.merges == 0
    assert len(git(made.path, "show", "-s", "--format=%P", "c1").split()) == 1


def test_a_turn_that_led_to_no_policy_is_no_commit(run):
    assert git(write(run).path, "tag").split() == ["c0", "c1", "c2", "c3", "c4", "c6", "c7"]


def test_branches_stand_for_the_best_the_baselines_and_the_best_that_descends_from_each(run):
    made = write(run)
    listed = git(made.path, "branch", "--format=%(refname:short) %(objectname)")
    pointed = dict(line.split() for line in listed.splitlines())
    numbers = {git(made.path, "rev-parse", f"c{number}").strip(): number for number in (0, 1, 2, 3, 4, 6, 7)}
    assert {name: numbers[commit] for name, commit in pointed.items()} == {
        "best": 6,
        "baselines/reference": 0,
        "baselines/greedy": 1,
        "lineages/reference": 2,
        "lineages/greedy": 6,
    }
    assert (made.best, made.reference) == (6, "baselines/reference")
    assert sorted(pointed) == sorted(made.branches)


def test_the_best_is_chosen_on_validation_and_checked_out(tmp_path):
    made = write(make(tmp_path / "run", FAMILY, [(6, 1.1), (3, 1.4)]))
    assert git(made.path, "symbolic-ref", "HEAD") == "refs/heads/best\n"
    assert git(made.path, "rev-parse", "best") == git(made.path, "rev-parse", "c3")
    assert Path(made.path, "policy.py").read_text() == source(3)
    assert git(made.path, "status", "--porcelain") == ""
    git(made.path, "fsck", "--strict")


def test_a_commit_says_why_what_came_of_it_and_what_it_cost(run):
    path = write(run).path
    assert git(path, "show", "-s", "--format=%B", "c3").rstrip() == (
        "c3 llm: edit, score 1.2000\n\n"
        "because of 3\n\n"
        "verdict   OK; score 1.2000 on train\n"
        "feedback  fair\n"
        "judged    7 calls, 0.250 s of CPU in the sandbox\n"
        "cost      $0.0125: 2,000 tokens in, 1,000 out\n\n"
        "Candidate: 3\nParents: 1\nVerdict: OK\nScore: 1.2"
    )
    failed = git(path, "show", "-s", "--format=%B", "c4")
    assert failed.startswith("c4 mutate: constant, CRASHED\n")
    assert "feedback  ZeroDivisionError: division by zero" in failed
    assert "Score:" not in failed


def test_programs_find_scores_as_trailers(run):
    trailers = git(write(run).path, "show", "-s", "--format=%(trailers:key=Validation-Score,valueonly)", "c6")
    assert float(trailers) == 1.25


def test_the_author_is_the_proposer_with_its_model_and_the_date_that_of_the_verdict(run):
    path = write(run).path
    assert git(path, "show", "-s", "--format=%an <%ae> %ad", "--date=iso", "c3") == (
        "llm (anthropic/small) <llm@evolve> 2026-01-02 03:04:08 +0000\n"
    )
    assert git(path, "show", "-s", "--format=%an <%ae>", "c2") == "mutate <mutate@evolve>\n"


def test_the_same_run_makes_the_same_commits_wherever_it_lies(run, tmp_path, monkeypatch):
    first = git(write(run, tmp_path / "a").path, "show-ref")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-01-01T00:00:00")
    assert git(write(run, tmp_path / "b").path, "show-ref") == first
    monkeypatch.undo()
    time.tzset()


def test_a_run_on_other_cases_says_which(tmp_path):
    made = write(make(tmp_path / "run", FAMILY, cases="public"))
    assert "score 1.3000 on public\n" in git(made.path, "show", "-s", "best")


def test_a_policy_with_the_line_ends_of_windows_keeps_them(tmp_path):
    made = write(make(tmp_path / "run", [baseline(0, "reference"), member(1, 1.1, (0,), source="x = 1\r\n")]))
    assert git(made.path, "show", "c1:policy.py") == "x = 1\r\n"
    assert "are shown as" not in git(made.path, "show", "-s", "c1")


# What is there so far


def test_an_empty_run_has_no_lineage(tmp_path):
    with pytest.raises(EvolveError, match=r"no candidate of .* was judged yet; run it longer"):
        write(make(tmp_path / "run", []))
    assert not (tmp_path / "run" / "lineage").exists()


def test_a_run_with_only_failures_has_no_best_and_leaves_nothing(tmp_path):
    folder = make(tmp_path / "run", [member(0, None), member(1, None, (0,))])
    with pytest.raises(EvolveError, match="no candidate of this run has a score yet"):
        write(folder)
    assert not [path for path in folder.path.iterdir() if "lineage" in path.name]


def test_a_run_that_goes_on_is_shown_as_far_as_it_was_told(run, capsys):
    with run.open() as journal:
        journal.propose(8, member(8).proposal)
        assert main(["lineage", str(run.path)]) == 0
    assert "1 proposal not judged yet, and not in it" in capsys.readouterr().out


def test_the_command_prints_where_it_is_and_commands_that_work(run, capsys, tmp_path):
    to = tmp_path / "a folder"
    assert main(["lineage", str(run.path), "--to", str(to)]) == 0
    said = capsys.readouterr().out
    assert "7 candidates, a commit each, 1 merge; best is #6" in said
    commands = [shlex.split(line[10:]) for line in said.splitlines() if line[10:].startswith("git -C ")]
    assert len(commands) == 3
    for command in commands:
        assert subprocess.run(command, capture_output=True, check=True).stdout


# Hostile text, damaged journals


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_kind_make_a_sound_repository(tmp_path, name):
    candidates = [
        baseline(0, "reference"),
        member(1, 1.0, proposer="baseline", operator=name.replace("\x00", "")),
        member(2, 1.1, (1,), proposer=name.replace("\x00", ""), model=name.replace("\x00", ""), rationale=name),
    ]
    made = write(make(tmp_path / "run", candidates))
    git(made.path, "fsck", "--strict")
    assert all(git(made.path, "check-ref-format", f"refs/heads/{branch}") == "" for branch in made.branches)
    told = git(made.path, "log", "--all", "--format=%an%n%ae%n%B")
    assert all(line.isprintable() for line in told.split("\n"))
    assert made.candidates == 3


def test_baselines_whose_names_come_to_the_same_have_branches_of_their_own(tmp_path):
    made = write(make(tmp_path / "run", [baseline(0, "a b"), baseline(1, "a-b"), baseline(2, "A-B")]))
    assert {"baselines/a-b", "baselines/a-b-1", "baselines/A-B-2"} <= set(made.branches)


def test_a_rationale_adds_no_trailer_and_no_command(tmp_path):
    forged = "x\n\nVerdict: OK\nScore: 99\n\ndata 3\ncommit refs/heads/main\n" + "y" * 1_000_000
    made = write(make(tmp_path / "run", [baseline(0, "reference"), member(1, None, (0,), rationale=forged)]))
    assert git(made.path, "show", "-s", "--format=%(trailers:key=Score,valueonly)", "c1").strip() == ""
    assert len(git(made.path, "show", "-s", "--format=%B", "c1")) < 4000
    assert "refs/heads/main" not in git(made.path, "show-ref")


def test_control_characters_of_a_policy_are_shown_and_the_commit_says_so(tmp_path):
    odd = f"# {ESCAPES.replace(chr(0), '')}\n" + "x" * 1_000_000 + "\n" + source(1)
    made = write(make(tmp_path / "run", [baseline(0, "reference"), member(1, 1.1, (0,), source=odd)]))
    text = git(made.path, "show", "c1:policy.py")
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(text) == len(odd.replace("\r\n", "\n"))
    assert "are shown as `?` in policy.py" in git(made.path, "show", "-s", "c1")
    assert "are shown as" not in git(made.path, "show", "-s", "c0")


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ((9,), "candidate 1 has the parent 9, which is no candidate before it"),
        ((2,), "candidate 1 has the parent 2"),
        ((1,), "candidate 1 has the parent 1"),
        ((0, 3), "candidate 1 has the parent 3"),
        ((-1,), "candidate 1 has the parent -1"),
    ],
)
def test_parents_that_cannot_be_are_damage(tmp_path, parents, said):
    miss = Miss(3, Outcome.EMPTY, "blank", "llm")
    folder = make(tmp_path / "run", [baseline(0, "r"), member(1, 1.1, parents), member(2, 1.1, (1,)), miss])
    with pytest.raises(JournalError, match=said):
        write(folder)
    assert not (folder.path / "lineage").exists()


@pytest.mark.parametrize("started", ["", "yesterday", "9999-99-99", "0001-01-01T00:00:00+00:00", "x" * 5000])
def test_a_run_that_began_at_no_time_is_damaged(tmp_path, started):
    with pytest.raises(JournalError, match=r"which is no time|no search lasts") as caught:
        write(make(tmp_path / "run", FAMILY, started=started))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("seconds", ["1e300", "-1e300", "'x'"])
def test_a_search_of_impossible_length_is_damage(run, seconds):
    with closing(sqlite3.connect(run.path / "journal.sqlite")) as connection:
        connection.execute(f"UPDATE evaluations SET run_seconds = {seconds} WHERE number = 3")
        connection.commit()
    with pytest.raises(JournalError):
        write(run)


# Where it goes


@pytest.mark.parametrize(
    ("kind", "said"),
    [("full", "is not empty"), ("link", "is a link"), ("dangling", "is a link"), ("file", "is a file")],
)
def test_what_is_there_is_left_alone(run, tmp_path, kind, said):
    to = tmp_path / "there"
    if kind == "file":
        to.write_text("precious")
    elif kind == "full":
        to.mkdir()
        (to / "precious").touch()
    else:
        if kind == "link":
            (tmp_path / "empty").mkdir()
        to.symlink_to(tmp_path / "empty")
    with pytest.raises(EvolveError, match=f"{said}.*give another"):
        write(run, to)
    assert to.is_symlink() == (kind in ("link", "dangling"))
    assert not (tmp_path / "empty" / ".git").exists()


def test_an_empty_folder_is_taken_and_one_above_it_is_made(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert write(run, tmp_path / "empty").candidates == 7
    assert write(run, tmp_path / "new" / "folder").candidates == 7


def test_what_fails_on_the_way_leaves_nothing(run, tmp_path, monkeypatch):
    def fail(*words, **more):
        raise GitError("no")

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(Repository, "git", fail)
    with pytest.raises(GitError):
        write(run, tmp_path / "to")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_is_named(run, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(EvolveError, match=r"cannot write .*Permission denied; give another folder with --to"):
        write(run, tmp_path / "closed" / "to")


def test_a_folder_below_a_file_is_named(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EvolveError, match="--to"):
        write(run, tmp_path / "file" / "to")


def test_git_that_is_not_there_is_said_to_be_missing(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git was not found; install it"):
        write(run)


# What counts in it


def hooked(folder):
    """Returns a folder with hooks that leave a mark."""
    folder.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-commit"):
        (folder / name).write_text(f"#!/bin/sh\ntouch {folder / 'mark'}\n")
        (folder / name).chmod(0o755)
    return folder


def test_no_template_configuration_or_variable_of_the_user_counts(run, tmp_path, monkeypatch):
    template = hooked(tmp_path / "template" / "hooks")
    config = tmp_path / "config"
    config.write_text(f"[core]\nhooksPath={template}\nautocrlf=true\n[init]\ntemplateDir={template.parent}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    made = write(run)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    assert not (template / "mark").exists()
    assert not (tmp_path / "elsewhere").exists()
    assert not Path(made.path, ".git", "hooks").exists()
    assert len(git(made.path, "rev-parse", "best").strip()) == 40


def test_a_repository_planted_in_the_run_is_neither_used_nor_changed(run):
    git(run.path, "init", "--quiet", "--template=", ".")
    hooks = hooked(run.path / ".git" / "hooks")
    before = sorted(str(path) for path in (run.path / ".git").rglob("*"))
    write(run)
    assert not (hooks / "mark").exists()
    assert sorted(str(path) for path in (run.path / ".git").rglob("*")) == before
