import math
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from workloads.job_streams import (
    ARRIVALS,
    SIZES,
    SMALLEST,
    Job,
    Request,
    RequestError,
    Stream,
    draw_jobs,
    draw_tokens,
    read_requests,
)


def rng(seed=1):
    return np.random.default_rng(seed)


def gaps(kind, jobs=60_000):
    return ARRIVALS[kind](jobs, rng())


def windows(gaps, length):
    """Returns how many arrivals fall in each window."""
    arrivals = np.cumsum(gaps)
    return np.bincount((arrivals // length).astype(int))[:-1]


def test_gaps_and_sizes_have_mean_1_and_are_not_negative():
    for drawers in (ARRIVALS, SIZES):
        for name, draw in drawers.items():
            values = np.concatenate([draw(20_000, rng(seed)) for seed in range(20)])
            assert values.mean() == pytest.approx(1, abs=0.06), name
            assert values.min() >= 0, name


def test_arrivals_range_from_poisson_to_bursts():
    dispersion = {kind: (counts := windows(gaps(kind), 20.0)).var() / counts.mean() for kind in ARRIVALS}
    assert dispersion["poisson"] == pytest.approx(1, abs=0.1)
    assert dispersion["bursty"] > 4
    assert dispersion["batches"] > 4
    assert dispersion["ramp"] > 3


def test_batches_arrive_at_one_instant_and_have_their_mean_size():
    assert (gaps("batches") == 0).mean() == pytest.approx(1 - 1 / 5, abs=0.01)


def test_a_ramp_swings_twice_over_the_stream():
    counts = windows(gaps("ramp"), 60_000 / 16)
    spectrum = abs(np.fft.rfft(counts - counts.mean()))
    assert spectrum.argmax() == 2
    assert counts.max() > 3 * counts.min()


def test_sizes_range_from_equal_to_heavy_tailed():
    spread = {kind: draw(100_000, rng()).std() for kind, draw in SIZES.items()}
    assert spread["constant"] == 0
    assert spread["uniform"] == pytest.approx(1.8 / math.sqrt(12), rel=0.01)
    assert spread["exponential"] == pytest.approx(1, rel=0.02)
    assert spread["lognormal"] == pytest.approx(math.sqrt(math.exp(1.5**2) - 1), rel=0.2)
    assert spread["pareto"] > 2.5


def test_few_pareto_jobs_hold_half_of_the_work():
    sizes = np.sort(SIZES["pareto"](100_000, rng()))
    assert sizes[-5_000:].sum() > 0.4 * sizes.sum()
    assert sizes[-1] / sizes[0] > 500


def test_jobs_come_in_order_at_their_rate_with_their_size():
    jobs = draw_jobs(Stream("bursty", "exponential", 0.3, 20_000, 4.0, 10.0), rng())
    assert all(one.arrival <= other.arrival for one, other in pairwise(jobs))
    assert jobs[-1].arrival == pytest.approx(20_000 / 4.0, rel=0.05)
    assert np.mean([job.size for job in jobs]) == pytest.approx(10, rel=0.05)
    assert min(job.size for job in jobs) >= SMALLEST * 10


def test_estimates_have_their_noise_or_are_the_mean():
    noisy = draw_jobs(Stream("poisson", "lognormal", 0.3, 20_000, 1.0, 5.0), rng())
    logs = np.log([job.estimate / job.size for job in noisy])
    assert (logs.mean(), logs.std()) == pytest.approx((0, 0.3), abs=0.01)
    assert {job.estimate for job in draw_jobs(Stream("poisson", "pareto", None, 9, 1.0, 5.0), rng())} == {5.0}
    exact = draw_jobs(Stream("poisson", "pareto", 0.0, 9, 1.0, 5.0), rng())
    assert all(job.size == job.estimate for job in exact)


def test_a_stream_may_be_empty():
    for arrivals in ARRIVALS:
        assert draw_jobs(Stream(arrivals, "tokens", None, 0, 1.0, 1.0), rng()) == ()


def test_the_seed_determines_the_jobs():
    stream = Stream("ramp", "pareto", 1.0, 50, 1.0, 1.0)
    assert draw_jobs(stream, rng(3)) == draw_jobs(stream, rng(3)) != draw_jobs(stream, rng(4))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"arrivals": "never"}, "no arrivals 'never'; there are: poisson, bursty"),
        ({"sizes": "huge"}, "no sizes 'huge'; there are: constant"),
        ({"rate": 0.0}, "expected a rate and a mean size above 0"),
        ({"noise": -1.0}, "jobs and noise of at least 0"),
        ({"jobs": -1}, "jobs and noise of at least 0"),
    ],
)
def test_streams_that_make_no_sense_are_refused(changes, complaint):
    plain = {"arrivals": "poisson", "sizes": "constant", "noise": None, "jobs": 1, "rate": 1.0, "mean_size": 1.0}
    with pytest.raises(ValueError, match=complaint):
        Stream(**plain | changes)


@pytest.mark.parametrize("numbers", [(-1.0, 1.0, 1.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, math.nan, 1.0)])
def test_jobs_that_make_no_sense_are_refused(numbers):
    with pytest.raises(ValueError, match="expected an arrival of at least 0"):
        Job(*numbers)


# the public format


