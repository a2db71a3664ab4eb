"""A run's folder that came from somebody else is data: nothing in it is run, followed, waited for or believed."""

import json
import os
import sqlite3
import struct
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path
from shutil import copytree

import pytest
import tiny

from evolve import catalog
from evolve.budget import Limit
from evolve.cli import main
from evolve.folder import RunFolder
from evolve.journal.database import JournalError
from evolve.session import search
from evolve.types import Miss, Outcome, Proposal, Usage


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with a problem, and a run of it that was begun here."""
    home = tmp_path_factory.mktemp("original")
    search(catalog.load(str(tiny.write(home))), home / "run", Limit(3), workers=1)
    with RunFolder(home / "run").open() as journal:
        turn = journal.turns()
        journal.propose(turn, Miss(turn, Outcome.EMPTY, "blank", "llm", "edit", (0,), model="m", prompt="p"))
    return home


@pytest.fixture
def run(original, tmp_path, monkeypatch):
    """A copy of the run, in a folder that commands are given in."""
    monkeypatch.chdir(tmp_path)
    return copytree(original / "run", tmp_path / "run")


@pytest.fixture
def evolve(capsys):
    """Runs a command and returns its exit status and what it said on stderr."""

    def evolve(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, capsys.readouterr().err

    return evolve


def edit(run, statement, *values):
    with closing(sqlite3.connect(run / "journal.sqlite")) as connection:
        connection.execute(statement, values)
        connection.commit()


def forge(run, problem, spec):
    """Has a run name a problem file, with its right digest."""
    for key, value in (("spec", spec), ("digest", catalog.digest_of(problem))):
        edit(run, "UPDATE header SET value = ? WHERE key = ?", json.dumps(value), key)


def marking(path: Path) -> Path:
    """Writes a sound problem that leaves a mark where it is imported."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(tiny.PROBLEM + f"\nopen({str(path.parent / 'mark')!r}, 'w').close()\n")
    return path


# What is imported


@pytest.mark.parametrize(
    ("file", "spec"),
    [
        ("run/evil.py", "run/evil.py"),
        ("run/evil.py", "{here}/run/evil.py"),
        ("run/problem.py", "run"),
        ("run/problem.py", "./run/../run"),
        ("evil.py", "evil.py"),
        ("evil.py", "{here}/evil.py"),
        ("archive/problem.py", "archive"),
    ],
)
def test_the_problem_file_that_a_run_of_somebody_else_names_is_not_imported(evolve, run, tmp_path, file, spec):
    evil = marking(tmp_path / file)
    forge(run, evil, spec.format(here=tmp_path))
    status, said = evolve("verify", run, "--workers", 1)
    assert status == 1
    assert "was not begun here" in said
    assert "--problem FILE" in said
    assert not (evil.parent / "mark").exists()


def test_the_mark_shows_what_is_imported(tmp_path):
    evil = marking(tmp_path / "evil.py")
    catalog.load(str(evil))
    assert (tmp_path / "mark").exists()


def test_a_problem_inside_the_run_is_not_imported_though_the_user_names_it_by_a_link(evolve, run, tmp_path):
    evil = marking(run / "evil.py")
    forge(run, evil, str(evil))
    link = tmp_path / "evil.py"
    link.symlink_to(evil)
    for named in (evil, "run/evil.py", link):
        status, said = evolve("verify", run, "--problem", named)
        assert status == 1
        assert "lies inside" in said
    assert not (run / "mark").exists()


def test_a_file_that_the_user_names_is_not_imported_if_it_is_not_what_the_run_was_made_with(evolve, run, tmp_path):
    mine = marking(tmp_path / "mine" / "tiny.py")
    status, said = evolve("verify", run, "--problem", mine)
    assert status == 1
    assert "have changed since" in said
    assert not (mine.parent / "mark").exists()


