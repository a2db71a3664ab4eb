"""A policy goes into a repository of the user: what its commit says, and that nothing else there is touched."""

import hashlib
import json
import math
import os
import re
import secrets
import shlex
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from shutil import copytree

import pytest
import tiny

from evolve import begun, claim
from evolve.cli import main
from evolve.explaining.base import nearest
from evolve.export import branch, contradiction, export, verified
from evolve.folder import RunFolder
from evolve.journal.database import JournalError
from evolve.repository import Repository
from evolve.text import visible
from evolve.types import EvolveError

SECRET = "1" * 32


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with a problem and a run of it that was verified."""
    home = tmp_path_factory.mktemp("original")
    tiny.write(home, changes=[("seeds(6)", "seeds(40)")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_hex", lambda size: SECRET)
        patch.chdir(home)
        assert main(["run", "tiny.py", "--evaluations", "40", "--out", "run", "--workers", "1"]) == 0
        assert main(["verify", "run", "--workers", "1"]) == 0
    return home


@pytest.fixture
def home(original, tmp_path, monkeypatch):
    """A copy of that folder, in which commands are given; no configuration of whoever runs the tests counts."""
    copytree(original, tmp_path / "home")
    copytree(os.environ["XDG_STATE_HOME"], tmp_path / "state")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    config = tmp_path / "gitconfig"
    config.write_text("[user]\nname = Some User\nemail = user@example.org\n[init]\ndefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    return tmp_path / "home"


def git(folder, *words, **more):
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True, **more)
    return done.stdout.decode().removesuffix("\n")


def repository(path, files=("README.md", "src/main.py")):
    """Makes a repository with a commit of these files."""
    path.mkdir()
    git(path, "init", "--quiet", "--template=")
    for name in files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(f"this is {name}\n")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "--allow-empty", "--message", "first")
    return path


@pytest.fixture
def repo(home):
    return repository(home / "repo")


@pytest.fixture
def evolve(home, capsys):
    """Runs a command and returns its exit status and what it printed."""
    capsys.readouterr()

    def evolve(*arguments):
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return evolve


@pytest.fixture
def made(evolve):
    """Exports, which must go well, and returns what came of it."""

    def made(*arguments):
        status, out, err = evolve("export", "run", *arguments, "--json")
        assert status == 0, err
        return json.loads(out)

    return made


@pytest.fixture
def refused(evolve):
    """Exports, which must not go well, and returns the one line that says why."""

    def refused(*arguments):
        status, out, err = evolve("export", "run", *arguments)
        assert (status, out) == (1, "")
        assert err.count("\n") == 1
        return err

    return refused


def state(repo):
    """Returns all of a repository that an export must leave alone, and removes no branch but those that it makes."""
    refs = [line for line in git(repo, "for-each-ref").splitlines() if "refs/heads/evolve/" not in line]
    folder = Path(git(repo, "rev-parse", "--absolute-git-dir"))
    meta = {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "objects" not in path.parts and "evolve" not in path.parts
    }
    work = {path: path.read_bytes() for path in repo.rglob("*") if path.is_file() and ".git" not in path.parts}
    return refs, meta, work, git(repo, "status", "--porcelain", env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})


def said(repo, commit):
    return git(repo, "show", "-s", "--format=%B", commit)


def policy():
    with RunFolder(Path("run")).open() as journal:
        best = json.loads(Path("run/verification.json").read_text())["number"]
        return best, journal.proposal(best).source


def change(*, here=False, **values):
    """Changes what the verification says; ``here``: as if it had been written like that on this machine."""
    path = Path("run/verification.json")
    path.write_text(written := json.dumps({**json.loads(path.read_text()), **values}))
    if here:
        with RunFolder(Path("run")).open() as journal:
            begun.note_written(journal.header, written)


def edit(statement, *values):
    """Changes the journal."""
    with closing(sqlite3.connect("run/journal.sqlite")) as connection:
        connection.execute(statement, values)
        connection.commit()


# The branch


def test_the_branch_is_the_head_and_one_file_which_is_the_policy(repo, made):
    number, source = policy()
    exported = made("--to", repo)
    assert (exported["branch"], exported["path"]) == (f"evolve/tiny-{number}", "policies/tiny.py")
    assert git(repo, "rev-parse", exported["branch"]) == exported["commit"]
    assert git(repo, "rev-parse", f"{exported['branch']}^@") == git(repo, "rev-parse", "main")
    assert git(repo, "diff", "--name-status", "main", exported["branch"]) == "A\tpolicies/tiny.py"
    assert git(repo, "show", f"{exported['branch']}:policies/tiny.py") == source.removesuffix("\n")
    git(repo, "fsck", "--strict")


def test_a_dirty_tree_and_every_other_branch_stay_as_they_are(repo, made):
    git(repo, "branch", "other")
    git(repo, "tag", "v1")
    (repo / "README.md").write_text("changed and staged\n")
    git(repo, "add", "README.md")
    (repo / "README.md").write_text("changed again\n")
    (repo / "src" / "main.py").unlink()
    (repo / "policies").mkdir()
    (repo / "policies" / "tiny.py").write_text("mine, and not committed\n")
    before = state(repo)
    made("--to", repo)
    assert state(repo) == before
    assert before[3].count("\n") == 2


def test_a_merge_under_way_stays_under_way(repo, made):
    git(repo, "checkout", "--quiet", "-b", "other")
    for name in ("other", "main"):
        git(repo, "checkout", "--quiet", name)
        (repo / "README.md").write_text(f"{name}\n")
        git(repo, "commit", "--quiet", "--all", "--message", name)
    assert subprocess.run(["git", "merge", "other"], cwd=repo, capture_output=True).returncode == 1
    before = state(repo)
    made("--to", repo)
    assert state(repo) == before
    assert "UU README.md" in before[3]


def test_what_the_command_prints_as_next_works(repo, evolve):
    status, out, _ = evolve("export", "run", "--to", repo)
    assert status == 0
    commands = [shlex.split(line[10:]) for line in out.splitlines() if line[10:].startswith("git -C ")]
    assert [command[3] for command in commands] == ["show", "merge"]
    for command in commands:
        subprocess.run(command, capture_output=True, check=True)
    assert (repo / "policies" / "tiny.py").read_text() == policy()[1]


def test_a_file_that_is_there_gets_a_new_version_and_stays_runnable(home, made):
    repo = repository(home / "repo", ["policies/tiny.py"])
    (repo / "policies" / "tiny.py").chmod(0o755)
    git(repo, "commit", "--quiet", "--all", "--message", "runnable")
    exported = made("--to", repo)
    assert git(repo, "diff", "--name-status", "main", exported["branch"]) == "M\tpolicies/tiny.py"
    assert git(repo, "ls-tree", exported["branch"], "policies/tiny.py").startswith("100755")


def test_a_branch_of_that_name_is_never_replaced(repo, made, refused):
    exported = made("--to", repo)
    assert "has a branch" in (error := refused("--to", repo))
    assert "--branch" in error
    assert git(repo, "rev-parse", exported["branch"]) == exported["commit"]
    assert made("--to", repo, "--branch", "another")["branch"] == "another"


def test_a_branch_that_comes_to_be_meanwhile_is_not_replaced(repo):
    at = branch.place(repo, "a.py", "new")
    git(repo, "branch", "new")
    with pytest.raises(EvolveError, match="cannot make the branch new"):
        branch.commit(at, "x = 1\n", "message\n")
    assert git(repo, "rev-parse", "new") == git(repo, "rev-parse", "main")


def test_a_branch_below_another_is_refused(repo, refused):
    git(repo, "branch", "evolve")
    assert "has a branch evolve, and git keeps none below it" in refused("--to", repo)


@pytest.mark.parametrize(
    "name", ["-d", "--help", "a..b", "@{-1}", "a b", "x.lock", "", "HEAD", "refs/heads/x", "a\nb", "/", "\x1b[2J"]
)
def test_a_branch_of_an_impossible_name_is_refused(repo, refused, name):
    before = git(repo, "for-each-ref")
    assert "git takes no branch of the name" in refused("--to", repo, f"--branch={name}")
    assert git(repo, "for-each-ref") == before


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../x.py", "a/../../x.py", ".git/hooks/post-checkout", "a/.GIT/x"),
        *("", ".", "a//b", "a/", "a\nb", "\x1b[2J", "a\\b"),
    ],
)
def test_a_path_outside_of_the_tree_is_refused(repo, refused, path):
    assert "--path" in refused("--to", repo, f"--path={path}")
    assert git(repo, "branch", "--list", "evolve/*") == ""


def test_a_path_that_git_itself_refuses_is_refused(repo, refused):
    assert "cannot make the branch" in refused("--to", repo, "--path", "git~1/x.py")


@pytest.mark.parametrize(
    ("path", "what"),
    [("src", "a folder"), ("README.md/x.py", "a file"), ("link", "a symbolic link"), ("link/x.py", "a symbolic link")],
)
def test_a_path_that_is_something_else_is_refused(repo, refused, path, what):
    (repo / "link").symlink_to("src")
    git(repo, "add", "link")
    git(repo, "commit", "--quiet", "--message", "link")
    assert f"is {what} in" in (error := refused("--to", repo, "--path", path))
    assert "--path" in error


def test_a_path_in_a_submodule_is_refused(repo, refused):
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    git(repo, "commit", "--quiet", "--message", "module")
    assert "module is a submodule" in refused("--to", repo, "--path", "module/x.py")


@pytest.mark.parametrize("path", ["*/ü x.py", ":(glob)*.py", "-x.py"])
def test_a_path_with_odd_but_honest_letters_is_taken_to_the_letter(repo, made, path):
    exported = made("--to", repo, f"--path={path}")
    assert git(repo, "-c", "core.quotePath=off", "diff", "--name-only", "main", exported["branch"]) == path


# Kinds of repositories


def test_a_bare_repository_gets_a_branch(repo, evolve):
    git(repo.parent, "clone", "--quiet", "--bare", str(repo), "a bare.git")
    bare = repo.parent / "a bare.git"
    status, out, _ = evolve("export", "run", "--to", bare)
    assert status == 0
    assert "git clone --branch evolve/tiny-" in out
    assert "merge" not in out
    assert "policies/tiny.py" in git(bare, "ls-tree", "-r", "--name-only", f"evolve/tiny-{policy()[0]}")


def test_a_repository_without_commits_gets_its_first_one(home, evolve):
    (home / "empty").mkdir()
    git(home / "empty", "init", "--quiet")
    status, out, _ = evolve("export", "run", "--to", "empty")
    assert status == 0
    assert "the repository has no commit yet" in out
    branch = f"evolve/tiny-{policy()[0]}"
    assert git("empty", "rev-list", "--count", branch) == "1"
    assert git("empty", "ls-tree", "-r", "--name-only", branch) == "policies/tiny.py"
    assert git("empty", "symbolic-ref", "HEAD") == "refs/heads/main"
    assert not (home / "empty" / ".git" / "index").exists()


def test_from_a_detached_head_the_branch_starts_there(repo, evolve):
    git(repo, "commit", "--quiet", "--allow-empty", "--message", "second")
    git(repo, "checkout", "--quiet", "--detach", "main~1")
    before = state(repo)
    status, out, _ = evolve("export", "run", "--to", repo)
    assert status == 0
    assert "HEAD is detached" in out
    assert git(repo, "rev-parse", f"evolve/tiny-{policy()[0]}^") == git(repo, "rev-parse", "main~1")
    assert state(repo) == before


def test_a_shallow_repository_gets_a_branch(repo, evolve):
    git(repo, "commit", "--quiet", "--allow-empty", "--message", "second")
    git(repo.parent, "clone", "--quiet", "--depth=1", repo.as_uri(), "shallow")
    status, out, _ = evolve("export", "run", "--to", "shallow")
    assert status == 0
    assert "the repository is shallow" in out


def test_a_folder_in_a_repository_stands_for_it_and_a_worktree_for_its_own_head(repo, made):
    assert made("--to", repo / "src")["repository"] == str(repo)
    git(repo, "worktree", "add", "--quiet", "-b", "work", "../work")
    git(repo.parent / "work", "commit", "--quiet", "--allow-empty", "--message", "in the worktree")
    exported = made("--to", repo.parent / "work", "--branch", "from-work")
    assert exported["parent"] == git(repo, "rev-parse", "work")


def test_a_path_with_spaces_is_quoted_where_it_is_printed(home, evolve):
    repository(home / "my repo")
    _, out, _ = evolve("export", "run", "--to", "my repo")
    assert f"git -C '{home}/my repo' show" in out


@pytest.mark.parametrize(
    ("to", "said"),
    [("nowhere", "is not there"), ("tiny.py", "is a file"), ("plain", "is no git repository"), ("broken", "git")],
)
def test_what_is_no_repository_is_named(home, refused, to, said):
    (home / "plain").mkdir()
    (home / "broken").mkdir()
    (home / "broken" / ".git").write_text("gitdir: /nowhere/at/all\n")
    error = refused("--to", to)
    assert said in error
    assert to in error


def test_a_repository_of_another_owner_is_left_to_the_user(repo, refused, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    error = refused("--to", repo)
    assert "belongs to another user" in error
    assert "safe.directory" in error


def test_a_repository_that_cannot_be_written_is_named(repo, refused):
    source = policy()[1].encode()
    blob = hashlib.sha1(b"blob %d\0" % len(source) + source).hexdigest()
    (repo / ".git" / "objects" / blob[:2]).write_text("no folder")  # for root, no mode is in the way
    before = state(repo)
    assert f"cannot make the branch evolve/tiny-{policy()[0]} in {repo}" in refused("--to", repo)
    assert state(repo) == before


def test_a_repository_that_came_with_the_run_is_refused(home, refused):
    repository(home / "run" / "lineage")
    assert "lies in the run's own folder" in refused("--to", home / "run" / "lineage")


def test_what_a_caller_has_told_git_of_another_repository_does_not_count(repo, home, made, monkeypatch):
    other = repository(home / "other")
    before = state(other)
    with monkeypatch.context() as patch:
        patch.setenv("GIT_DIR", str(other / ".git"))
        patch.setenv("GIT_WORK_TREE", str(other))
        patch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
        exported = made("--to", repo)
    assert state(other) == before
    assert git(repo, "rev-parse", exported["branch"]) == exported["commit"]


def test_an_index_in_parts_is_not_touched(repo, made):
    git(repo, "config", "core.splitIndex", "true")
    git(repo, "update-index", "--split-index")
    before = state(repo)
    made("--to", repo)
    assert state(repo) == before


# Who commits


def test_the_user_is_the_author(repo, made):
    exported = made("--to", repo)
    by = git(repo, "show", "-s", "--format=%an <%ae>, %cn", exported["commit"])
    assert by == "Some User <user@example.org>, Some User"
    assert exported["named"]


def test_without_a_name_evolve_is_the_author_and_that_is_said(repo, evolve, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    status, out, _ = evolve("export", "run", "--to", repo)
    assert status == 0
    assert "git knows no name of yours here: the commit is by evolve <evolve@localhost>" in out


def test_hooks_of_the_repository_may_refuse(repo, refused):
    (repo / ".git" / "hooks").mkdir()
    hook = repo / ".git" / "hooks" / "reference-transaction"
    hook.write_text("#!/bin/sh\n[ $1 != prepared ]\n")
    hook.chmod(0o755)
    assert "cannot make the branch" in refused("--to", repo)
    assert git(repo, "branch", "--list", "evolve/*") == ""


# What the message says


def test_the_message_lets_a_stranger_repeat_the_measurement(repo, made, evolve, home):
    exported = made("--to", repo)
    text = said(repo, exported["commit"])
    git(repo, "merge", "--quiet", exported["branch"])
    (repo / "tiny.py").write_bytes((home / "tiny.py").read_bytes())
    os.chdir(repo)
    command = next(line.strip() for line in text.splitlines() if "--revealed" in line)
    status, out, _ = evolve(*shlex.split(command)[1:], "--workers", 1, "--json")
    assert status == 0
    proof = json.loads((home / "run" / "verification.json").read_text())
    assert json.loads(out)[0]["evaluation"]["score"] == proof["standings"][-1]["evaluation"]["score"]
    assert hashlib.sha256((repo / "policies" / "tiny.py").read_bytes()).hexdigest() in text
    assert hashlib.sha256(SECRET.encode()).hexdigest() in text


def test_the_command_in_the_message_finds_the_policy_again(repo, made, evolve):
    text = said(repo, made("--to", repo)["commit"])
    command = next(line.strip() for line in text.splitlines() if line.strip().startswith("evolve run"))
    assert evolve(*shlex.split(command)[1:], "--workers", 1, "--out", "again")[0] == 0
    with RunFolder(Path("again")).open() as journal:
        assert journal.proposal(policy()[0]).source == policy()[1]


def test_the_message_has_the_scores_on_sealed_cases_and_every_duel(repo, made):
    text = said(repo, made("--to", repo)["commit"])
    proof = json.loads(Path("run/verification.json").read_text())
    assert text.startswith("tiny: policy found by evolve, ")
    conclusion = proof["conclusion"].replace(f"the best found, #{proof['number']},", f"candidate {proof['number']}")
    assert conclusion in " ".join(text.split())
    assert "#" not in text
    assert f"{proof['standings'][-1]['evaluation']['score']:.4f}" in text
    assert re.search(r"\nreference +\d+\.\d{4} +\[.*\] +\d+ +\d+ +\d+\n", text)
    assert "It grew from the baseline reference" in " ".join(text.split())
    assert "40 evaluations in" in text
    assert "behind these walls: environment" in text
    assert max(map(len, text.splitlines())) <= 110


@pytest.fixture
def believed(monkeypatch):
    """Has figures believed that no run has, as if they were written here."""
    monkeypatch.setattr(contradiction, "in_verification", lambda *_, **__: "")
    monkeypatch.setattr(begun, "is_written", lambda *_: True)


def duel(low=1.2, better=40):
    """Returns a duel with the reference on 40 cases."""
    interval = {"mean": 1.25, "low": low, "high": 1.3, "stretches": 40}
    return [{"baseline": "reference", "interval": interval, "better": better, "equal": 40 - better, "worse": 0}]


def test_a_policy_that_beats_every_baseline_says_by_how_much(repo, made, believed):
    change(duels=duel())
    subject = said(repo, made("--to", repo)["commit"]).splitlines()[0]
    assert subject == "tiny: policy found by evolve, 25.00% better than reference on sealed cases"


@pytest.mark.parametrize(
    ("values", "subject"),
    [
        ({"duels": []}, "not shown to beat reference on sealed cases"),
        ({"duels": duel(low=0.9)}, "not shown to beat reference on sealed cases"),
        ({"baseline": "reference"}, "no other than the baseline reference"),
        ({"duels": duel(better=5)}, "no proof: 25.00% better than reference on sealed cases"),
    ],
)
def test_a_policy_that_proves_nothing_says_so(repo, made, believed, values, subject):
    change(proved=True, conclusion="it beats everything", **values)
    text = said(repo, made("--to", repo)["commit"])
    assert text.splitlines()[0] == f"tiny: policy found by evolve, {subject}"
    assert "beats" not in text


def test_what_was_judged_without_walls_says_so(repo, made, believed):
    rows = json.loads(Path("run/verification.json").read_text())["standings"]
    rows[0]["evaluation"]["layers"] = ["environment"]
    change(standings=rows, duels=duel(), unsafe=False)
    subject = said(repo, made("--to", repo)["commit"]).splitlines()[0]
    assert subject == "tiny: policy found by evolve, judged where the sandbox does not stand"


def test_what_was_found_after_the_secret_was_revealed_is_no_proof(repo, made, believed):
    edit("UPDATE sealed_uses SET turns = 1")
    change(duels=duel(), covered=True)
    text = said(repo, made("--to", repo)["commit"])
    assert text.splitlines()[0].endswith(", no proof: 25.00% better than reference on sealed cases")
    assert "was found after an earlier `evolve verify` had revealed the secret" in " ".join(text.split())


def test_what_qualifies_a_claim_is_never_cut_off(repo, made, believed):
    proof = json.loads(Path("run/verification.json").read_text())
    proof["standings"][0]["name"] = "r" * 500
    change(standings=proof["standings"], duels=[{**duel(better=5)[0], "baseline": "r" * 500}])
    subject = said(repo, made("--to", repo)["commit"]).splitlines()[0]
    assert ", no proof: 25.00% better than rrr" in subject
    assert subject.endswith("... on sealed cases")


@pytest.mark.parametrize("values", [{"policy": "x = 1\n"}, {"secret": "2" * 32}, {"secret_hash": "x"}, {"number": 1}])
def test_a_verification_of_something_else_is_no_evidence(repo, made, values):
    change(**values)
    text = said(repo, made("--to", repo)["commit"])
    assert text.splitlines()[0] == "tiny: policy found by evolve, not judged on sealed cases"
    assert "on train, score" in " ".join(text.split())
    assert "--revealed" not in text


def test_a_candidate_that_was_not_verified_is_not_judged_on_sealed_cases(repo, made):
    number = next(n for n in range(1, 40) if n != policy()[0])
    exported = made(number, "--to", repo)
    assert exported["branch"] == f"evolve/tiny-{number}"
    assert "on sealed cases" in said(repo, exported["commit"]).splitlines()[0]
    assert "evolve score tiny.py policies/tiny.py\n" in said(repo, exported["commit"])


def test_a_run_without_verification_is_exported_with_what_is_known(repo, made):
    Path("run/verification.json").unlink()
    assert "not judged on sealed cases" in said(repo, made("--to", repo)["commit"])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "[" * 100_000, '{"number": NaN}', '{"number": 1e999}', "\ud800", '{"number": "one"}', "null"],
)
def test_a_verification_that_is_none_is_refused_in_a_line(repo, refused, text):
    Path("run/verification.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert "verification.json" in refused("--to", repo)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_verification_that_is_no_plain_file_is_not_opened(repo, refused, kind):
    path = Path("run/verification.json")
    path.rename("elsewhere.json")
    if kind == "link":
        path.symlink_to(Path("elsewhere.json").absolute())
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert "verification.json" in refused("--to", repo)


def test_hostile_text_in_a_verification_is_inert(repo, made, believed):
    proof = json.loads(Path("run/verification.json").read_text())
    hostile = "\x1b]0;owned\x07\x1b[2J\u202e\n\nSigned-off-by: nobody\n#1 " + "A" * 1_000_000
    proof["standings"][0]["name"] = hostile
    duels = [{**duel()[0], "baseline": hostile}]
    change(conclusion=hostile, words=[hostile] * 50, standings=proof["standings"], duels=duels, objective=hostile)
    text = said(repo, made("--to", repo)["commit"])
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\nSigned-off-by" not in text
    assert "#" not in text
    assert len(text) < 60_000


# What came with the run


@pytest.fixture
def stranger(monkeypatch, tmp_path):
    """Has the run come from somebody else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))


