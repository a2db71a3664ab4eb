"""Words of strangers on a terminal."""

import time

import pytest

from evolve.report.diffs import unified
from evolve.text import amid, brief, clipped, inert, told_apart


def test_control_characters_become_question_marks_and_lines_stay():
    assert inert("a\x1b[31mb\x07\n\tc\u202ed\u2028e\udc80f\x00") == "a?[31mb?\n\tc?d?e?f?"


def test_line_ends_of_windows_are_line_ends():
    assert inert("a\r\nb\rc\r\n") == "a\nb?c\n"


def test_plain_text_of_any_language_stays_as_it_is():
    assert inert("naïve Politik ¿ 政策 😀\n") == "naïve Politik ¿ 政策 😀\n"


def test_a_huge_line_is_cut_and_says_so():
    shown = inert("x" * 5000 + "\nshort")
    assert shown == "x" * 2000 + " [3000 more characters]\nshort"


def test_what_is_brief_is_one_line_of_the_width():
    assert brief("one\n  two\x1b\n", 80) == "one two?"
    assert brief("a" * 100, 10) == "aaaaaaa..."
    assert brief("a" * 10, 10) == "a" * 10


def test_of_a_long_name_the_middle_is_left_out():
    assert amid("default-without-tune+niches", 16) == "default...niches"
    assert amid("a" * 15 + "\x1b", 16) == "a" * 15 + "?"


def test_a_diff_shows_what_changed_without_what_a_terminal_would_obey():
    shown = unified("a\nb\n", "a\n\x1b[31mc\n", "#0", "#1")
    assert shown == "--- #0\n+++ #1\n@@ -1,2 +1,2 @@\n a\n-b\n+?[31mc"
    assert unified("a\n", "a\n", "#0", "#1") == ""


def test_colours_are_ours_alone():
    shown = unified("a\n", "b\x1b[5m\n", "#0", "#1", colour=True)
    assert "\x1b[32m+b?[5m\x1b[0m" in shown
    assert "\x1b[31m-a\x1b[0m" in shown
    assert "\x1b[5m" not in shown


def test_what_is_brief_takes_no_longer_because_the_text_is_long():
    start = time.process_time()
    assert brief("long " * 10**6, 20) == "long long long lo..."
    assert brief("\n" * 10**6 + "late", 20) == "..."
    assert time.process_time() - start < 0.1


def test_a_clipped_text_says_that_it_goes_on():
    assert clipped("a\nb\x1b\n", 5, 2) == ["a", "b?"]
    assert clipped("a\nb\nc", 5, 2) == ["a", "b", "[cut here; it has 5 characters in all]"]
    assert clipped("x" * 9000, 3, 2) == ["xxx", "[cut here; it has 9,000 characters in all]"]
    assert clipped("", 3, 2) == []


LONG = "x" * 2500


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("a\x1b\n", "a\u202e\n", ["-a\\x1b", "+a\\u202e"]),
        ("a?\n", "a\x00\n", ["-a?", "+a\\x00"]),
        ("a\udc80", "a\udc81", ["-a\\udc80", "+a\\udc81"]),
        ("a\r\r\nb", "a\x07\nb", ["-a\\r", "+a\\x07", " b"]),
        (
            f"{LONG}old\n",
            f"{LONG}\x1bew\n",
            [
                f"-{LONG[:2000]} [503 more characters; others differ from column 2,501 on: old]",
                f"+{LONG[:2000]} [503 more characters; others differ from column 2,501 on: \\x1bew]",
            ],
        ),
        (
            f"\x07{LONG}\n",
            f"\x08{LONG}\n",
            [f"-\\x07{LONG[:1999]} [501 more characters]", f"+\\x08{LONG[:1999]} [501 more characters]"],
        ),
        ("a\n", "a\n\n", [" a", "+"]),
        ("", "\n", ["+"]),
    ],
    ids=["controls", "a question mark", "surrogates", "carriage returns", "far", "early", "an empty line", "nothing"],
)
def test_lines_that_differ_and_would_look_the_same_are_told_apart(old, new, shown):
    assert unified(old, new, "#0", "#1").splitlines()[3:] == shown


def test_of_several_lines_that_look_the_same_each_is_shown_apart():
    several = [f"{LONG}a1", f"{LONG}a2", f"{LONG}b1", "\x1b" + LONG[1:] + "b1", "?" + LONG[1:] + "b1"]
    shown = told_apart(several[:3], several)
    assert len(set(shown.values())) == len(shown) == len(several)
    assert all(line.isprintable() for line in shown.values())


def test_a_diff_of_texts_that_would_take_minutes_tells_lines_apart_too():
    old = "\n".join(f"k{i % 100}\na\x1b{i}" for i in range(5000))
    shown = unified(old, old.replace("\x1b", "\x07"), "#0", "#1").splitlines()
    assert "-a\\x1b7" in shown
    assert "+a\\x077" in shown


def test_line_ends_of_windows_and_none_at_all_make_no_difference():
    assert unified("a\r\nb\r\n", "a\nb", "#0", "#1") == ""