def measured():
    file = Path(os.environ.get("EVOLVE_DATA", "missing"), "llm_requests", "azure_conv.csv")
    if not file.is_file():
        pytest.skip("EVOLVE_DATA does not name a folder with llm_requests/azure_conv.csv")
    return read_requests(file)


def test_measured_tokens_are_like_generated_ones():
    requests = measured()
    prompts, answers = draw_tokens(200_000, rng())
    real = np.array([request.answer_tokens for request in requests])
    assert np.quantile(real, [0.5, 0.9, 0.99]) == pytest.approx([129, 424, 601])
    assert np.quantile(answers, [0.5, 0.9, 0.99]) == pytest.approx([129, 424, 601], rel=0.1)
    assert answers.mean() == pytest.approx(real.mean(), rel=0.1)
    assert answers.std() / answers.mean() == pytest.approx(real.std() / real.mean(), rel=0.1)
    real = np.array([request.prompt_tokens for request in requests])
    assert np.quantile(real, [0.5, 0.9, 0.99]) == pytest.approx([1020, 2734.5, 4142], rel=0.01)
    assert np.quantile(prompts, [0.5, 0.9, 0.99]) == pytest.approx([1020, 2734.5, 4142], rel=0.1)


def test_measured_sizes_are_like_generated_ones():
    sizes = np.array([request.size for request in measured()])
    ours = np.maximum(SIZES["tokens"](200_000, rng()), SMALLEST)
    assert sizes.mean() == pytest.approx(268.9, abs=0.1)
    quantiles = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
    difference = abs(np.quantile(ours, quantiles) - np.quantile(sizes / sizes.mean(), quantiles))
    assert difference.max() < 0.3, difference
    assert ours.std() == pytest.approx(sizes.std() / sizes.mean(), rel=0.1)


def test_measured_arrivals_are_near_poisson_with_a_rate_that_drifts():
    seconds = np.array([request.seconds for request in measured()])
    apart = np.diff(seconds)
    assert 1 / apart.mean() == pytest.approx(5.53, abs=0.01)
    assert apart.std() / apart.mean() == pytest.approx(1, abs=0.1)
    fast, slow = (windows(apart, length) for length in (1.0, 60.0))
    assert fast.var() / fast.mean() < 1.6
    assert slow.var() / slow.mean() > 10
    ours = windows(gaps("ramp", 19_366) / 5.53, 60.0)
    assert ours.std() / ours.mean() > slow.std() / slow.mean()


def requests_file(folder, *lines, header="TIMESTAMP,ContextTokens,GeneratedTokens"):
    path = folder / "requests.csv"
    path.write_text("\r\n".join([header, *lines]))
    return path


FIRST = "2023-11-16 18:15:46.6805900,374,44"


def test_requests_are_read_with_seconds_since_the_first(tmp_path):
    path = requests_file(tmp_path, FIRST, "2023-11-16 18:15:50.1805900,396,109", "2023-11-16 18:15:50.1805900,0,0")
    requests = read_requests(path)
    assert requests == [Request(0.0, 374, 44), Request(3.5, 396, 109), Request(3.5, 0, 0)]
    assert [request.size for request in requests] == pytest.approx([44 + 374 / 20, 109 + 396 / 20, 1])


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ((), "line 2: expected at least one request; the file ends"),
        ((FIRST, "", FIRST), "line 3: expected a time and two numbers of tokens; got nothing (truncated?)"),
        (
            (FIRST, "2023-11-16 18:15:50,39"),
            "line 3: expected a time and two numbers of tokens; got 2023-11-16 18:15:5",
        ),
        ((FIRST, "2023-11-16 18:15:50,-3,1"), "line 3: expected a whole number of tokens, at least 0; got '-3'"),
        ((FIRST, "2023-11-16 18:15:50,3,1.5"), "line 3: expected a whole number of tokens, at least 0; got '1.5'"),
        ((FIRST, "2023-11-16 18:15:50,3,"), "line 3: expected a whole number of tokens, at least 0; got ''"),
        ((FIRST, "2023-11-16 18:15:40,3,1"), "line 3: expected requests sorted by time; got 2023-11-16 18:15:40 after"),
        (("noon,3,1",), "line 2: expected a date and time; got 'noon'"),
        (("2023-11-16 18:15:40+00:00,3,1",), "line 2: expected a date and time without zone"),
    ],
)
def test_errors_name_file_line_and_what_came(tmp_path, lines, complaint):
    with pytest.raises(RequestError) as broken:
        read_requests(requests_file(tmp_path, *lines))
    assert complaint in str(broken.value)
    assert "requests.csv, line" in str(broken.value)


def test_other_columns_are_named(tmp_path):
    said = (
        "line 1: expected the columns TIMESTAMP,ContextTokens,GeneratedTokens; got num_prefill_tokens,num_decode_tokens"
    )
    with pytest.raises(RequestError, match=said):
        read_requests(requests_file(tmp_path, "74,918", header="num_prefill_tokens,num_decode_tokens"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(RequestError, match=r"empty.csv, line 1: expected the columns .*; got nothing"):
        read_requests(tmp_path / "empty.csv")


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(RequestError, match=r"none.csv: expected a file of requests; No such file"):
        read_requests(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"TIMESTAMP\xff\xfe")
    with pytest.raises(RequestError, match=r"binary.csv: expected CSV in UTF-8"):
        read_requests(tmp_path / "binary.csv")