def test_figures_that_came_with_a_run_are_told_apart_from_those_found_here(repo, made, stranger):
    text = said(repo, made("--to", repo)["commit"])
    assert text.splitlines()[0].startswith("tiny: policy found by evolve, figures not judged here: ")
    assert "These figures come with the run and were not judged here" in text


def test_what_was_found_here_is_not_said_to_have_come_with_the_run(repo, made):
    assert "judged here" not in said(repo, made("--to", repo)["commit"])


def test_no_words_are_taken_over_from_figures_that_came_with_a_run(repo, made, stranger):
    proof = json.loads(Path("run/verification.json").read_text())
    for row in proof["standings"]:
        row["evaluation"]["feedback"] = "Fixes issue 1"
    change(words=["Fixes issue 1"], conclusion="Fixes issue 1", standings=proof["standings"])
    text = said(repo, made("--to", repo)["commit"])
    assert "figures not judged here" in text.splitlines()[0]
    assert "Fixes" not in text


def found(proof):
    return proof["standings"][-1]


FORGERIES = {
    "score": lambda proof: found(proof)["evaluation"].update(score=9.0),
    "score and interval": lambda proof: (
        found(proof)["evaluation"].update(score=9.0),
        found(proof)["interval"].update(mean=9.0, low=8.0, high=10.0),
    ),
    "interval": lambda proof: found(proof)["interval"].update(low=found(proof)["interval"]["mean"]),
    "reference": lambda proof: proof["standings"][0]["evaluation"].update(score=0.5),
    "verdict": lambda proof: found(proof)["evaluation"].update(verdict="PROVED"),
    "walls": lambda proof: proof["standings"][0]["evaluation"].update(layers=["environment"]),
    "mean": lambda proof: found(proof).update(mean=0.001),
    "gap": lambda proof: found(proof).update(gap=1.7),
    "less of the gap": lambda proof: found(proof).update(gap=found(proof)["gap"] / 2),
    "bound": lambda proof: proof.update(mean_bound=proof["mean_bound"] * 1e3),
    "ratio": lambda proof: proof["duels"][0]["interval"].update(mean=1e308, high=1e308),
    "low end": lambda proof: proof["duels"][0]["interval"].update(low=proof["duels"][0]["interval"]["mean"]),
    "negative count": lambda proof: proof["duels"][0].update(better=1000, worse=-960),
    "counts": lambda proof: proof["duels"][0].update(better=40, equal=0, worse=0),
    "no duel": lambda proof: proof.update(duels=[]),
    "barred": lambda proof: proof.update(barred=["reference"]),
    "baseline": lambda proof: proof.update(baseline="reference"),
    "other baseline": lambda proof: proof["standings"][0].update(name="--unsafe"),
    "no baseline": lambda proof: proof.update(standings=proof["standings"][1:]),
    "cases": lambda proof: proof.update(cases=4000),
    "uses": lambda proof: proof.update(uses=9),
    "direction": lambda proof: proof.update(direction="maximize"),
    "objective": lambda proof: proof.update(objective="throughput"),
    "smallest diff": lambda proof: proof.update(
        minimised={"sha256": "x", "standing": {**found(proof), "gap": 1.7}, "whole": None, "covered": True}
    ),
}


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_figures_that_do_not_fit_the_journal_are_no_evidence(repo, made, forgery, here):
    proof = json.loads(Path("run/verification.json").read_text())
    FORGERIES[forgery](proof)
    change(here=here, **proof)
    text = said(repo, made("--to", repo)["commit"])
    assert text.splitlines()[0] == "tiny: policy found by evolve, not judged on sealed cases"
    assert "A verification that lies beside the journal is no evidence: " in " ".join(text.split())


