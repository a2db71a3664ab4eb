"""What samples of a kernel and of its anchor say about the kernel."""

import random

import pytest

from evaluators.gpu.bench import Status
from evaluators.gpu.timing import LEAST_REPEATS, MOST_REPEATS, corrected, is_steady, repeats, settled


def test_equal_samples_give_that_time_and_no_spread():
    timing = corrected([50.0] * 7, [100.0] * 7, 100.0)
    assert (timing.status, timing.microseconds, timing.spread, timing.repeats) == (Status.OK, 50.0, 0.0, 7)


def test_a_clock_that_drifts_by_30_percent_leaves_the_figure_where_it_was():
    slower = [1 + 0.3 * turn / 19 for turn in range(20)]
    timing = corrected([50 * factor for factor in slower], [100 * factor for factor in slower], 100.0)
    assert timing.microseconds == pytest.approx(50.0)
    assert timing.spread == pytest.approx(0.0, abs=1e-12)


def test_a_clock_that_was_faster_when_the_anchor_settled_changes_nothing_either():
    timing = corrected([65.0] * 5, [130.0] * 5, 100.0)
    assert timing.microseconds == pytest.approx(50.0)


def test_a_few_outliers_move_neither_median_nor_spread():
    kernel = [50.0] * 17 + [400.0, 5000.0, 90.0]
    timing = corrected(kernel, [100.0] * 20, 100.0)
    assert (timing.microseconds, timing.spread) == (50.0, 0.0)
    assert is_steady(timing)


def test_a_series_with_two_modes_is_not_steady():
    timing = corrected([50.0, 60.0] * 6, [100.0] * 12, 100.0)
    assert timing.microseconds == pytest.approx(55.0)
    assert timing.spread == pytest.approx(5 / 55)
    assert not is_steady(timing)


def test_a_kernel_that_grows_slower_than_its_anchor_is_not_steady():
    timing = corrected([50 + 2 * turn for turn in range(12)], [100.0] * 12, 100.0)
    assert not is_steady(timing)


def test_the_spread_is_half_the_interquartile_range_over_the_median():
    timing = corrected([90.0, 95.0, 100.0, 105.0, 110.0], [100.0] * 5, 100.0)
    assert timing.spread == pytest.approx(0.05)


def test_noise_of_three_percent_gives_the_same_figure_within_one():
    draw = random.Random(5)
    figures = []
    for drift in (1.0, 1.15, 0.9):
        anchor = [100 * drift * draw.gauss(1, 0.01) for _ in range(25)]
        kernel = [40 * drift * draw.gauss(1, 0.03) for _ in range(25)]
        figures.append(corrected(kernel, anchor, 100.0).microseconds)
    assert max(figures) / min(figures) < 1.02


@pytest.mark.parametrize(
    ("kernel", "anchor"), [([1.0] * (LEAST_REPEATS - 1),) * 2, ([], []), ([1.0] * 5, [1.0] * 4), ([0.0] * 5, [1.0] * 5)]
)
def test_too_few_samples_or_such_as_cannot_be_are_refused(kernel, anchor):
    with pytest.raises(ValueError, match="expected"):
        corrected(kernel, anchor, 1.0)


@pytest.mark.parametrize(
    ("microseconds", "turns"),
    [(10.0, MOST_REPEATS), (1_000.0, 20), (4_000.0, 5), (50_000.0, LEAST_REPEATS), (0.0, MOST_REPEATS)],
)
def test_a_slow_configuration_is_repeated_less_often_but_three_times_at_least(microseconds, turns):
    assert repeats(microseconds, budget_ms=20.0) == turns


def test_the_anchor_has_settled_once_its_latest_samples_agree_with_those_before():
    warming = [150.0, 140.0, 130.0, 120.0, 115.0, 110.0, 107.0, 105.0, 104.0, 103.0]
    assert settled(warming[:9]) is None
    assert settled(warming) is None
    assert settled([*warming, *[100.0] * 10]) == 100.0
