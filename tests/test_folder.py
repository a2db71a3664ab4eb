"""A run's folder."""

import hashlib
import stat

import pytest

from evolve.folder import RunFolder
from evolve.journal.database import JournalError
from evolve.journal.header import Header
from evolve.types import EvolveError


def header(secret_hash):
    return Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "mutate", secret_hash, "now")


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def begun(folder):
    folder.create(header(folder.prepare())).close()
    return folder


def test_a_run_begins_with_a_secret_that_only_its_owner_reads_and_whose_hash_is_recorded(begun):
    secret = begun.path / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    with begun.open() as journal:
        assert journal.header.secret_hash == hashlib.sha256(secret.read_bytes()).hexdigest()
        assert begun.secret(journal.header) == secret.read_text()
        assert len(secret.read_text()) == 32


def test_every_run_draws_another_secret(tmp_path):
    assert RunFolder(tmp_path / "a").prepare() != RunFolder(tmp_path / "b").prepare()


@pytest.mark.parametrize("secret", [None, b"", b"guessed", b"\xff\xfe"], ids=["missing", "empty", "changed", "binary"])
def test_a_missing_or_changed_secret_is_refused(begun, secret):
    path = begun.path / "secret"
    path.unlink() if secret is None else path.write_bytes(secret)
    with begun.open() as journal, pytest.raises(JournalError, match="secret"):
        begun.secret(journal.header)


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(folder):
    folder.path.mkdir()
    (folder.path / "thesis.tex").touch()
    with pytest.raises(EvolveError, match=r"not empty.*'thesis.tex'.*another --out"), folder.locked():
        pytest.fail("the folder was locked")
    with pytest.raises(EvolveError, match="thesis"):
        folder.prepare()
    assert [item.name for item in folder.path.iterdir()] == ["thesis.tex"]


def test_a_run_killed_while_it_began_can_begin_again(folder):
    folder.prepare()
    (folder.path / "journal.sqlite.new").write_bytes(b"cut off")
    with folder.locked():
        assert not folder.exists
        folder.create(header(folder.prepare())).close()
    assert folder.exists


def test_two_processes_do_not_work_in_one_folder(begun):
    again = RunFolder(begun.path)
    with begun.locked(), pytest.raises(EvolveError, match="another process is working"), again.locked():
        pytest.fail("locked twice")
    with begun.locked():
        pass


@pytest.mark.parametrize("read_only", [False, True])
def test_where_there_is_no_run_that_is_said(folder, read_only):
    with pytest.raises(EvolveError, match=r"no run at .*no such folder"):
        folder.open(read_only=read_only)
    folder.path.mkdir()
    with pytest.raises(EvolveError, match=r"no run at .*no journal\.sqlite"):
        folder.open(read_only=read_only)
    (folder.path / "journal.sqlite").mkdir()
    with pytest.raises(EvolveError, match="no run at"):
        folder.open(read_only=read_only)


def test_a_file_is_no_run(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(EvolveError, match="that is a file"):
        RunFolder(file).open()
    with pytest.raises(EvolveError, match="cannot work in"), RunFolder(file).locked():
        pytest.fail("locked a file")
    with pytest.raises(EvolveError, match="cannot work in"):
        RunFolder(file / "run").prepare()


def test_a_file_of_the_run_is_replaced_in_one_step(begun):
    begun.keep(begun.best, "def guess(x):\n    return 1\n")
    begun.keep(begun.best, "def guess(x):\n    return 2\n")
    assert begun.best.read_text().endswith("2\n")
    assert {item.name for item in begun.path.iterdir()} == {"secret", "journal.sqlite", "best.py"}
