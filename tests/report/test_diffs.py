"""Differences of policies: unified, side by side, and of code alone; whatever the policies hold."""

import time
from random import Random

import pytest

from evolve.report.columns import side_by_side, wrapped
from evolve.report.diffs import describe, difference
from evolve.report.sides import Side

SECONDS = 3.0
"""Of CPU, for texts that would take minutes; each takes well under one."""


def beside(old, new, width=60, **how):
    """Returns the rows below the header of each place."""
    return [line for line in side_by_side(old, new, "#0", "#1", width, **how).splitlines()[1:] if "@@ -" not in line]


def lines(*several):
    return "".join(f"{line}\n" for line in several)


def columns(line):
    """Returns the columns that a line takes in a terminal, of the characters in these tests."""
    return sum(0 if c == "\u0301" else 2 if c in "政策実行😀" else 1 for c in line)


# Side by side


def test_equal_texts_have_no_difference():
    assert side_by_side("a\n", "a\n", "#0", "#1", 80) == ""
    assert describe(difference(Side("#0", "a\n"), Side("#1", "a\n"), width=80)) == "#0 and #1 are the same"


def test_changed_lines_stand_side_by_side_with_a_mark_that_needs_no_colour():
    old, new = lines("def f(x):", "    y = 2 * x", "    return y"), lines("def f(x):", "    y = 3 * x", "    return y")
    assert side_by_side(old, new, "#0", "#1", 47).splitlines() == [
        "  #0                       #1",
        "@@ -1,3 +1,3 @@",
        "1 def f(x):              1 def f(x):",
        "2     y = 2 * x        | 2     y = 3 * x",
        "3     return y           3     return y",
    ]


def test_a_line_that_one_side_lacks_has_an_empty_cell_beside_it():
    gone = beside(lines("a = 1", "b = 2", "c = 3"), lines("a = 1", "c = 3"))
    come = beside(lines("a = 1", "c = 3"), lines("a = 1", "b = 2", "c = 3"))
    assert gone[1].split() == ["2", "b", "=", "2", "<"]
    assert come[1].split() == [">", "2", "b", "=", "2"]
    assert gone[1].index("<") == come[1].index(">")


def test_lines_that_belong_together_are_paired_though_others_come_between():
    old = lines("slices = max(1, round(deadline / hours))", "if running != spot and left > 0:")
    new = lines(
        "share = 3", "spare = 4", "slices = max(2, round(deadline / hours))", "if running != spot and left > 9:"
    )
    rows = beside(old, new, 120)
    assert [row.split()[0] for row in rows] == [">", ">", "1", "2"]
    assert "max(1, " in rows[2]
    assert "| 3 slices = max(2, " in rows[2]
    assert "| 4 if running" in rows[3]


def test_each_place_has_three_lines_around_it_and_a_header():
    old = [f"line {n}" for n in range(40)]
    new = [*old[:10], "ten", *old[11:30], "thirty", *old[31:]]
    shown = side_by_side(lines(*old), lines(*new), "#0", "#1", 80).splitlines()
    assert [line for line in shown if line.startswith("@@")] == ["@@ -8,7 +8,7 @@", "@@ -28,7 +28,7 @@"]
    assert len(shown) == 1 + 2 * 8


def test_a_long_line_goes_on_in_its_cell_and_nothing_of_it_is_lost():
    words = " ".join(f"word{n}" for n in range(60))
    rows = beside(lines(words), lines("short"), 60)
    assert len(rows) > 10
    assert all("|" in row for row in rows)
    assert "".join(row[2:28] for row in rows).split() == words.split()
    assert all(not piece.rstrip().endswith(("w", "wo", "wor")) for piece in wrapped(words, 26))


@pytest.mark.parametrize(
    "line", ["x" * 500, "政策実行" * 70, "a政" * 100, "\t\tx = 1\t# 政策", "e\u0301" * 200, "😀" * 99, " " * 99, ""]
)
@pytest.mark.parametrize("width", [10, 11, 33])
def test_pieces_of_a_line_are_as_wide_as_their_cell(line, width):
    pieces = wrapped(line, width)
    assert {columns(piece) for piece in pieces} == {width}
    assert "".join("".join(pieces).split()) == "".join(line.split())


def test_wide_characters_and_tabs_keep_the_columns_straight():
    rows = beside(lines("a\t= '政策'", "\tb = 1", "cafe\u0301"), lines("a\t= '政'", "\tb = 2", "cafe"), 60)
    assert len({columns(row.partition("|")[0]) for row in rows}) == 1
    assert rows[1].startswith("2     b = 1")


def test_a_tab_ends_at_the_next_fourth_column():
    assert wrapped("ab\tc\t|政\t|", 20) == ["ab  c   |政 |       "]


@pytest.mark.parametrize("width", [1, 40, 41, 80, 133, 10**9])
def test_no_line_is_wider_than_the_page(width):
    random = Random(width)
    old, new = (lines(*("ab c" * random.randrange(60) for _ in range(200))) for _ in range(2))
    widest = max(len(line) for line in side_by_side(old, new, "#0" * 50, "#1", width).splitlines())
    assert widest <= max(40, min(width, 1000))


def test_what_is_shown_of_two_texts_is_theirs_and_in_order():
    random = Random(5)
    for _ in range(50):
        old, new = ([random.choice("abcdef") * 3 for _ in range(random.randrange(1, 12))] for _ in range(2))
        rows = beside(lines(*old), lines(*new), 47)
        left, right = [row[:23].split() for row in rows], [row[24:].split() for row in rows]
        for whole, shown in ((old, left), (new, right)):
            numbered = [cells for cells in shown if cells]
            assert [whole[int(number) - 1] for number, _ in numbered] == [text for _, text in numbered]
            assert [int(number) for number, _ in numbered] == sorted({int(number) for number, _ in numbered})
        for row, before, after in zip(rows, left, right, strict=True):
            alike = before[1:] == after[1:]
            mark = " " if alike else "|" if before and after else "<" if before else ">"
            assert row[23:24].strip() == mark.strip()