@pytest.mark.parametrize("statement", ["UPDATE sealed_uses SET revealed = 0", "DELETE FROM sealed_uses"])
def test_a_verification_that_the_journal_does_not_know_is_no_evidence(repo, made, statement):
    edit(statement)
    text = said(repo, made("--to", repo)["commit"])
    assert "a use of the sealed cases that the journal does not know" in " ".join(text.split())


def test_how_often_the_cases_were_used_is_what_the_journal_says(repo, made):
    edit("INSERT INTO sealed_uses SELECT * FROM sealed_uses")
    assert "used 2 times by now" in " ".join(said(repo, made("--to", repo)["commit"]).split())


def test_a_run_verified_again_here_counts_though_times_are_never_the_same(repo, made):
    edit("INSERT INTO sealed_uses SELECT * FROM sealed_uses")
    edit("UPDATE evaluations SET score = score * 1.001 WHERE cases = 'test'")
    assert "not judged" not in said(repo, made("--to", repo)["commit"]).splitlines()[0]


def test_a_verification_and_the_export_agree_on_what_is_proved(home):
    with RunFolder(home / "run").open() as journal:
        known, doubt = verified.verified(RunFolder(home / "run"), journal, *policy())
    proof = json.loads(Path("run/verification.json").read_text())
    assert doubt == ""
    assert (known.proved, known.unsafe, known.covered) == (proof["proved"], proof["unsafe"], proof["covered"])
    who = f"the best found, #{known.number},"
    assert claim.conclusion("tiny", who, known) == proof["conclusion"]


