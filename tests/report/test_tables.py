"""Tables and JSON."""

import json
import math
from dataclasses import replace
from types import MappingProxyType

import pytest
import tiny

from evolve.report.tables import UNSAFE, as_json, interval, natural, number, share, standings, table
from evolve.standings import Bound, Standing
from evolve.statistics import Interval
from evolve.types import Layer, Verdict


def test_columns_are_aligned_names_to_the_left_numbers_to_the_right():
    assert table(("name", "n"), [("a", "10"), ("long name", "9")]).splitlines() == [
        "name        n",
        "---------  --",
        "a          10",
        "long name   9",
    ]


def test_json_has_null_where_there_is_no_finite_number():
    value = {"a": math.nan, "b": [math.inf, 1.5], 3: tiny.evaluation(None)}
    read = json.loads(as_json(value), parse_constant=pytest.fail)
    assert read["a"] is None
    assert read["b"] == [None, 1.5]
    assert read["3"]["verdict"] == "CRASHED"


def test_a_list_in_json_has_a_line_for_each_item():
    rows = [tiny.judged(0, 1.5), {"a": math.nan, "b": (1, None)}, MappingProxyType({3: Verdict.OK}), "x\ny"]
    lines = as_json(rows).splitlines()
    assert [line.removesuffix(",") for line in lines[1:-1]] == [json.dumps(item) for item in json.loads(as_json(rows))]
    assert json.loads(as_json(rows)) == [json.loads(as_json({"it": row}))["it"] for row in rows]
    assert lines[2:4] == ['{"a": null, "b": [1, null]},', '{"3": "OK"},']
    assert as_json([]) == "[]"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.43751, "0.4375"),
        (1.0, "1.000"),
        (99.5, "99.50"),
        (123456.7, "123457"),
        (-0.00123456, "-0.001235"),
        (1e-7, "1.000e-07"),
        (1e15, "1.000e+15"),
    ],
)
def test_a_metric_is_shown_with_four_significant_digits(value, shown):
    assert natural(value) == shown


def test_what_is_missing_is_a_dash():
    assert (number(None), share(None), interval(None)) == ("-", "-", "-")
    assert (number(1.23456, 2), share(0.1234)) == ("1.23", "12.3%")


def test_an_interval_needs_two_independent_stretches():
    assert interval(Interval(1.0, 0.9, 1.1, 20)) == "[0.900, 1.100]"
    assert interval(Interval(1.0, 1.0, 1.0, 1)) == "-"


def test_standings_say_under_the_table_why_a_policy_has_no_score():
    rows = [
        Standing("fine.py", tiny.evaluation(1.25), Interval(1.25, 1.2, 1.3, 9), 8.0, None),
        Standing("bad\x1b.py", tiny.evaluation(None)),
    ]
    lines = standings(rows, "error").splitlines()
    assert " ".join(lines[0].split()) == "policy verdict score 95% interval mean error gap closed CPU ms/call"
    assert lines[2].split() == ["fine.py", "OK", "1.250", "[1.200,", "1.300]", "8.000", "-", "35.71"]
    assert lines[3].split() == ["bad?.py", "CRASHED", "-", "-", "-", "-", "-"]
    assert lines[4] == "bad?.py: ZeroDivisionError: division by zero"


def test_a_score_made_without_the_sandbox_is_marked_wherever_it_is_shown():
    unsafe = replace(tiny.evaluation(1.25), layers=(Layer.ENVIRONMENT, Layer.LIMITS))
    safe = replace(tiny.evaluation(1.25), layers=tuple(Layer))
    text = standings([Standing("a.py", unsafe), Standing("b.py", safe)], "error")
    a, b, *notes = text.splitlines()[2:]
    assert "OK, UNSAFE" in a
    assert "UNSAFE" not in b
    assert notes == [UNSAFE]
    assert "UNSAFE" not in standings([Standing("b.py", safe), Standing("c.py", tiny.evaluation(1.0))], "error")


def test_a_summary_has_columns_with_four_decimals_and_the_bound_the_last_row():
    bound = Bound(0.03959, {"published score": 26.25597})
    rows = [
        Standing("fine.py", tiny.evaluation(1.25), None, 0.04787, 0.0, {"published score": 21.8916}, bound),
        Standing("bad.py", tiny.evaluation(None), bound=bound),
    ]
    lines = standings(rows, "pressure").splitlines()
    assert lines[0].endswith("CPU ms/call  published score")
    assert lines[2].split() == ["fine.py", "OK", "1.250", "-", "0.04787", "0.0%", "35.71", "21.8916"]
    assert lines[3].split() == ["bad.py", "CRASHED", "-", "-", "-", "-", "-", "-"]
    assert lines[4].startswith("bound (no policy can do better)  -")
    assert lines[4].split()[-7:] == ["-", "-", "-", "0.03959", "100.0%", "-", "26.2560"]
    assert lines[5].startswith("bad.py: ")
