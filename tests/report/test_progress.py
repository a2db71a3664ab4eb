"""The progress line, on a terminal and in a file."""

import io
import os
import pty

import pytest
import tiny

from evolve.report.progress import ProgressLine
from evolve.session import Progress
from evolve.types import NO_USAGE, Usage


def progress(number, seconds, left=90.0, best=1.5, misses=0, usage=NO_USAGE):
    candidate = tiny.judged(number, 1.0)
    leader = None if best is None else tiny.judged(3, best)
    return Progress(candidate, number + 1, misses, leader, seconds, left, usage)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_line_has_evaluations_best_gap_rate_cost_and_time_left():
    line = ProgressLine(lambda best: 0.25, io.StringIO())
    shown = line.line(progress(99, 20.0))
    assert shown == "100 evaluations, best on train 1.5000, gap closed 25.0%, 5.0/s, $0.00, 1:30 left"


def test_what_models_used_is_shown_in_dollars_or_where_these_are_not_known_in_tokens():
    line = ProgressLine(lambda best: None, io.StringIO())
    shown = line.line(progress(9, 10.0, misses=2, usage=Usage(9000, 0, 1000, 0.0421)))
    assert shown == "10 evaluations, 2 answers unused, best on train 1.5000, 1.0/s, $0.0421, 1:30 left"
    assert ", $12.34," in line.line(progress(9, 10.0, usage=Usage(9000, 0, 1000, 12.344)))
    assert ", 10k tokens of unknown price," in line.line(progress(9, 10.0, usage=Usage(9000, 0, 1000, None)))


def test_what_is_not_known_is_left_out():
    line = ProgressLine(lambda best: None, io.StringIO())
    assert line.line(progress(0, 0.5, left=None, best=None)) == "1 evaluation, 2.0/s, $0.00"
    assert "gap" not in line.line(progress(0, 0.5))


def test_in_a_file_a_line_is_added_every_ten_seconds_and_at_the_end():
    stream = io.StringIO()
    line = ProgressLine(lambda best: None, stream)
    for number in range(250):
        line(progress(number, number / 10))
    line.finish()
    lines = stream.getvalue().splitlines()
    assert [shown.split()[0] for shown in lines] == ["101", "201", "250"]
    assert "\r" not in stream.getvalue()
    line.finish()
    assert len(stream.getvalue().splitlines()) == 3


def test_on_a_terminal_one_line_is_rewritten_and_left_at_the_end():
    stream = Terminal()
    line = ProgressLine(lambda best: None, stream)
    for number in range(50):
        line(progress(number, number / 100))
    assert stream.getvalue().count("\r") == 3  # at 0, 0.2 and 0.4 seconds
    assert "\n" not in stream.getvalue()
    line.choosing(0, 12)
    line.choosing(3, 12)
    last = stream.getvalue().split("\n")
    assert last[0].rpartition("\r")[2].startswith("50 evaluations")
    assert last[1].rpartition("\r")[2].startswith("choosing the best of 12 on validation cases, 3 of them judged")
    line.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_the_line_never_exceeds_the_terminal():
    leader, follower = pty.openpty()
    try:
        os.set_blocking(leader, False)
        import fcntl
        import struct
        import termios

        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
        with open(follower, "w", closefd=False) as stream:
            ProgressLine(lambda best: 0.5, stream)(progress(99, 20.0))
        shown = os.read(leader, 1000).decode().removeprefix("\r").removesuffix("\x1b[K")
        assert shown == "100 evaluations, best on trai"
    finally:
        os.close(leader)
        os.close(follower)


def test_the_gap_is_computed_once_for_each_best():
    asked = []
    line = ProgressLine(lambda best: asked.append(best.number), io.StringIO())
    for number in range(5):
        line.line(progress(number, 1.0))
    assert asked == [3]


@pytest.mark.parametrize("live", [False, True])
def test_without_progress_nothing_is_shown(live):
    stream = Terminal() if live else io.StringIO()
    ProgressLine(lambda best: None, stream).finish()
    assert stream.getvalue() == ""