# What can be reviewed


def test_nothing_of_a_policy_that_hides_something_comes_into_the_repository(repo):
    at, before = branch.place(repo, "a.py", "new"), sorted((repo / ".git").rglob("*"))
    with pytest.raises(EvolveError, match="a reviewer would not see"):
        branch.commit(at, "x = '\u202e'\n", "message\n")
    assert sorted((repo / ".git").rglob("*")) == before


# The smallest diff


def explain(text, *, here=True, **values):
    """Writes what `evolve explain` would."""
    number, source = policy()
    with RunFolder(Path("run")).open() as journal:
        known = {cases: journal.evaluation(number, cases).score for cases in ("train", "validation")}
        reached = known["train"] ** 0.982  # the reference has one
        explanation = {
            "number": number,
            "base": "reference",
            "rival": "reference",
            "cases": "train",
            "noisy": False,
            "policy_sha256": hashlib.sha256(source.encode()).hexdigest(),
            "minimised_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "tolerance": 0.05,
            "lead_kept": 0.982,
            "scores": {
                "validation": {"base": 1.0, "rival": 1.0, "policy": known["validation"], "minimised": 1.29},
                "train": {"base": 1.0, "rival": 1.0, "policy": known["train"], "minimised": reached},
            },
            "more": [1],
            **values,
        }
        Path(f"run/minimised-{number}.py").write_text(text)
        Path(f"run/explanation-{number}.json").write_text(written := json.dumps(explanation))
        if here:
            begun.note_written(journal.header, written)
    return explanation


