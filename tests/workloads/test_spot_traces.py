import json
import os
from pathlib import Path

import numpy as np
import pytest

from workloads.spot_traces import TraceError, availability, draw_pool, read_windows

TRACE_TICKS = 1764  # the length of the measured traces


def pools(count=60, seed=5):
    random = np.random.default_rng(seed)
    return [availability(draw_pool((i + 0.5) / count, random), TRACE_TICKS, random) for i in range(count)]


def run_lengths(available):
    """Returns the lengths of the runs with spot there, and of those without."""
    edges = np.flatnonzero(np.diff(available.astype(int))) + 1
    bounds = np.concatenate([[0], edges, [len(available)]])
    there, lengths = available[bounds[:-1]], np.diff(bounds)
    return lengths[there], lengths[~there]


def statistics(available):
    there, outages = run_lengths(available)
    return {
        "unavailable fraction": 1 - available.mean(),
        "mean run": there.mean(),
        "median run": np.median(there),
        "90% run": np.quantile(there, 0.9),
        "runs of one tick": (there == 1).mean(),
        "mean outage": outages.mean(),
        "median outage": np.median(outages),
        "90% outage": np.quantile(outages, 0.9),
        "outages of one tick": (outages == 1).mean(),
        "share of time in runs over 24 ticks": there[there > 24].sum() / there.sum(),
        "autocorrelation over 6 ticks": np.corrcoef(available[:-6], available[6:])[0, 1],
    }


def measured_pools():
    folder = os.environ.get("EVOLVE_DATA")
    file = Path(folder or "missing", "spot", "single_region.json")
    if not file.exists():
        pytest.skip("EVOLVE_DATA does not name a folder with spot/single_region.json")
    return {pool: stitched(windows) for pool, windows in read_windows(file, 600, 420).items()}


def stitched(windows):
    """Lays overlapping windows of one pool back onto the trace that they were cut from."""
    trace = {}
    for window in windows:
        first = window.start_seconds // 600
        trace.update({first + tick: bit for tick, bit in enumerate(window.available)})
    return np.array([trace[tick] for tick in sorted(trace)])


def test_measured_pools_are_typical_of_generated_ones():
    measured = measured_pools()
    generated = [statistics(trace) for trace in pools() if 0 < trace.mean() < 1]
    for pool, trace in measured.items():
        for name, value in statistics(trace).items():
            low, high = np.quantile([each[name] for each in generated], [0.02, 0.98])
            assert low <= value <= high, f"{pool}: {name} is {value:.2f}, generated {low:.2f} to {high:.2f}"


def test_run_lengths_of_similar_pools_follow_the_measured_distribution():
    measured = list(measured_pools().values())
    similar = [trace for trace in pools() if 0.25 <= 1 - trace.mean() <= 0.5]
    for side in (0, 1):
        real = np.concatenate([run_lengths(trace)[side] for trace in measured])
        ours = np.concatenate([run_lengths(trace)[side] for trace in similar])
        lengths = [1, 2, 4, 8, 16, 32]
        difference = [abs((real <= length).mean() - (ours <= length).mean()) for length in lengths]
        assert max(difference) < 0.12, dict(zip(lengths, difference, strict=True))


def test_pools_range_from_mild_to_pathological():
    unavailable = np.array([1 - trace.mean() for trace in pools()])
    assert unavailable.min() < 0.2
    assert unavailable.max() > 0.8
    assert 0.35 < np.median(unavailable) < 0.6


def test_a_run_that_has_lasted_is_likely_to_last_on():
    there = np.concatenate([run_lengths(trace)[0] for trace in pools()])
    hazard = [(there == length).sum() / (there >= length).sum() for length in (1, 4, 16)]
    assert hazard[0] > 1.5 * hazard[1] > 2 * hazard[2]


def test_scarcer_pools_have_longer_outages():
    mild, harsh = (draw_pool(scarcity, np.random.default_rng(0)) for scarcity in (0.1, 0.9))
    assert mild.outage_ticks < harsh.outage_ticks
    assert mild.available_ticks > harsh.available_ticks


