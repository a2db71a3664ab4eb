"""What a recording says on a terminal and in a file."""

import io

from evolve.report.recording import Telling


class Terminal(io.StringIO):
    def isatty(self):
        return True


def told(stream, *steps):
    """Tells what comes at which second, and ends."""
    now = 0.0
    with Telling(stream, lambda: now) as telling:
        for now, said in steps:  # noqa: B007 - the clock reads it
            telling(said)
    return stream.getvalue()


def test_a_file_has_the_first_a_line_every_ten_seconds_and_the_last():
    steps = [(second, f"{second} of 25") for second in range(26)]
    assert told(io.StringIO(), *steps) == "0 of 25\n10 of 25\n20 of 25\n25 of 25\n"


def test_what_was_shown_is_not_shown_again_at_the_end():
    assert told(io.StringIO(), (0, "one"), (10, "two")) == "one\ntwo\n"


def test_a_terminal_has_one_line_that_is_rewritten_and_left_at_the_end():
    assert told(Terminal(), (0, "one"), (0.1, "two")) == "\r\x1b[Kone\r\x1b[Ktwo\n"


def test_a_line_that_was_left_is_not_left_again():
    stream = Terminal()
    with Telling(stream, lambda: 0.0) as telling:
        telling("one")
        telling.finish()
    assert stream.getvalue().endswith("one\n")


def test_nothing_told_is_nothing_said():
    assert told(io.StringIO()) == ""
    assert told(Terminal()) == ""


def test_what_is_told_is_one_line_of_plain_text():
    said = told(io.StringIO(), (0, "\x1b[2J\n" + "x" * 1000))
    assert said.count("\n") == 1
    assert said.strip().isprintable()
    assert len(said) < 200
