"""Words of strangers on a terminal."""

from evolve.report.diffs import unified
from evolve.text import brief, inert


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


def test_a_diff_shows_what_changed_without_what_a_terminal_would_obey():
    shown = unified("a\nb\n", "a\n\x1b[31mc\n", "#0", "#1")
    assert shown == "--- #0\n+++ #1\n@@ -1,2 +1,2 @@\n a\n-b\n+?[31mc"
    assert unified("a\n", "a\n", "#0", "#1") == ""


def test_colours_are_ours_alone():
    shown = unified("a\n", "b\x1b[5m\n", "#0", "#1", colour=True)
    assert "\x1b[32m+b?[5m\x1b[0m" in shown
    assert "\x1b[31m-a\x1b[0m" in shown
    assert "\x1b[5m" not in shown
