"""What was begun and written on this machine is noted apart from all runs."""

from dataclasses import replace

import pytest

from evolve import begun
from evolve.journal.header import Header

HEADER = Header("tiny", "tiny.py", "d", "0.1.0", 0, 8, "train", "", "mutate 3", "5ec2e7", "2026-01-02T03:04:05+00:00")


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("other", [{"secret_hash": "x"}, {"spec": "other.py"}, {"digest": "x"}])
def test_a_text_is_known_again_only_to_the_letter_and_of_the_same_run(other):
    begun.note_written(HEADER, "it is better")
    assert begun.is_written(HEADER, "it is better")
    assert not begun.is_written(HEADER, "it is better ")
    assert not begun.is_written(replace(HEADER, **other), "it is better")


def test_what_was_written_of_a_run_does_not_make_it_one_that_was_begun_here():
    begun.note_written(HEADER, "")
    assert not begun.is_noted(HEADER)
    begun.note(HEADER)
    assert begun.is_noted(HEADER)
    assert not begun.is_written(HEADER, "other")


def test_a_note_holds_nothing(state):
    begun.note_written(HEADER, "it is better")
    (file,) = (state / "evolve" / "written").iterdir()
    assert file.read_bytes() == b""
    assert "better" not in file.name


def test_where_no_note_can_be_written_nothing_was_written_here(state, monkeypatch):
    (state / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(state / "file"))
    begun.note_written(HEADER, "it is better")
    assert not begun.is_written(HEADER, "it is better")
