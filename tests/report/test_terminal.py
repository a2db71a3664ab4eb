"""What is said on a terminal is shown, never obeyed."""

import logging

import pytest

from evolve.report import terminal

HOSTILE = "one\x1b[2J\u202e\x9b\ntwo \U0001f600 \udc80"


def test_what_is_said_has_no_control_characters(capsys):
    terminal.say(HOSTILE)
    terminal.warn(HOSTILE)
    shown = "one?[2J??\ntwo \U0001f600 ?\n"
    assert capsys.readouterr() == (shown, shown)


def test_log_lines_have_none_either(capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as a process begins
    terminal.prepare()
    logging.getLogger().warning("a model said %s", HOSTILE)
    assert capsys.readouterr().err == "WARNING: a model said one?[2J??\ntwo \U0001f600 ?\n"


def test_an_error_of_no_known_kind_is_told_with_its_place():
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert terminal.traced(caught.value).startswith("ZeroDivisionError: division by zero (")
    assert "test_terminal.py, line " in terminal.traced(caught.value)
