"""A policy goes into a repository only where a reviewer sees all of it."""

import pytest

from evolve.export.reviewable import insist_on_readable
from evolve.types import EvolveError


@pytest.mark.parametrize(
    "hidden",
    [
        *("\x1b", "\u202e", "\u200b", "\x00", "\x0c", "\u2028", "\ufeff", "\r", "\xa0"),
        *("\ufe0f", "\u3164", "\u034f", "\u115f", "\uffa0", "\u180b", "\u17b4", "\U000e0100", "\u2800"),
    ],
)
def test_a_policy_with_characters_that_are_not_shown_is_refused(hidden):
    with pytest.raises(EvolveError, match=f"line 2 of the policy holds the character U\\+{ord(hidden):04X}"):
        insist_on_readable(f"x = 1\ny = 'a{hidden}b'  # c\n")


def test_tabs_line_ends_and_other_alphabets_in_texts_and_comments_are_shown():
    insist_on_readable("def f():\r\n\treturn 'äλ中' + b'' + r'é'  # e with an accent: é\n")


@pytest.mark.parametrize(
    "code", ["\u0441ost = 1", "x.\u0430 = 1", "f'{\u0441ost}'", 'rf"""{\u0441ost}"""', "\uff41 = 1"]
)
def test_a_name_that_may_look_like_another_is_refused(code):
    with pytest.raises(EvolveError, match=r"line 2 of the policy holds the letter U"):
        insist_on_readable(f"cost = 1\n{code}\n")


def test_what_is_no_python_and_holds_other_letters_is_refused():
    with pytest.raises(EvolveError, match="no Python"):
        insist_on_readable("x = ('é'\n")


def test_a_line_whose_end_nobody_sees_is_refused():
    insist_on_readable("#" * 2000)
    with pytest.raises(EvolveError, match=r"line 1 of the policy has 2,001 characters.*would not see its end"):
        insist_on_readable("#" * 2001)