def test_the_seed_determines_the_trace():
    first, second = (availability(draw_pool(0.5, r), 420, r) for r in map(np.random.default_rng, (3, 3)))
    assert first.shape == (420,)
    assert first.dtype == bool
    assert (first == second).all()


@pytest.mark.parametrize("scarcity", [0.0, 1.0, -1.0])
def test_scarcity_is_a_quantile(scarcity):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        draw_pool(scarcity, np.random.default_rng(0))


def windows_file(folder, **changes):
    window = {"start_time": 3, "bits": "0110"} | changes.pop("window", {})
    file = {"gap_seconds": 600, "regions": {"zone": {"10": window, "2": {"start_time": 5, "bits": "0000"}}}} | changes
    path = folder / "windows.json"
    path.write_text(json.dumps(file))
    return path


def test_windows_are_read_by_number_and_bit_1_means_not_available(tmp_path):
    second, tenth = read_windows(windows_file(tmp_path), 600, 4)["zone"]
    assert (second.number, second.start_seconds) == (2, 3000)
    assert (tenth.number, tenth.available) == (10, (True, False, False, True))


def test_starts_may_be_dates(tmp_path):
    path = windows_file(tmp_path, window={"start_time": "1970-01-02T00:00:01"})
    assert read_windows(path, 600, 4)["zone"][1].start_seconds == 86_401


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"gap_seconds": 195}, "gap_seconds: expected 600, one tick; got 195"),
        ({"gap_seconds": None}, "gap_seconds: expected int; got None"),
        ({"regions": {}}, "regions: expected at least one pool; got none"),
        ({"regions": [1]}, "regions: expected dict; got a list of 1"),
        ({"regions": {"zone": []}}, "regions.zone: expected an object of windows by number; got a list of 0"),
        ({"regions": {"zone": {"x": {}}}}, "regions.zone: expected the numbers of windows as keys; got 'x'"),
        ({"regions": {"zone": {"1": {"bits": "0"}}}}, "zone.1: expected the key 'start_time'; got the keys bits"),
        ({"regions": {"zone": {"1": "01"}}}, "regions.zone.1: expected an object with 'start_time'; got '01'"),
        ({"window": {"bits": "0012"}}, "zone.10.bits: expected only 0 and 1; got '2' at 3"),
        ({"window": {"bits": "000"}}, "zone.10.bits: expected at least 4 ticks; got 3"),
        ({"window": {"bits": 7}}, "zone.10.bits: expected str; got 7"),
        ({"window": {"start_time": True}}, "zone.10.start_time: expected int or str; got True"),
        ({"window": {"start_time": "noon"}}, "zone.10.start_time: expected a tick or an ISO date and time"),
    ],
)
def test_errors_name_file_key_and_what_came(tmp_path, changes, complaint):
    with pytest.raises(TraceError) as broken:
        read_windows(windows_file(tmp_path, **changes), 600, 4)
    assert complaint in str(broken.value)
    assert "windows.json" in str(broken.value)


def test_a_file_without_regions_lists_the_keys_it_has(tmp_path):
    (tmp_path / "other.json").write_text('{"gap_seconds": 600, "data": []}')
    with pytest.raises(TraceError, match=r"other.json: expected the key 'regions'; got the keys gap_seconds, data"):
        read_windows(tmp_path / "other.json", 600, 4)


def test_a_truncated_file_is_named_with_the_place(tmp_path):
    path = windows_file(tmp_path)
    path.write_text(path.read_text()[:40])
    with pytest.raises(TraceError, match=r"windows.json: expected JSON; .* at line 1, column \d+ \(truncated\?\)"):
        read_windows(path, 600, 4)


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(TraceError, match=r"none.json: expected a file of windows; No such file"):
        read_windows(tmp_path / "none.json", 600, 4)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    with pytest.raises(TraceError, match=r"binary.json: expected JSON in UTF-8"):
        read_windows(tmp_path / "binary.json", 600, 4)
