"""The row of ``make bench`` on how the simulator of `dispatch` grows."""

import statistics
import time

import numpy as np

from evaluators.dispatch.simulator import Case, run
from tests.bench_rows import Row, spread
from workloads.job_streams import Stream, draw_jobs

SMALL, LARGE = (32, 400), (128, 8_000)
"""Servers and jobs."""


def dispatch_growth(rounds: int = 5) -> Row:
    """Compares the time of a job and a server on a large farm with that on a small one.

    Inherent: a question describes every server, so the work is jobs times servers; events cost the logarithm of the
    servers at most.
    """
    small, large = _farm(*SMALL), _farm(*LARGE)
    pairs = [(_seconds(small), _seconds(large)) for _ in range(rounds)]
    units = SMALL[0] * SMALL[1], LARGE[0] * LARGE[1]
    ratios = [big / units[1] / (little / units[0]) for little, big in pairs]
    middle = statistics.median(big for _, big in pairs)
    return Row(
        f"dispatch, a job and a server of {LARGE[1]:,} jobs on {LARGE[0]} servers",
        f"{1e6 * middle / units[1]:.2f} us",
        f"{SMALL[1]} jobs on {SMALL[0]}: {1e6 * statistics.median(little for little, _ in pairs) / units[0]:.2f} us",
        spread(ratios),
        "1.5",
        statistics.median(ratios) <= 1.5,
    )


def _farm(servers: int, jobs: int) -> Case:
    stream = Stream("poisson", "lognormal", 0.3, jobs, 0.8 * servers, 1.0)
    return Case("bench", (1.0,) * servers, draw_jobs(stream, np.random.default_rng(1)))


def _seconds(case: Case) -> float:
    """Returns the seconds of a simulation whose policy takes no time."""
    start = time.perf_counter()
    simulation = run(case)
    next(simulation)
    try:
        for number in range(len(case.jobs)):
            simulation.send(number % len(case.speeds))
    except StopIteration:
        return time.perf_counter() - start
    raise AssertionError("more questions than jobs")