def test_colours_are_red_on_the_left_and_green_on_the_right():
    rows = beside(lines("a = 1", "b = 2"), lines("a = 1", "b = 3"), colour=True)
    assert "\x1b" not in rows[0]
    assert rows[1].index("\x1b[31mb = 2") < rows[1].index("|") < rows[1].index("\x1b[32mb = 3\x1b[0m")


# Texts made to harm


HARD = [
    ("".join(f"k{i % 100}\na{i}\n" for i in range(5000)), "".join(f"k{i % 101}\nb{i}\n" for i in range(5000))),
    ("政策" * 300_000, "\u0301" * 600_000),
    ("\t" * 10**6, "x" * 10**6),
    (
        "\n".join(f"alpha beta {i % 7} {i}" if i % 31 else "same" for i in range(10_000)),
        "\n".join(f"alpha beta {i % 5} {-i}" if i % 31 else "same" for i in range(10_000)),
    ),
]


@pytest.mark.parametrize(("old", "new"), HARD, ids=["repetitions", "wide", "tabs", "blocks"])
def test_texts_made_to_take_minutes_take_a_second_side_by_side(old, new):
    start = time.process_time()
    shown = side_by_side(old, new, "#0", "#1", 120)
    assert time.process_time() - start < SECONDS
    assert shown


def test_what_a_terminal_would_obey_is_shown_side_by_side_and_not_obeyed():
    hostile = "\x1b[2J\x1b]0;owned\x07\u202e\r\x9b31m\u2028"
    shown = side_by_side(f"a\n{hostile}\n", f"b\n{hostile * 9}\n", "#0", "#1", 60)
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "?[2J?]0;owned" in shown


def test_a_huge_line_says_that_it_was_cut():
    assert "[8000 more characters]" in " ".join(side_by_side("x " * 5000, "", "#0", "#1", 1000).split())


def test_lines_that_would_look_the_same_are_told_apart_side_by_side():
    assert beside("a\x1b\n", "a\u202e\n") == ["1 a\\x1b                      | 1 a\\u202e"]
    rows = " ".join(beside("x" * 2500 + "old\n", "x" * 2500 + "new\n", 400))
    assert "others differ from column 2,501 on: old]" in rows
    assert "others differ from column 2,501 on: new]" in rows


@pytest.mark.parametrize("width", [None, 80])
@pytest.mark.parametrize("code", [True, False])
def test_texts_that_differ_in_line_ends_alone_are_the_same_and_that_is_said(width, code):
    found = difference(Side("#0", "x = (\r\n"), Side("#1", "x = ("), width=width, code=code)
    assert found.diff == ""
    assert found.note.endswith("line ends are not compared: the texts have others, which are the same to Python")
    assert describe(found).endswith("\n#0 and #1 are the same")
    assert difference(Side("#0", "a\n"), Side("#1", "a\n"), width=width).note == ""


# Code alone


def code(old, new):
    return difference(Side("#0", old), Side("#1", new), code=True)


def test_formatting_comments_and_docstrings_are_no_code():
    old = (
        '"""One."""\n\nx = [1,2]  # two\n\n\ndef f(a):\n    """Does."""\n    return  "a"\n\n\nclass P:\n    """P."""\n'
    )
    new = "x = [\n    1,\n    2,\n]\ndef f(a):\n    'Does more.'\n    # then\n    return 'a'\nclass P:\n    pass\n"
    found = code(old, new)
    assert found.diff == ""
    assert describe(found).splitlines() == [found.note, "#0 and #1 are the same"]
    assert found.note.startswith("code only: ")


def test_what_differs_in_code_is_shown_without_the_noise():
    found = code("x = [1,2] # noise\ny = 1\n", "x = [1, 2]\ny = 2\n")
    assert found.diff.splitlines()[2:] == ["@@ -1,2 +1,2 @@", " x = [1, 2]", "-y = 1", "+y = 2"]


def test_a_function_of_a_docstring_alone_and_texts_that_are_no_docstrings_stay_code():
    assert code('def f():\n    """Nothing."""\n', "def f():\n    pass\n").diff == ""
    assert code("x = 'a'\n", "x = 'b'\n").diff != ""
    assert code("def f():\n    x = 1\n    'late'\n", "def f():\n    x = 1\n").diff != ""


@pytest.mark.parametrize(
    "broken",
    [
        "def f(:\n",
        "x = " + "(" * 5000,
        f"x = {'-' * 5000}1\n",
        "x = 0x" + "f" * 9000,
        "x = " + "lambda: " * 900 + "1",
        "\x00",
        "y" * 200_000,
    ],
    ids=lambda text: ascii(text[:10]),
)
def test_where_a_side_does_not_parse_the_texts_are_compared_and_that_is_said(broken):
    for old, new in ((broken, "x = 1  # one\n"), ("x = 1  # one\n", broken)):
        found = code(old, new)
        assert "cannot be written anew" in found.note
        assert "so this is the difference of the texts" in found.note
        assert "x = 1  # one" in found.diff
        assert found.note.isprintable()


def test_code_may_stand_side_by_side():
    found = difference(Side("#0", "x=1\ny=1"), Side("#1", "x = 1\ny = 2"), code=True, width=60)
    assert "| 2 y = 2" in found.diff
    assert len(found.diff.splitlines()) == 4
