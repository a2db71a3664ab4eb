"""What a comparison shows of made-up courses."""

import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from evolve.comparing.course import Course
from evolve.comparing.figures import compare
from evolve.comparing.plan import Cell, Entrant, Plan, Subject
from evolve.report import comparison as words
from evolve.report import curves
from evolve.report.tables import as_json
from evolve.types import EvolveError

BUDGET = 40


def plan(seeds=10, problems=("spot",), strategies=("default", "sequential")):
    return Plan(
        tuple(Subject(name, name, name, "", "d1") for name in problems),
        tuple(Entrant(name, name) for name in strategies),
        tuple(range(seeds)),
        BUDGET,
        "quick",
    )


def went(final, validation=1.0, half=None):
    """Returns a course that stands at 1 for the first half of the budget."""
    best = (1.0,) * (BUDGET // 2) + (final,) * (BUDGET // 2)
    return Course(best if half is None else half, validation, BUDGET, 80, 5, 3)


def courses(wanted, score):
    return {cell: went(score(cell)) for cell in wanted.cells()}


def rows(found):
    return {(row.problem, row.strategy): row for row in found.rows}


def test_a_strategy_that_is_worse_on_every_seed_is_told_apart_and_one_that_is_not_is_not():
    wanted = plan(strategies=("default", "worse", "equal", "mixed"))
    factor = {
        "default": lambda _: 1.0,
        "worse": lambda _: 0.9,
        "equal": lambda _: 1.0,
        "mixed": lambda s: 0.9 + s % 3 / 10,
    }
    found = rows(compare(wanted, courses(wanted, lambda cell: 1.5 * factor[cell.entrant.name](cell.seed)), {}))
    assert found["spot", "default"].against is None
    assert found["spot", "worse"].against.verdict == "worse"
    assert found["spot", "worse"].against.ratio.mean == pytest.approx(0.9)
    assert found["spot", "worse"].against.p == pytest.approx(2 / 1024)
    assert found["spot", "worse"].against.p_holm == pytest.approx(6 / 1024)
    assert (found["spot", "equal"].against.p, found["spot", "equal"].against.verdict) == (1.0, "not told apart")
    assert found["spot", "mixed"].against.verdict == "not told apart"


def test_better_is_said_of_the_strategy_and_not_of_the_first():
    wanted = plan()
    found = compare(wanted, courses(wanted, lambda cell: 1.3 if cell.entrant.name == "sequential" else 1.2), {})
    assert rows(found)["spot", "sequential"].against.verdict == "better"


def test_holm_counts_the_comparisons_of_all_problems():
    wanted = plan(seeds=6, problems=("spot", "prism", "txn"))
    found = compare(wanted, courses(wanted, lambda cell: 1.3 if cell.entrant.name == "sequential" else 1.2), {})
    assert [row.against.p_holm for row in found.rows if row.against] == pytest.approx([3 * 2 / 64] * 3)
    assert found.least_p == pytest.approx(3 * 2 / 64)
    assert f"give --seeds {found.enough} or more" in words.describe(found)
    assert 3 * 2 ** (1 - found.enough) <= 0.05 < 3 * 2 ** (2 - found.enough)


@pytest.mark.parametrize("seeds", [1, 2, 10])
def test_constant_scores_are_not_told_apart(seeds):
    wanted = plan(seeds=seeds)
    found = compare(wanted, courses(wanted, lambda _: 1.0), {})
    row = rows(found)["spot", "sequential"]
    assert (row.against.p_holm, row.against.verdict, row.best.mean, row.area) == (1.0, "not told apart", 1.0, 1.0)
    ElementTree.fromstring(curves.svg(found))


@pytest.mark.parametrize("best", [1.0003, 1.02, 1.37, 2.0, 55.0, 3e4])
def test_an_axis_is_marked_at_three_to_ten_round_numbers(best):
    wanted = plan(seeds=2)
    drawn = curves.svg(compare(wanted, courses(wanted, lambda _: best), {}))
    marks = [float(mark) for mark in re.findall(r'text-anchor="end">([^<]+)<', drawn)]
    steps = {f"{after - before:.3g}" for before, after in pairwise(marks)}
    assert 3 <= len(marks) <= 10
    assert len(steps) == 1
    assert set(re.sub(r"e.*|[.0]", "", steps.pop())) <= {"1", "2", "5"}


def test_one_seed_is_never_told_apart():
    wanted = plan(seeds=1)
    found = compare(wanted, courses(wanted, lambda cell: 9.0 if cell.entrant.name == "default" else 1.0), {})
    assert rows(found)["spot", "sequential"].against.verdict == "not told apart"


def test_strategies_are_paired_by_the_seeds_that_both_have():
    wanted = plan(seeds=3)
    done = courses(wanted, lambda cell: 2.0 if cell.seed == 2 else 1.5)
    failed = next(cell for cell in done if cell.entrant.name == "sequential" and cell.seed == 2)
    del done[failed]
    found = compare(wanted, done, {failed: "it raised\x1b[2J"})
    row = rows(found)["spot", "sequential"]
    assert (row.seeds, row.failed, row.against.ratio.mean) == ((0, 1), 1, 1.0)
    said = words.describe(found)
    assert "sequential (1 failed)" in said
    assert "spot/sequential/seed-2: it raised" in said
    assert "\x1b" not in said


def test_a_comparison_in_which_every_cell_failed_is_said_and_drawn():
    wanted = plan(seeds=2)
    found = compare(wanted, {}, dict.fromkeys(wanted.cells(), "no"))
    assert "failed: 4 cells" in words.describe(found)
    assert "no run has ended" in curves.svg(found)
    assert len(json.loads(as_json(found))["failures"]) == 4


def test_a_best_that_fails_on_validation_is_counted_apart():
    wanted = plan(seeds=2)
    done = {cell: went(1.5, None if cell.seed else 1.2) for cell in wanted.cells()}
    found = compare(wanted, done, {})
    row = rows(found)["spot", "default"]
    assert (row.unproved, row.validation.mean, row.validation.stretches) == (1, 1.2, 1)
    assert "the best of 2 runs failed on validation" in words.describe(found)


def test_the_earlier_of_two_equal_ends_has_the_larger_mean_best():
    late, early = went(2.0), went(2.0, half=(2.0,) * BUDGET)
    assert late.area == pytest.approx(2**0.5)
    assert early.area == pytest.approx(2.0)


def test_a_curve_ends_with_the_budget_and_shows_what_was_best_until_then():
    wanted = plan(seeds=2)
    curve = compare(wanted, courses(wanted, lambda _: 3.0), {}).rows[0].curve
    assert [point.evaluations for point in curve][-1] == BUDGET
    assert {point.best.mean for point in curve if point.evaluations <= BUDGET // 2} == {1.0}
    assert curve[-1].best.mean == pytest.approx(3.0)


def test_the_tables_fit_into_120_columns():
    wanted = plan(strategies=("default", "default-without-mutate+simplify+leap+bandit"))
    said = words.describe(compare(wanted, courses(wanted, lambda cell: 1234.5 + cell.seed), {}))
    assert max(map(len, said.splitlines())) <= 120


def test_a_plot_is_whole_whatever_problems_and_cases_are_called():
    wanted = plan(seeds=2, problems=("<script>&\x1b", "b", "c"))
    page = curves.svg(compare(wanted, courses(wanted, lambda cell: 1.0 + cell.seed), {}))
    assert "<script>" not in page
    root = ElementTree.fromstring(page)
    assert len([element for element in root.iter() if element.tag.endswith("polyline")]) == 6


def test_a_plan_with_two_of_one_name_is_refused():
    with pytest.raises(EvolveError, match="two strategies have the name 'default'"):
        plan(strategies=("default", "default"))
    with pytest.raises(EvolveError, match="none was named"):
        plan(strategies=())


def test_whole_seeds_come_first_so_that_a_comparison_that_is_stopped_is_balanced():
    assert [cell.seed for cell in plan(seeds=2).cells()] == [0, 0, 1, 1]
    assert isinstance(plan().cells()[0], Cell)


def test_cells_that_cannot_be_searched_do_not_count_in_the_time_that_is_left(tmp_path):
    with (tmp_path / "said").open("w+") as stream:
        line = words.CellsLine(stream, iter((0.0, 1.0, 60.0)).__next__)
        line(2, 10, 3)
        line(7, 10, 3)
        stream.seek(0)
        assert stream.readlines() == ["2 of 10 cells, 3 failed\n", "7 of 10 cells, 3 failed\n"]
