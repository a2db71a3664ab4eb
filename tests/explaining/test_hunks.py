"""Differences as hunks that can be applied one by one."""

from random import Random

import pytest

from evolve.explaining.hunks import applied, hunks, lines, single

WORDS = ["a = 1", "b = 2", "if a:", "    return b", "", "c = a + b", "# why"]


def text(random):
    return "\n".join(random.choice(WORDS) for _ in range(random.randrange(1, 25))) + "\n"


@pytest.mark.parametrize("seed", range(40))
def test_all_hunks_make_the_policy_and_none_the_base_in_whatever_order_and_size(seed):
    random = Random(seed)
    base, policy = text(random), text(random)
    for most in (1000, 3):
        found = hunks(lines(base), lines(policy), most)
        assert len(found) <= most
        assert applied(lines(base), random.sample(found, len(found))) == policy
        assert applied(lines(base), []) == base
        parts = [part for hunk in found for part in single(hunk)]
        assert applied(lines(base), random.sample(parts, len(parts))) == policy
        assert all(len(part.old) <= 1 and len(part.new) <= 1 for part in parts)


def test_every_hunk_says_where_its_lines_stand_in_the_policy():
    base, policy = "a = 1\nb = 2\nc = 3\n", "import math\na = 1\nb = 2\nc = 30\nd = 4\n"
    for hunk in hunks(lines(base), lines(policy)):
        assert lines(policy)[hunk.line - 1 : hunk.line - 1 + len(hunk.new)] == list(hunk.new)


def test_lines_that_are_alike_take_each_others_place_on_their_own():
    base = "first = one + 1\nsecond = two + 2\n"
    policy = "first = one + 10\nsomething(else_)\nsecond = two + 20\n"
    assert [(hunk.old, hunk.new) for hunk in hunks(lines(base), lines(policy))] == [
        (("first = one + 1",), ("first = one + 10",)),
        ((), ("something(else_)",)),
        (("second = two + 2",), ("second = two + 20",)),
    ]


def test_lines_end_as_python_says_and_with_them_the_text():
    assert lines("a\r\nb\rc\x0cd\u2028e") == ["a", "b", "c\x0cd\u2028e"]
    assert applied(lines("a\r\nb"), []) == "a\nb\n"


@pytest.mark.parametrize(
    ("base", "policy"),
    [
        ("x = 1\n" * 10_000, "x = 2\n" * 10_000),
        ("x = 1\ny = 2\n" * 5_000, "y = 2\nx = 1\nz = 3\n" * 3_300),
        ("a " * 50_000, "b " * 50_000),
        ("\n".join(f"v{i} = {i}" for i in range(10_000)), "\n".join(f"v{i} = {i + i % 2}" for i in range(10_000))),
    ],
)
def test_texts_made_to_take_minutes_are_taken_apart_in_seconds(base, policy):
    found = hunks(lines(base), lines(policy))
    assert len(found) <= 40
    assert applied(lines(base), found) == "\n".join(lines(policy)) + "\n"
