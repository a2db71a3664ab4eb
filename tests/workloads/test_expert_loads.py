import os
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from workloads.expert_loads import CountsError, Regime, Router, draw_loads, draw_regime, read_counts, resampled

DEEPSEEK = Router(58, 256, 8, 20_267)
STEADY = Regime(skew=1.6, drift=0, jitter=0, bursts=0, lift=0, phase_windows=inf)
PLANNED_SLOTS = 320  # of the published replica counts


def draw(regime, windows, router=DEEPSEEK, seed=1):
    return draw_loads(router, regime, windows, np.random.default_rng(seed))


def peak(loads):
    """Returns the largest load of each layer over the mean one."""
    return loads.max(-1) / loads.mean(-1)


def gini(loads):
    ordered = np.sort(loads, -1)
    experts = loads.shape[-1]
    return 2 * (ordered * np.arange(1, experts + 1)).sum(-1) / (experts * ordered.sum(-1)) - 1 - 1 / experts


def by_rank(loads):
    """Returns the load at some ranks over the mean one, in the median layer."""
    ranked = -np.sort(-loads, -1) / loads.mean(-1, keepdims=True)
    return np.median(ranked, 0)[[4, 8, 16, 32, 64, 128]]


def correlation(one, other):
    """Returns that of the replicas which experts would get, as a mean over layers."""
    counts = [replicated(loads) for loads in (one, other)]
    return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(*counts, strict=True)])


def replicated(loads):
    counts = np.ones(loads.shape)
    for _ in range(PLANNED_SLOTS - loads.shape[1]):
        counts[np.arange(len(loads)), (loads / counts).argmax(1)] += 1
    return counts


def test_loads_are_whole_tokens_and_a_token_goes_to_top_different_experts():
    loads = draw(replace(STEADY, skew=2.5), 3)
    tokens = loads.sum(2) / 8
    assert loads.dtype == np.int64
    assert loads.min() >= 0
    assert (loads.max(2) <= 1.05 * tokens).all()
    assert (tokens.max(1) < 1.05 * tokens.min(1)).all()


def test_without_skew_all_experts_have_about_the_same_load():
    assert peak(draw(replace(STEADY, skew=0), 1)).max() < 1.3


def test_a_single_expert_takes_every_token():
    assert (draw(STEADY, 2, Router(2, 1, 1, 50)) > 0).all()
    assert draw(STEADY, 1, Router(1, 4, 4, 50)).std() == 0


def test_loads_are_the_same_every_time_and_others_with_another_seed():
    regime = draw_regime(0.5, np.random.default_rng(2))
    assert (draw(regime, 3) == draw(regime, 3)).all()
    assert (draw(regime, 3) != draw(regime, 3, seed=2)).any()


def test_severity_makes_loads_steeper_and_less_like_those_before():
    def traits(severity):
        loads = [draw(draw_regime(severity, np.random.default_rng(s)), 6, Router(4, 64, 6, 9_999), s) for s in range(8)]
        steep = np.median([peak(each).mean() for each in loads])
        alike = [np.corrcoef(np.log1p(a).ravel(), np.log1p(b).ravel())[0, 1] for each in loads for a, b in [each[-2:]]]
        return steep, np.median(alike)

    mild, middle, pathological = (traits(severity) for severity in (0.05, 0.5, 0.95))
    assert mild[0] < middle[0] < pathological[0]
    assert mild[1] > pathological[1]
    assert mild[0] < 5
    assert pathological[0] > 7.5


def test_drift_is_slow_and_a_phase_change_is_not():
    drifting = draw(replace(STEADY, drift=0.01), 11)
    near, far = correlation(drifting[0], drifting[1]), correlation(drifting[0], drifting[10])
    assert near > 0.9 > far > 0.6
    changing = draw(replace(STEADY, phase_windows=1.0), 3)  # a change in every window
    assert correlation(changing[0], changing[1]) < 0.2
    assert correlation(changing[0], changing[2]) > 0.95


def test_a_burst_lifts_the_same_few_experts_for_some_windows():
    calm, lively = (draw(replace(STEADY, skew=0, bursts=b, lift=2.0), 40, Router(2, 200, 8, 9_999)) for b in (0, 0.1))
    assert peak(calm).max() < 1.5
    hot = lively > 2.5 * lively.mean(2, keepdims=True)
    assert 0.1 < hot.any((1, 2)).mean() < 0.7
    assert hot[hot.any((1, 2))].mean() < 0.15
    assert (hot[1:] & hot[:-1]).sum() > 0.4 * hot.sum()  # of three windows on average


@pytest.mark.parametrize("severity", [-0.1, 1.1])
def test_a_severity_that_is_no_share_is_refused(severity):
    with pytest.raises(ValueError, match="between 0 and 1"):
        draw_regime(severity, np.random.default_rng(0))


@pytest.mark.parametrize("trait", [{"drift": 2.0}, {"bursts": -0.1}, {"phase_windows": 0.5}, {"skew": -1.0}])
def test_an_impossible_regime_is_refused(trait):
    with pytest.raises(ValueError, match="got Regime"):
        replace(STEADY, **trait)


@pytest.mark.parametrize("router", [(0, 4, 1, 9), (1, 4, 5, 9), (1, 4, 0, 9), (1, 4, 1, 0)])
def test_an_impossible_router_is_refused(router):
    with pytest.raises(ValueError, match="1 <= top <= experts"):
        Router(*router)