def judge_smallest(text, score=1.2, *, here=True, **values):
    """Has the verification say how the smallest diff did on the sealed cases."""
    standing = json.loads(Path("run/verification.json").read_text())["standings"][-1]
    standing["evaluation"]["score"] = score
    standing["interval"] = {"mean": score, "low": score - 0.1, "high": score + 0.1, "stretches": 40}
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    change(here=here, minimised={"sha256": sha256, "standing": standing, "whole": None, "covered": True, **values})


def test_the_smallest_diff_is_exported_with_what_it_keeps_and_the_evidence_of_the_whole(repo, made):
    number, source = policy()
    explained = explain(source + "# smaller\n")["scores"]["train"]
    exported = made("--to", repo, "--minimised")
    assert exported["branch"] == f"evolve/tiny-{number}-minimised"
    assert git(repo, "show", f"{exported['branch']}:policies/tiny.py") == source + "# smaller"
    text = " ".join(said(repo, exported["commit"]).split())
    assert text.startswith(f"tiny: smallest diff of candidate {number} found by evolve, itself not judged on sealed ")
    assert f"To find candidate {number} again:" in text
    assert f"the smallest part of the difference between reference and candidate {number}" in text
    assert f"keep the lead of candidate {number} over reference within a tolerance of 5.0%, namely 98.2% of it" in text
    assert text.index("Scores on train: this one") < text.index("Scores on validation: this one")
    assert f"the whole policy {explained['policy']:.4f}" in text
    assert "What follows is of the whole policy; this one itself was not judged on sealed cases." in text


