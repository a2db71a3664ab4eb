"""A person as the model."""

import asyncio
import os
import re

import pytest

from evolve.models import Reply, Request
from evolve.models.manual import Manual
from evolve.models.retry import Waiting
from evolve.types import Outcome, Usage

ASKED = Request("manual", "You write policies.", "Write evict.", 100)


def ask(folder, steps=(), request=ASKED, until=lambda: 1000.0):
    """Asks turn 7; before each look at the folder one of the steps is done."""
    said, todo = [], list(steps)

    async def sleep(seconds):
        assert todo, "nobody will ever answer"
        todo.pop(0)()

    manual = Manual(folder, Waiting(report=said.append, sleep=sleep, until=until))
    return asyncio.run(manual.ask(7, request)), said


def wait():
    pass


def test_the_prompt_is_a_file_and_so_is_the_answer(tmp_path):
    folder = tmp_path / "manual"
    answer = folder / "0007-answer.md"
    reply, said = ask(folder, [wait, lambda: answer.write_text("x = 1"), wait])
    assert reply == Reply("x = 1", Usage(0, 0, 0, 0.0))
    prompt = (folder / "0007-prompt.md").read_text()
    assert prompt.index("0007-answer.md") < prompt.index("You write policies.") < prompt.index("Write evict.")
    assert said == [f"turn 7: read {folder / '0007-prompt.md'} and put your answer into {answer}"]
    assert sorted(file.name for file in folder.iterdir()) == ["0007-answer.md", "0007-prompt.md"]


def test_an_answer_counts_once_it_has_stopped_growing(tmp_path):
    answer = tmp_path / "0007-answer.md"

    def more():
        with answer.open("a") as file:
            file.write("more ")

    reply, _ = ask(tmp_path, [answer.touch, more, more, more, wait])
    assert reply.text == "more more more "


def test_a_file_rewritten_with_the_same_size_is_not_stable(tmp_path):
    answer = tmp_path / "0007-answer.md"

    def write(text, at):
        answer.write_text(text)
        os.utime(answer, ns=(at, at))

    reply, _ = ask(tmp_path, [lambda: write("aa", 1), lambda: write("bb", 2), wait])
    assert reply.text == "bb"


def test_an_answer_that_is_there_already_is_taken_at_once(tmp_path):
    ask(tmp_path, [lambda: (tmp_path / "0007-answer.md").write_text("x = 1"), wait])
    reply, said = ask(tmp_path)
    assert (reply.text, said) == ("x = 1", [])


def test_an_answer_to_another_prompt_is_put_aside(tmp_path):
    answer = tmp_path / "0007-answer.md"
    ask(tmp_path, [lambda: answer.write_text("old"), wait])
    other = Request("manual", "You write policies.", "Write place.", 100)
    reply, _ = ask(tmp_path, [lambda: answer.write_text("new"), wait], request=other)
    assert reply.text == "new"
    assert (tmp_path / "0007-answer.old.md").read_text() == "old"


@pytest.mark.parametrize(
    ("content", "outcome", "said"),
    [
        (b"caf\xe9", Outcome.UNAVAILABLE, r"0007-answer.md is not UTF-8 \(at byte 3\)"),
        (b"x" * (1 << 20) + b"x", Outcome.TOO_LONG, "longer than 1 MiB"),
        (b" \n", Outcome.EMPTY, "blank"),
    ],
)
def test_an_answer_that_is_none_says_why(tmp_path, content, outcome, said):
    (tmp_path / "0007-answer.md").write_bytes(content)
    reply, _ = ask(tmp_path)
    assert (reply.outcome, reply.usage) == (outcome, Usage())
    assert re.search(said, reply.message)


def test_a_mark_at_the_start_of_the_file_is_no_part_of_the_answer(tmp_path):
    (tmp_path / "0007-answer.md").write_bytes(b"\xef\xbb\xbfx = 1")
    assert ask(tmp_path)[0].text == "x = 1"


def test_a_run_whose_time_is_up_does_not_wait(tmp_path):
    reply, _ = ask(tmp_path, until=lambda: 0.0)
    assert reply.outcome is Outcome.NO_ANSWER


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    reply, _ = ask(tmp_path / "file" / "manual")
    assert reply.outcome is Outcome.UNAVAILABLE
    assert "cannot use" in reply.message