def test_a_run_of_somebody_else_is_verified_with_the_users_copy_of_its_problem(evolve, run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    assert evolve("verify", run)[0] == 1
    copy = tiny.write(tmp_path)
    assert evolve("verify", run, "--problem", copy, "--workers", 1)[0] == 0


def test_a_run_that_was_begun_here_is_verified_without_naming_its_problem_wherever_it_was_moved(evolve, run):
    assert evolve("verify", run, "--workers", 1)[0] == 0


@pytest.mark.parametrize("key", ["spec", "digest", "secret_hash"])
def test_a_note_is_of_one_file_with_one_code_and_one_run(evolve, run, tmp_path, key):
    with RunFolder(run).open() as journal:
        was = getattr(journal.header, key)
    edit(run, "UPDATE header SET value = ? WHERE key = ?", json.dumps(f"{was[:-1]}x"), key)
    assert "was not begun here" in evolve("verify", run)[1]


def test_where_no_note_can_be_written_a_run_begins_all_the_same(evolve, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    path = tiny.write(tmp_path)
    assert evolve("run", path, "--evaluations", 1, "--out", tmp_path / "new", "--workers", 1)[0] == 0
    assert "was not begun here" in evolve("verify", tmp_path / "new")[1]


def test_the_digest_of_a_problem_is_taken_without_importing_it(tmp_path):
    evil = marking(tmp_path / "evil.py")
    before = catalog.digest_of(evil)
    assert not (tmp_path / "mark").exists()
    assert catalog.digest(catalog.load(str(evil))) == before
    (tmp_path / "seeds" / "evil").mkdir(parents=True)
    (tmp_path / "seeds" / "evil" / "low.py").write_text("def guess(x):\n    return 1\n")
    assert catalog.digest_of(evil) != before


# Links and pipes


@pytest.fixture
def victim(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    return victim


@pytest.mark.parametrize("name", ["best.py.new", "verification.json.new", "best.py", "verification.json"])
def test_what_verify_writes_goes_through_no_link(evolve, run, victim, name):
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(victim)
    assert evolve("verify", run, "--workers", 1)[0] == 0
    assert victim.read_text() == "precious"
    assert not (run / name.removesuffix(".new")).is_symlink()


@pytest.mark.parametrize(
    "name", ["lock", "secret", "journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "journal.sqlite-journal"]
)
@pytest.mark.parametrize("kind", ["link", "pipe", "dangling"])
def test_a_link_or_a_pipe_in_place_of_a_file_is_refused_and_left_alone(run, victim, name, kind):
    if name == "journal.sqlite" and kind == "link":
        (run / name).rename(victim)
    before = victim.read_bytes()
    (run / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(run / name)
    else:
        (run / name).symlink_to(victim if kind == "link" else victim.with_name("new"))
    command = [sys.executable, "-m", "evolve", "verify", "run", "--workers", "1"]  # apart, for a pipe may be waited for
    done = subprocess.run(command, cwd=run.parent, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "no run at" in done.stderr or "is a link or no plain file" in done.stderr
    assert victim.read_bytes() == before
    assert not victim.with_name("new").exists()


def test_a_link_in_a_folder_where_a_run_begins_is_not_followed(tmp_path, victim):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / "secret").symlink_to(victim)
    folder.prepare()
    assert victim.read_text() == "precious"
    assert not (folder.path / "secret").is_symlink()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_prompt_for_a_person_goes_through_no_link_and_waits_for_no_pipe(tmp_path, victim, kind):
    (tmp_path / "0007-answer.md").write_text("answer")
    if kind == "pipe":
        os.mkfifo(tmp_path / "0007-prompt.md")
    else:
        (tmp_path / "0007-prompt.new").symlink_to(victim)
    program = (
        "import asyncio; from pathlib import Path; from evolve.models import Request; "
        "from evolve.models.manual import Manual; "
        "print(asyncio.run(Manual(Path(), None).ask(7, Request('manual', 'a', 'b', 9))).text)"
    )
    command = [sys.executable, "-c", program]  # apart, for a pipe may be waited for
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.stdout == "answer\n"
    assert victim.read_text() == "precious"
    assert "Put the answer" in (tmp_path / "0007-prompt.md").read_text()


def test_a_secret_without_end_is_not_read_to_its_end(run):
    with (run / "secret").open("wb") as file:
        file.truncate(1 << 40)
    with RunFolder(run).open() as journal, pytest.raises(JournalError, match="is not the secret"):
        RunFolder(run).secret(journal.header)


# Rows

RECURSIVE = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
COMMANDS = (["show"], ["show", 0], ["show", 3], ["show", 3, "--prompt"], ["log"], ["log", "--all"], ["diff"])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE proposals SET parents = '[1e400]'",
        "UPDATE proposals SET parents = '[true]'",
        "UPDATE proposals SET parents = '[" + "9" * 40 + "]'",
        "UPDATE proposals SET parents = '" + "[" * 3000 + "'",
        "UPDATE proposals SET source = x'00ff'",
        "UPDATE proposals SET operator = x'ff'",
        "UPDATE proposals SET rationale = x'ff', message = x'ff'",
        "UPDATE proposals SET dollars = 'abc', model = 'm'",
        "UPDATE proposals SET input_tokens = 'abc', model = 'm'",
        "UPDATE proposals SET outcome = 'great' WHERE source IS NULL",
        "UPDATE evaluations SET score = 'abc'",
        "UPDATE evaluations SET score = 1e999",
        "UPDATE evaluations SET run_seconds = 'x'",
        "UPDATE evaluations SET verdict = '" + "A" * 5000 + "'",
        "UPDATE evaluations SET cpu_seconds = 'x'",
        "UPDATE evaluations SET calls = 'x'",
        "UPDATE evaluations SET layers = 'environment moat'",
        "UPDATE evaluations SET layers = x'ff00'",
        "UPDATE evaluations SET feedback = x'1b5d'",
        "UPDATE evaluations SET number = 'abc' WHERE number = 0",
        "UPDATE evaluations SET results = '" + "[" * 3000 + "'",
        'UPDATE evaluations SET results = \'{"case": [1], "ratio": ["1"], "metrics": {}}\'',
        "INSERT INTO sealed_uses VALUES ('now', 0, 1, 'z', 1)",
        "INSERT INTO faults SELECT 'now', count(*), x'ff' FROM proposals",
        "INSERT INTO questions VALUES (3, 'p', 'm', 'abc', 0, 0, 0, 1, NULL, '', '')",
        "INSERT INTO questions VALUES (3, 'p', 'm', 1, 0, 0, 'abc', 1, NULL, '', '')",
        "INSERT INTO questions VALUES (3, 'p', 'm', 1, 0, 0, 0, 1, NULL, '', x'ff')",
        "UPDATE header SET value = '" + "[" * 3000 + "' WHERE key = 'seed'",
        "UPDATE header SET value = x'ff' WHERE key = 'spec'",
    ],
    ids=lambda change: change[:60],
)
def test_a_row_that_no_run_writes_is_refused_in_one_line(evolve, run, change):
    edit(run, change)
    said = [evolve(command, "run", *rest)[1] for command, *rest in COMMANDS]
    assert any("cannot be used" in line for line in said)
    assert not any("a bug" in line for line in said)
    assert all(line.count("\n") <= 1 and len(line) < 1000 for line in said)


@pytest.mark.parametrize(
    "changes",
    [
        ["DROP TABLE faults", f"CREATE VIEW faults AS {RECURSIVE} SELECT x AS turns, 'm' AS message FROM c"],
        ["DROP TABLE header", f"CREATE VIEW header AS {RECURSIVE} SELECT x AS key, x AS value FROM c"],
        ["DROP TABLE faults"],
        ["CREATE TRIGGER t AFTER INSERT ON sealed_uses BEGIN DELETE FROM sealed_uses; END"],
        [
            "DROP TABLE faults",
            "CREATE TRIGGER faults AFTER INSERT ON sealed_uses BEGIN DELETE FROM sealed_uses; END",
            "CREATE TABLE faults (at TEXT NOT NULL, turns INTEGER NOT NULL, message TEXT NOT NULL)",
        ],
        ["CREATE TABLE songs (title TEXT)"],
        ["DROP TABLE faults", "CREATE TABLE faults (at TEXT, turns INTEGER, message TEXT AS (printf('%.9999f', 1)))"],
    ],
    ids=[
        "endless view",
        "endless header",
        "table less",
        "trigger",
        "trigger called like a table",
        "table more",
        "table that computes",
    ],
)
def test_a_journal_whose_tables_are_not_ours_is_refused_before_any_is_read(run, changes):
    for change in changes:
        edit(run, change)
    for read_only in (False, True):
        with pytest.raises(JournalError, match="its tables are not ours"):
            RunFolder(run).open(read_only=read_only)


def hot(run, victim):
    """Plants a rollback journal that says that ``victim`` coordinates a transaction, and may go once it is over."""
    file = run / "journal.sqlite"
    page = struct.unpack(">H", file.read_bytes()[16:18])[0]
    magic, name = bytes.fromhex("d9d505f920a163d7"), os.fsencode(victim)
    first = (magic + struct.pack(">IIIII", 0, 0, file.stat().st_size // page, 512, page)).ljust(512, b"\0")
    last = struct.pack(">I", 0x40000000 // page + 1) + name + struct.pack(">II", len(name), sum(name)) + magic
    (run / "journal.sqlite-journal").write_bytes(first + last)


def test_a_file_that_a_planted_journal_names_is_not_removed(evolve, run, tmp_path):
    victim = tmp_path / "thesis.tex"
    victim.write_text("years of work")
    hot(run, victim)
    for command, *rest in (*COMMANDS, ("hint", "wait"), ("pause",), ("verify",), ("publish",)):
        status, said = evolve(command, "run", *rest)
        assert (status, victim.exists()) == (1, True)
        assert "names another file" in said


@pytest.mark.parametrize(
    "packed",
    [
        b"garbage",
        zlib.compress(b"[" * 3000),
        zlib.compress(b"[1, 2]"),
        zlib.compress(b'["a"]'),
        zlib.compress(b"1")[:-2],
    ],
    ids=["garbage", "nested", "numbers", "one", "cut off"],
)
def test_a_prompt_that_no_run_asked_is_refused(evolve, run, packed):
    edit(run, "INSERT INTO questions VALUES (3, 'p', 'm', 1, 0, 0, 0, 1, NULL, '', '')")
    edit(run, "INSERT INTO prompts VALUES ('p', ?)", packed)
    assert "cannot be used" in evolve("show", run, 3, "--prompt")[1]


def test_a_prompt_that_unpacks_without_end_is_refused_before_it_does(evolve, run):
    edit(run, "INSERT INTO questions VALUES (3, 'p', 'm', 1, 0, 0, 0, 1, NULL, '', '')")
    edit(run, "INSERT INTO prompts VALUES ('p', ?)", zlib.compress(bytes(100 << 20), 1))
    assert "longer than 64 MiB" in evolve("show", run, 3, "--prompt")[1]


def test_what_is_whole_is_read_as_ever(evolve, run):
    with RunFolder(run).open() as journal:
        journal.propose(4, Proposal("x", "llm", usage=Usage(1, 0, 1, None), model="m", prompt="p"))
    assert [evolve("show", run)[0], evolve("log", run, "--all")[0], evolve("show", run, 3)[0]] == [0, 0, 0]