def test_the_smallest_diff_claims_what_it_did_itself_on_sealed_cases(repo, made):
    text = policy()[1] + "# smaller\n"
    explain(text)
    judge_smallest(text)
    message = said(repo, made("--to", repo, "--minimised")["commit"])
    claimed = "found by evolve, score 1.2000 on sealed cases, where the best baseline has 1.0000"
    assert message.splitlines()[0].endswith(claimed)
    assert "\nthis policy " in message
    judge_smallest("of another")
    other = said(repo, made("--to", repo, "--minimised", "--branch", "other")["commit"])
    assert "\nthis policy " not in other
    assert "itself not judged on sealed cases" in other.splitlines()[0]


def test_a_smallest_diff_that_was_made_after_the_reveal_says_so(repo, made):
    text = policy()[1] + "# smaller\n"
    explain(text)
    judge_smallest(text, covered=False)
    message = said(repo, made("--to", repo, "--minimised")["commit"])
    assert ", made after the secret was revealed: score 1.2000 on" in message.splitlines()[0]
    assert "is of this one, which was made after the secret was revealed" in " ".join(message.split())


def test_a_smallest_diff_that_nobody_looked_for_is_looked_for_first(repo, refused):
    assert "run `evolve explain run" in refused("--to", repo, "--minimised")


@pytest.mark.parametrize(
    "values", [{"number": 0}, {"policy_sha256": "x"}, {"minimised_sha256": "x"}, {"tolerance": "x"}]
)
def test_a_smallest_diff_of_something_else_is_refused(repo, refused, values):
    explain("x = 1\n", **values)
    assert "run `evolve explain run" in refused("--to", repo, "--minimised")


