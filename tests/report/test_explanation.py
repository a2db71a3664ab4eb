"""An explanation on paper: bounded, inert, the conclusion first."""

import io
import re
from pathlib import Path

import pytest
from explaining.plain import REFERENCE, Direct, Plain

from evolve.explaining.base import Base
from evolve.explaining.explain import explain
from evolve.explaining.question import Question
from evolve.folder import RunFolder
from evolve.report.explanation import Progress, describe


@pytest.fixture
def paper():
    """Explains a policy and returns what is printed."""

    def paper(source, *, colour=False, **details):
        problem = Plain()
        found = explain(
            problem, Direct(problem), Question(7, source, Base("reference", REFERENCE), "validation", **details)
        )
        return describe(found, problem, RunFolder(Path("runs/x")), colour=colour)

    return paper


def test_the_first_line_says_what_the_difference_is_worth_and_how_little_is_enough(paper):
    first = paper("def guess(x):\n    spare = 1\n    return 3 * x\n").splitlines()[0]
    assert re.match(r"plain #7: \+\d+\.\d\d% over reference on the validation cases", first)
    assert "against reference it is 2 hunks, 1 of which is needed to keep 90% of the lead" in first
    assert first.endswith("keeps 100.0% of the lead has -1 +1 lines (2 words) instead of -1 +2 lines (5 words)")


def test_a_policy_that_gains_nothing_is_said_to(paper):
    assert "no better than reference on the validation cases" in paper("def guess(x):\n    return x\n").splitlines()[0]


def test_control_characters_of_a_policy_never_reach_the_terminal(paper):
    page = paper(
        "def guess(x):\n    s = '\x1b]0;t\x07 \u202e'  # \x1b[2J\n    return 3 * x + len(s) - 9 * len('\x1b')\n"
    )
    assert not set(page) & {"\x1b", "\x07", "\u202e"}


def test_on_a_terminal_only_the_colours_are_ours(paper):
    page = paper("def guess(x):\n    s = '\x1b[2J'\n    return 3 * x\n", colour=True)
    assert "\x1b[32m+    return 3 * x\x1b[0m" in page
    assert "\x1b[2J" not in page


def test_long_hunks_and_long_lines_are_cut_and_say_so(paper):
    lines = "".join(f"    q{i} = {i}\n" for i in range(300))
    page = paper(f"def guess(x):\n    y = [{'1, ' * 5_000}]\n{lines}    return 3 * x\n", evaluations=10)
    assert "more lines" in page
    assert "not everything was tried with 10 variants" in page
    assert max(map(len, page.splitlines())) < 2_200


def test_worth_is_shown_with_intervals_and_what_failed_with_its_verdict(paper):
    page = paper("def guess(x):\n    y = 3\n    return y * x\n")
    assert "without it: CRASHED: NameError" in page
    assert "alone it changes no case" in page


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        with Progress(stream) as progress:
            progress("3 variants judged\n of at most 9\x1b[2J")
    assert terminal.getvalue() == "\r\x1b[K3 variants judged of at most 9?[2J ...\r\x1b[K"
    assert file.getvalue() == ""
