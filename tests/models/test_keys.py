"""Keys come from the environment and appear nowhere else."""

import os

import pytest

from evolve.models import keys
from evolve.models.spec import parse
from evolve.types import EvolveError


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in [name for name in os.environ if name.endswith(("KEY", "TOKEN", "SECRET", "PASSWORD"))]:
        monkeypatch.delenv(name)


def test_a_dotenv_file_fills_what_is_not_set(tmp_path, monkeypatch):
    monkeypatch.setenv("FROM_BOTH", "environment")
    monkeypatch.setenv("FROM_FILE", "")
    monkeypatch.delenv("FROM_FILE")
    (tmp_path / ".env").write_text("# keys\nexport FROM_FILE='a $value'\nFROM_BOTH=file\nNOTHING\n")
    keys.load_env(tmp_path / ".env")
    assert (os.environ["FROM_FILE"], os.environ["FROM_BOTH"]) == ("a $value", "environment")


def test_a_dotenv_file_that_is_not_there_is_none(tmp_path):
    keys.load_env(tmp_path / ".env")


def test_a_dotenv_file_that_cannot_be_read_is_an_error_that_says_so(tmp_path):
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(EvolveError, match=r"cannot read .*\.env"):
        keys.load_env(tmp_path / ".env")
    (tmp_path / "folder").mkdir()
    with pytest.raises(EvolveError, match="cannot read"):
        keys.load_env(tmp_path / "folder")


def test_the_openai_key_goes_only_to_servers_with_encryption():
    env = {"OPENAI_API_KEY": "sk-mine", "OTHER_KEY": "other"}
    assert keys.key_of(parse("a,base-url=http://10.0.0.1/v1"), env) == "none"
    assert keys.key_of(parse("a,base-url=https://gateway/v1"), env) == "sk-mine"
    assert keys.key_of(parse("a,base-url=http://10.0.0.1/v1,key=OTHER_KEY"), env) == "other"
    assert keys.key_of(parse("a,base-url=https://gateway/v1"), {}) == "none"


def test_a_key_that_is_not_set_is_asked_for():
    with pytest.raises(EvolveError, match=r"set OTHER_KEY in the environment or in \.env"):
        keys.key_of(parse("a,base-url=http://x/v1,key=OTHER_KEY"), {"OTHER_KEY": " "})


def test_a_key_with_characters_that_no_header_takes_is_refused_and_not_repeated():
    with pytest.raises(EvolveError, match="OTHER_KEY holds characters") as refused:
        keys.key_of(parse("a,base-url=http://x/v1,key=OTHER_KEY"), {"OTHER_KEY": "gehe\u00efm\nnis"})
    assert "gehe" not in str(refused.value)


def test_values_of_variables_that_hold_keys_are_hidden():
    env = {"MY_KEY": "0123456789", "LONGER_TOKEN": "0123456789abc", "SHORT_KEY": "abc", "HOME": "/home/someone"}
    said = "0123456789abc and 0123456789 and abc in /home/someone"
    assert keys.redact(said, env=env) == "[key] and [key] and abc in /home/someone"
    assert keys.redact("it was hunter2hunter2", "hunter2hunter2", env={}) == "it was [key]"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Incorrect API key provided: sk-proj-abcdefgh12345.", "Incorrect API key provided: [key]"),
        ("sk-abcd****wxyz99 is wrong", "[key] is wrong"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [key]"),
        ("GET https://x/v1?key=abcdef&alt=sse", "GET https://x/v1?key=[key]&alt=sse"),
        ("https://user:hunter2@host/v1", "https://[key]@host/v1"),
        ("AIzaSyA1234567890 leaked", "[key] leaked"),
        ("the task-scheduler is down", "the task-scheduler is down"),
    ],
)
def test_what_looks_like_a_key_is_hidden(said, left):
    assert keys.redact(said, env={}) == left


def test_a_message_is_one_line_without_control_characters():
    assert keys.message("\n--\n\x1b[31mred\x07 alert\u202e\nsecond line") == "[31mred alert"
    assert len(keys.message("word " * 1000)) == 300
    assert keys.message("") == ""


def test_of_a_page_only_its_title_is_told():
    page = "<!DOCTYPE html><html><head><title>502 Bad &amp; Gateway</title></head><body>secret</body></html>"
    assert keys.message(page) == "an HTML page ('502 Bad & Gateway')"
    assert keys.message("<html><body>hi</body></html>") == "an HTML page"


def test_an_answer_loses_only_what_can_be_nothing_but_a_key():
    env = {"MY_KEY": "0123456789abcdef", "DB_PASSWORD": "function"}
    assert keys.redact_answer("function f(): 0123456789abcdef", env=env) == "function f(): [key]"
