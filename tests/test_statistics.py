"""Ratios, means and intervals against what theory and hand computation say."""

import math

import numpy as np
import pytest

from evolve.statistics import gap_closed, geometric_mean, paired_bootstrap, ratio


def test_a_ratio_is_larger_when_better():
    assert ratio(2.0, 4.0, "minimize") == 2.0
    assert ratio(8.0, 4.0, "maximize") == 2.0


def test_the_geometric_mean_is_the_root_of_the_product():
    assert geometric_mean([1.0, 4.0, 16.0]) == pytest.approx(4.0)
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert geometric_mean([1.0] * 7) == 1.0


def test_the_interval_of_equal_ratios_is_a_point():
    interval = paired_bootstrap([1.2] * 10, range(10))
    assert (interval.low, interval.mean, interval.high) == pytest.approx((1.2, 1.2, 1.2))
    assert interval.stretches == 10
    assert interval.above_one


def test_an_interval_that_holds_one_is_not_above_it():
    assert not paired_bootstrap([0.5, 2.0, 0.9, 1.3], range(4)).above_one


def test_the_interval_repeats_with_its_seed():
    ratios = list(np.random.default_rng(1).lognormal(size=20))
    assert paired_bootstrap(ratios, range(20)) == paired_bootstrap(ratios, range(20))


def test_the_interval_covers_the_truth_about_19_times_in_20():
    rng = np.random.default_rng(0)
    truth, trials, covered = 0.1, 200, 0
    for _ in range(trials):
        interval = paired_bootstrap(list(np.exp(rng.normal(truth, 0.3, size=60))), range(60))
        covered += interval.low <= math.exp(truth) <= interval.high
    assert 0.90 <= covered / trials <= 0.985


def test_overlapping_windows_of_one_trace_count_once():
    rng = np.random.default_rng(2)
    independent = np.exp(rng.normal(0.1, 0.3, size=40))
    copies = np.repeat(independent, 10)
    once = paired_bootstrap(list(independent), range(40))
    as_stretches = paired_bootstrap(list(copies), [index // 10 for index in range(400)])
    as_cases = paired_bootstrap(list(copies), range(400))
    assert as_stretches.mean == pytest.approx(once.mean)
    assert (as_stretches.low, as_stretches.high) == pytest.approx((once.low, once.high))
    assert as_stretches.stretches == 40
    assert as_cases.high - as_cases.low < 0.5 * (once.high - once.low)


def test_the_width_of_the_interval_is_that_of_theory():
    rng = np.random.default_rng(3)
    logs = rng.normal(0.0, 0.5, size=400)
    interval = paired_bootstrap(list(np.exp(logs)), range(400))
    width = 2 * 1.96 * logs.std() / math.sqrt(400)
    assert math.log(interval.high / interval.low) == pytest.approx(width, rel=0.1)


def test_the_share_of_the_gap_is_taken_on_totals_and_in_either_direction():
    assert gap_closed([10.0, 20.0], [8.0, 16.0], [5.0, 10.0]) == pytest.approx(0.4)
    assert gap_closed([10.0], [15.0], [20.0]) == pytest.approx(0.5)
    assert gap_closed([10.0], [12.0], [5.0]) == pytest.approx(-0.4)
    assert gap_closed([10.0], [10.0], [10.0]) is None