def test_resampled_windows_have_the_measured_totals_and_proportions():
    counts = np.array([[900, 100, 0], [0, 0, 0]])
    windows = resampled(counts, 50, np.random.default_rng(3))
    assert (windows.sum(2) == [1000, 0]).all()
    assert windows[:, 0].mean(0) == pytest.approx([900, 100, 0], abs=5)
    assert windows[:, 0, 0].std() > 5


# files


def write(folder, text):
    (folder / "counts.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / "counts.csv"


def test_counts_are_read_by_layer_and_expert(tmp_path):
    counts = read_counts(write(tmp_path, ",ep_0,ep_1\nlayer_0,3,0\nlayer_1,12,345\n"))
    assert counts.tolist() == [[3, 0], [12, 345]]
    assert counts.dtype == np.int64


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: expected the header ',ep_0,ep_1,...'; the file is empty"),
        (",ep_0,ep_1\n", "line 2: expected 'layer_0,...'; the file ends after its header"),
        ("layer,ep_0\nlayer_0,1\n", "line 1: expected '' in column 1; got 'layer'"),
        (",ep_1,ep_0\nlayer_0,1,2\n", "line 1: expected 'ep_0' in column 2; got 'ep_1'"),
        ("\nlayer_0\n", "line 1: expected '' in column 1; got 'nothing'"),
        (",\nlayer_0,1\n", "line 1: expected 'ep_0' in column 2; got ''"),
        (",ep_0,ep_1\nlayer_0,1,2\nlayer_1,3\n", r"line 3: expected 2 counts; got 1 \(truncated\?\)"),
        (",ep_0\nlayer_0,1,2\n", "line 2: expected 1 counts; got 2"),
        (",ep_0\nlayer_1,1\nlayer_0,1\n", "line 2: expected 'layer_0' first; got 'layer_1'"),
        (",ep_0\nlayer_0,1\n\nlayer_1,1\n", "line 3: expected 'layer_1' first; got ''"),
        (",ep_0\nlayer_0,-4\n", "line 2: expected a whole number from 0 in column 2; got '-4'"),
        (",ep_0\nlayer_0,4.5\n", "line 2: expected a whole number from 0 in column 2; got '4.5'"),
        (",ep_0\nlayer_0,\n", "line 2: expected a whole number from 0 in column 2; got ''"),
        (",ep_0\nlayer_0," + "9" * 30 + "\n", "line 2: expected a whole number"),
        (b",ep_0\nlayer_0,\xff\n", "expected text in UTF-8; invalid start byte at byte 14"),
    ],
)
def test_a_file_that_breaks_the_format_is_refused_with_file_and_line(tmp_path, text, complaint):
    with pytest.raises(CountsError, match=rf"counts\.csv.*{complaint}"):
        read_counts(write(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CountsError, match="expected a file of counts; No such file"):
        read_counts(tmp_path / "missing.csv")


# the measured counts


def folder():
    found = Path(os.environ.get("EVOLVE_DATA", "missing"), "expert_load")
    if not (found / "sample_Rand_count.csv").exists():
        pytest.skip("EVOLVE_DATA does not name a folder with expert_load/sample_Rand_count.csv")
    return found


def test_the_measured_counts_have_the_known_totals():
    counts = read_counts(folder() / "sample_Rand_count.csv")
    assert counts.shape == (58, 256)
    assert set(counts.sum(1)) == {8 * 20_267}
    assert np.median(peak(counts)) == pytest.approx(26, abs=0.5)


def test_generated_loads_of_the_measured_skew_are_spread_like_the_measured_ones():
    counts, ours = read_counts(folder() / "sample_Rand_count.csv"), draw(STEADY, 1)[0]
    assert np.median(peak(ours)) == pytest.approx(np.median(peak(counts)), rel=0.2)
    assert np.median(gini(ours)) == pytest.approx(np.median(gini(counts)), abs=0.04)
    assert np.quantile(gini(ours), [0.1, 0.9]) == pytest.approx(np.quantile(gini(counts), [0.1, 0.9]), abs=0.08)
    assert by_rank(ours) == pytest.approx(by_rank(counts), rel=0.25)
    assert gini(ours)[0] < 0.45 < 0.75 < gini(ours)[-5:].mean()  # the first layer is mild, the last are steep


def test_the_measured_skew_is_between_mild_and_pathological():
    measured = np.median(gini(read_counts(folder() / "sample_Rand_count.csv")))
    mild, pathological = (np.median(gini(draw(draw_regime(s, np.random.default_rng(4)), 1))) for s in (0.1, 0.9))
    assert mild < measured < pathological


def test_replicas_correlate_as_measured_within_a_phase_and_between_phases():
    plans = {name: plan for name, plan in np.load(folder() / "replica_counts_58x256.npz").items() if "64_dies" in name}
    kinds = {kind: [p for n, p in plans.items() if f"_{kind}_" in n] for kind in ("prefill", "decode")}

    def mean(one, other):
        return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)])

    between = [mean(one, other) for one in kinds["prefill"] for other in kinds["decode"]]
    within = [mean(a, b) for each in kinds.values() for i, a in enumerate(each) for b in each[:i]]
    assert (min(between), max(between)) == pytest.approx((0.04, 0.15), abs=0.01)
    assert (min(within), max(within)) == pytest.approx((0.77, 0.88), abs=0.01)

    planned = replace(STEADY, skew=0.7)
    changing = draw(replace(planned, phase_windows=1.0), 2)
    assert min(between) < correlation(*changing) < max(between)
    typical = draw_regime(0.5, np.random.default_rng(5))
    loads = draw(replace(planned, drift=typical.drift, jitter=typical.jitter), 12)
    assert 0.7 < correlation(loads[0], loads[-1]) < 0.9
