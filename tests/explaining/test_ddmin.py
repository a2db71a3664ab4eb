"""Delta debugging on predicates alone."""

from random import Random

import pytest

from evolve.explaining.ddmin import ddmin


def first_of(enough):
    """Returns what asks a predicate, and the choices that it was asked of."""
    asked = []

    def first(choices):
        choices = list(choices)
        asked.extend(choices)
        return next((index for index, choice in enumerate(choices) if enough(set(choice))), None)

    return first, asked


@pytest.mark.parametrize("seed", range(30))
def test_exactly_the_parts_that_are_needed_are_left_whatever_they_are(seed):
    random = Random(seed)
    parts = range(random.randrange(1, 40))
    needed = set(random.sample(parts, random.randrange(len(parts) + 1)))
    first, _ = first_of(lambda chosen: needed <= chosen)
    assert ddmin(parts, first) == tuple(sorted(needed))


@pytest.mark.parametrize("seed", range(30))
def test_no_part_can_be_left_out_of_what_is_left_even_where_parts_depend_on_each_other(seed):
    random = Random(seed)
    parts = range(12)
    table = {tuple(sorted(random.sample(parts, random.randrange(1, 6)))) for _ in range(4)}

    def enough(chosen):
        return any(set(one) <= chosen for one in table) and (len(chosen) % 5 != 1 or len(chosen) == 12)

    first, _ = first_of(enough)
    left = ddmin(parts, first)
    assert enough(set(left)) or left == tuple(parts)
    assert not any(enough(set(left) - {part}) for part in left)


def test_where_nothing_is_needed_one_question_is_enough():
    first, asked = first_of(lambda _: True)
    assert ddmin("abc", first) == ()
    assert asked == [()]


def test_the_smaller_of_two_halves_is_tried_first():
    first, asked = first_of(lambda _: False)
    ddmin(["long", "a", "b"], first, len)
    assert asked[1:3] == [("long",), ("a", "b")] or asked[1:3] == [("a", "b"), ("long",)]
    assert sum(map(len, asked[1])) <= sum(map(len, asked[2]))


def test_one_of_many_is_found_in_about_twice_the_logarithm_of_their_number():
    first, asked = first_of(lambda chosen: 700 in chosen)
    assert ddmin(range(1024), first) == (700,)
    assert len(asked) <= 2 * 10 + 1