def kept(share, **scores):
    """Returns how an explanation is changed so that the smallest diff keeps that share of the lead."""

    def values(explanation):
        train = {**explanation["scores"]["train"], **scores}
        return {"lead_kept": share, "scores": {**explanation["scores"], "train": train}}

    return values


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize(
    ("forgery", "wrong"),
    [
        (kept(1.7), "does not follow from its scores"),
        (kept(None), "does not follow from its scores"),
        (kept(0.98, policy=1000.0), "does not follow from its scores"),
        (kept(math.log(1000) / math.log(2000), policy=2000.0, minimised=1000.0), "not that of the journal"),
        (kept(None, rival=1e6), "not that of the journal"),
        (kept(0.98, minimised=-1.0), "not positive"),
        (kept(0.98, minimised=0.0), "not positive"),
        (lambda _: {"base": "Fixes #1"}, "no baseline of the journal"),
        (lambda _: {"rival": "--unsafe"}, "no baseline of the journal"),
        (lambda _: {"tolerance": 1e300}, "the tolerance is no share"),
        (lambda _: {"cases": "test"}, "on cases that this run has none of"),
        (lambda found: {"scores": {**found["scores"], "Fixes #1": found["scores"]["train"]}}, "has none of"),
    ],
)
def test_an_explanation_that_does_not_fit_the_run_is_refused(repo, refused, forgery, wrong, here):
    text = policy()[1] + "# smaller\n"
    explain(text, here=here, **forgery(explain(text)))
    assert wrong in (error := refused("--to", repo, "--minimised"))
    assert "run `evolve explain run" in error


def test_an_explanation_that_came_with_the_run_is_told_apart(repo, made):
    text = policy()[1] + "# smaller\n"
    explain(text, here=False)
    judge_smallest(text)
    message = said(repo, made("--to", repo, "--minimised")["commit"])
    assert ", figures not judged here: score 1.2000 on sealed cases" in message.splitlines()[0]
    assert "These figures come with the run and were not judged here" in message


def test_an_explanation_that_was_made_here_is_known_again(repo, made, evolve):
    assert evolve("explain", "run", "--workers", 1, "--evaluations", 5)[0] == 0
    assert "judged here" not in said(repo, made("--to", repo, "--minimised")["commit"])


def test_what_is_measured_is_not_compared_with_other_measurements_made_here(repo, made, refused):
    text = policy()[1] + "# smaller\n"
    values = kept(math.log(1.9) / math.log(2.0), policy=2.0, minimised=1.9)(explain(text))
    explain(text, noisy=True, **values)
    made("--to", repo, "--minimised")
    explain(text, here=False, noisy=True, tolerance=0.06, **values)
    assert "not that of the journal" in refused("--to", repo, "--minimised", "--branch", "other")


# The run


def test_a_candidate_that_is_not_there_is_named(repo, refused):
    assert "the run has no candidate 999" in refused(999, "--to", repo)


def test_a_problem_of_any_name_gives_a_branch_and_a_path(repo, home):
    with closing(sqlite3.connect("run/journal.sqlite")) as connection:
        for key in ("problem", "spec", "digest", "engine"):
            value = json.dumps("../--x\n\x1b[2J" + "y" * 500)
            connection.execute("UPDATE header SET value = ? WHERE key = ?", (value, key))
        connection.commit()
    with RunFolder(home / "run").open() as journal:
        found = export(RunFolder(home / "run"), journal, repo)
    assert re.fullmatch(r"policies/x-2Jy+\.py", found.path)
    text = said(repo, found.commit)
    assert visible(text) == text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("objective", "--help"), ("objective", "a b"), ("spec", "/x/--unsafe"), ("spec", "x; reboot")),
        *(("digest", "--unsafe\nFixes #1"), ("engine", "Fixes #1"), ("cases", "--unsafe"), ("cases", "/x/--unsafe")),
        ("problem", "x Fixes #1 @somebody"),
    ],
)
def test_no_word_of_a_run_becomes_an_option_of_the_commands_in_the_message(repo, made, key, value):
    edit("UPDATE header SET value = ? WHERE key = ?", json.dumps(value), key)
    exported = made("--to", repo, "--path", "p/x.py")
    text = said(repo, exported["commit"])
    commands = [shlex.split(line) for line in text.splitlines() if line.strip().startswith("evolve ")]
    words = {word for command in commands for word in command}
    assert commands
    assert {word for word in words if word.startswith("-")} <= {
        *("--revealed", "--objective", "--cases", "--seed", "--evaluations")
    }
    assert not words & {"reboot", "x;", "x; reboot", "a b"}
    assert "#1" not in text
    assert "@" not in text


@pytest.mark.parametrize("name", ["--unsafe", "greedy!", "a-b", "a b"])
def test_no_baseline_of_an_odd_name_is_named_in_the_commands_of_the_message(repo, made, name):
    edit("UPDATE proposals SET operator = ? WHERE number = 0", name)
    proof = json.loads(Path("run/verification.json").read_text())
    proof["standings"][0]["name"] = proof["duels"][0]["baseline"] = name
    change(here=True, **proof)
    text = said(repo, made("--to", repo)["commit"])
    assert f"evolve score tiny.py policies/tiny.py --revealed {SECRET}" in text
    assert "--unsafe" not in text


@pytest.mark.parametrize("path", ["-x.py", "reference"])
def test_a_path_that_is_an_option_or_a_baseline_is_a_path_in_the_commands(repo, made, path):
    text = said(repo, made("--to", repo, f"--path={path}")["commit"])
    assert f"evolve score tiny.py ./{path} reference --revealed {SECRET}" in text


def test_the_message_says_who_drew_the_secret_and_how_to_draw_another(repo, made):
    text = said(repo, made("--to", repo)["commit"])
    assert "the secret was drawn by whoever made the run" in " ".join(text.split())
    assert "evolve score tiny.py policies/tiny.py reference --revealed YOUROWNWORD" in text


