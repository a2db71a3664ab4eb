"""What a call may ask for, and what counts as that."""

import math
from typing import Any, Literal, Optional

import msgpack
import numpy as np
import pytest
from numpy.typing import NDArray

from evolve.judge.decision import check, checker, describe
from evolve.problem import InvalidDecision, ProblemError

ACCEPTED = [
    (None, None),
    (True, bool),
    (-(2**63), int),
    (2**63 - 1, int),
    (0.5, float),
    ("", str),
    ([1, "a", None], list),
    ([1, "a"], tuple),
    ({"a": 1, 2: [3]}, dict),
    ([], list[int]),
    ([1, 2], list[int]),
    ({"a": 0.5}, dict[str, float]),
    ([1, "a"], tuple[int, str]),
    ([1, 2, 3], tuple[int, ...]),
    ("spot", Literal["spot", "none"]),
    (1, Literal[1, None]),
    (None, Literal[1, None]),
    (None, int | None),
    ("x", Optional[str]),  # noqa: UP045 - it is a way to write it
    ([[1, 2]], list[tuple[int, int]]),
    ({"deep": [{"er": [1.5]}]}, Any),
    ({"a": [None, 0.5]}, dict[str, list[float | None]]),
]


@pytest.mark.parametrize(("decision", "returns"), ACCEPTED, ids=str)
def test_a_decision_of_the_type_asked_for_passes_unchanged(decision, returns):
    assert check(decision, returns) == decision


REFUSED = [
    (0, None),
    (1, bool),
    (True, int),
    (1.0, int),
    ("1", int),
    (2**63, int),
    (None, int),
    (math.nan, float),
    (math.inf, float),
    (True, float),
    (2**60, float),
    (b"x", str),
    ([1, b""], list),
    ([math.nan], list),
    ({"a": math.inf}, dict),
    ({1.5: 1}, dict),
    ((1, 2), list[int]),
    ([1, True], list[int]),
    ([1, None], list[int]),
    ({"a": "b"}, dict[str, float]),
    ({1: 0.5}, dict[str, float]),
    ([1], tuple[int, str]),
    ([1, "a", 2], tuple[int, str]),
    ([1, "a"], tuple[int, ...]),
    ("Spot", Literal["spot", "none"]),
    (["spot"], Literal["spot", "none"]),
    (True, Literal[1, None]),
    (1.0, Literal[1, None]),
    ("x", int | None),
    (msgpack.Timestamp(0), Any),
    (b"", Any),
    ([[math.nan]], Any),
    (2**63, Any),
    ([1], np.ndarray),
    (np.array([np.nan]), np.ndarray),
    (np.array([np.inf]), Any),
]


@pytest.mark.parametrize(("decision", "returns"), REFUSED, ids=str)
def test_anything_else_is_an_invalid_decision(decision, returns):
    with pytest.raises(InvalidDecision, match=r"expected .*, got "):
        check(decision, returns)


@pytest.mark.parametrize("returns", [np.ndarray, NDArray[np.float64]])
def test_arrays_pass_as_they_are(returns):
    array = np.arange(3.0)
    assert check(array, returns) is array


def test_whole_numbers_become_floats_wherever_a_float_is_wanted():
    assert type(check(3, float)) is float
    assert [type(item) for item in check([1, 2.5], list[float])] == [float, float]
    assert type(check({"a": 1}, dict[str, float])["a"]) is float
    assert [type(item) for item in check([1, 2], tuple[int, float])] == [int, float]
    assert type(check(1, float | None)) is float
    assert check(None, float | None) is None
    assert type(check(1, int | float)) is int
    assert type(check([[[1]]], list[list[list[float]]])[0][0][0]) is float


def test_a_long_list_of_integers_is_not_copied():
    decision = list(range(1000))
    assert check(decision, list[int]) is decision


@pytest.mark.parametrize("returns", [5, "int", set, set[int], bytes, object, list[set[int]], {}, [int], complex])
def test_a_type_that_no_decision_has_is_the_problems_fault(returns):
    with pytest.raises(ProblemError, match="a decision is a bool"):
        checker(returns)


def test_what_is_said_of_a_decision_is_short_and_harmless():
    class Hostile:
        def __repr__(self):
            raise AssertionError

    assert describe(Hostile()) == "a value of type Hostile"
    assert describe(10**5000) == "a value of type int"
    assert describe("x" * 10**6) == "a text of 1000000 characters"
    assert describe("a\x1b\n\ud800") == "the text 'a???'"
    assert describe([Hostile()] * 3) == "a list of 3"
    assert describe(-5) == "-5"


def test_the_message_names_what_was_wanted():
    with pytest.raises(InvalidDecision, match="expected one of 'spot', 'none', got the text 'on'"):
        check("on", Literal["spot", "none"])
    with pytest.raises(InvalidDecision, match=r"expected list\[int\], got a dict of 0"):
        check({}, list[int])


def test_what_is_wrong_inside_a_list_or_a_dict_is_named():
    deep = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(InvalidDecision, match=r"got a list of 1, lists and dicts nested more than \d+ deep$"):
        check(deep, list)
    with pytest.raises(InvalidDecision, match=r"got a dict of 1, a value that is not plain data, of type float$"):
        check({"a": math.nan}, dict)
    with pytest.raises(InvalidDecision, match=r"expected list\[int\], got a list of 2, with the text 'a' at 1$"):
        check([0, "a"], list[int])
    with pytest.raises(
        InvalidDecision, match=r"expected dict\[str, int\], got a dict of 2, with 128.0 at the text 'b'$"
    ):
        check({"a": 1, "b": 128.0}, dict[str, int])
    with pytest.raises(InvalidDecision, match=r"expected tuple\[int, str\], got a list of 1$"):
        check([1], tuple[int, str])