@pytest.mark.parametrize("arguments", [[], ["another"]])
def test_a_run_that_grew_from_no_policy_is_damaged(repo, refused, arguments):
    with RunFolder(Path("run")).open() as journal:
        other = next(number for number in reversed(journal.top(5)) if journal.roots()[number] == 0 != number)
    arguments = [str(other) for _ in arguments]
    edit("UPDATE proposals SET source = NULL, outcome = 'NO_POLICY' WHERE number = 0")
    assert "turn 0, which others grew from, led to no policy" in refused(*arguments, "--to", repo)
    with RunFolder(Path("run")).open() as journal, pytest.raises(JournalError, match="led to no policy"):
        nearest(journal, other)


# Repositories that are not the user's


def planted(path, mark):
    """Makes a repository that has git start a program wherever it can."""
    repository(path)
    program = path / ".git" / "program"
    program.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(mark))}\nexit 1\n")
    program.chmod(0o755)
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "core.fsmonitor": str(program),
        "commit.gpgSign": "true",
        "gpg.program": str(program),
        "extensions.partialClone": "origin",
        "remote.origin.url": str(path.parent),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(program),
        "protocol.file.allow": "always",
    }.items():
        git(path, "config", key, value)
    return path


def without_a_tree(path):
    """Has git look for what is not there, in a remote that names a program."""
    tree = git(path, "rev-parse", "HEAD^{tree}")
    (path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()


@pytest.mark.parametrize("inside", [".", "deep/er"])
def test_git_is_not_called_in_a_repository_that_came_in_a_runs_folder(home, refused, inside):
    mark = home / "mark"
    planted(home / "elsewhere", mark)
    (home / "elsewhere" / ".git").rename(home / "run" / ".git")
    (home / "run" / inside).mkdir(parents=True, exist_ok=True)
    git(home / "run", "config", "core.fsmonitor", "false")
    without_a_tree(home / "run")
    assert "lies in the run's own folder" in refused("--to", home / "run" / inside)
    assert not mark.exists()


def test_a_repository_that_is_kept_in_a_runs_folder_is_refused(home, refused, monkeypatch):
    repository(home / "repo")
    (home / "repo" / ".git").rename(home / "run" / "kept")
    (home / "repo" / ".git").write_text("gitdir: ../run/kept\n")
    monkeypatch.setattr(Repository, "git", None)
    assert "is kept there" in refused("--to", home / "repo")


def test_a_repository_that_a_run_of_somebody_else_came_in_is_refused(home, evolve, stranger):
    planted(home / "checkout", home / "mark")
    copytree("run", home / "checkout" / "runs" / "one")
    for to in (".", "src", "runs"):
        status, _, error = evolve("export", home / "checkout" / "runs" / "one", "--to", home / "checkout" / to)
        assert status == 1
        assert "was not begun here" in error
        assert "copy the run elsewhere" in error
    assert not (home / "mark").exists()


def test_a_run_of_ones_own_may_lie_in_ones_own_repository(home, evolve):
    copytree("run", repository(home / "project") / "runs" / "one")
    status, _, error = evolve("export", home / "project" / "runs" / "one", "--to", home / "project")
    assert (status, error) == (0, "")


def test_nothing_is_fetched_with_a_program_that_a_remote_names(home, evolve):
    planted(home / "mine", home / "mark")
    git(home / "mine", "config", "core.fsmonitor", "false")
    without_a_tree(home / "mine")
    status, _, error = evolve("export", "run", "--to", home / "mine")
    assert status == 1
    assert "git ls-tree" in error
    assert not (home / "mark").exists()


def test_the_branch_goes_into_the_repository_that_was_found_and_no_other(home, made):
    other = repository(home / "other")
    dotfiles = repository(home / "dotfiles")
    git(dotfiles, "config", "core.worktree", str(other))
    before = state(other)
    exported = made("--to", dotfiles)
    assert state(other) == before
    assert git(other, "branch", "--list", "evolve/*") == ""
    assert exported["repository"] == str(dotfiles / ".git")
    assert git(dotfiles, "--git-dir=.git", "rev-parse", exported["branch"]) == exported["commit"]


def test_a_branch_that_is_checked_out_before_its_first_commit_is_left_alone(home, repo, refused):
    (home / "empty").mkdir()
    git(home / "empty", "init", "--quiet")
    assert "has main checked out" in refused("--to", "empty", "--branch", "main")
    git(repo, "worktree", "add", "--quiet", "-b", "work", "../work")
    git(repo.parent / "work", "symbolic-ref", "HEAD", "refs/heads/orphan")
    assert "has orphan checked out" in refused("--to", repo, "--branch", "orphan")
    assert git(home / "empty", "for-each-ref") == ""


def test_a_branch_that_stands_for_another_is_not_followed(repo, refused):
    git(repo, "symbolic-ref", "refs/heads/new", "refs/heads/victim")
    assert "has a branch new that stands for another one" in refused("--to", repo, "--branch", "new")
    at = branch.place(repo, "a.py", "other")
    git(repo, "symbolic-ref", "refs/heads/other", "refs/heads/victim")
    branch.commit(at, "x = 1\n", "message\n")
    assert git(repo, "branch", "--list", "victim") == ""


@pytest.mark.parametrize("kind", ["LITERAL", "GLOB", "NOGLOB", "ICASE"])
def test_how_a_caller_has_git_read_paths_does_not_count(repo, made, monkeypatch, kind):
    with monkeypatch.context() as patch:
        patch.setenv(f"GIT_{kind}_PATHSPECS", "1")
        assert made("--to", repo)["path"] == "policies/tiny.py"
