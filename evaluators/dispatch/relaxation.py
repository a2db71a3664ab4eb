"""A limit on the mean slowdown that no dispatching can beat, whatever it knows: one fast machine and mean busy times.

README.md has the proof.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from math import fsum

from evaluators.dispatch.simulator import Case
from workloads.job_streams import Job

LEAST = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6)
"""Jobs whose share of the relaxation is below one of these are left out of it, for they add 1 by themselves."""


def relaxation(case: Case) -> float:
    """Returns a mean slowdown that is at most that of any schedule of the case; 1 if there are no jobs."""
    if not case.jobs:
        return 1.0
    total = fsum(max(_limit(period, case, least) for least in LEAST) for period in _periods(case))
    return max(1.0, total / len(case.jobs) * (1 - 1e-9))  # floats are off by far less


def _periods(case: Case) -> Iterator[list[Job]]:
    """Yields the jobs between moments at which the fast machine has done all that has arrived."""
    speed, free = sum(case.speeds), 0.0
    period: list[Job] = []
    for job in case.jobs:
        if period and job.arrival > free:
            yield period
            period = []
        period.append(job)
        free = max(free, job.arrival) + job.size / speed
    yield period


def _limit(period: list[Job], case: Case, least: float) -> float:
    """Returns the largest limit on the sum of slowdowns while jobs are left out that wait too little."""
    kept, best = period, float(len(period))
    while kept:
        shares = slowdowns(kept, sum(case.speeds), max(case.speeds))
        best = max(best, fsum(shares) + len(period) - len(kept))
        still = [job for job, share in zip(kept, shares, strict=True) if share >= least]
        if len(still) == len(kept):
            break
        kept = still
    return best


def slowdowns(jobs: Sequence[Job], speed: float, fastest: float) -> list[float]:
    """Returns shares of the jobs whose sum no schedule's sum of slowdowns is below.

    One machine of ``speed`` runs of the jobs there are the smallest, and interrupts it for a smaller one.
    """
    waited = _waited(jobs, speed)
    return [fastest / job.size**2 * wait + 0.5 for job, wait in zip(jobs, waited, strict=True)]


def _waited(jobs: Sequence[Job], speed: float) -> list[float]:
    """Returns for each job its work, each unit times the seconds from the job's arrival until that unit is done."""
    waited, left = [0.0] * len(jobs), [job.size for job in jobs]
    there: list[tuple[float, int]] = []
    now = 0.0
    for number, job in enumerate(jobs):
        now = _work(there, now, job.arrival, jobs, left, waited, speed)
        heappush(there, (job.size, number))
    _work(there, now, float("inf"), jobs, left, waited, speed)
    return waited


def _work(
    there: list[tuple[float, int]],
    now: float,
    until: float,
    jobs: Sequence[Job],
    left: list[float],
    waited: list[float],
    speed: float,
) -> float:
    """Works on the jobs there from ``now`` to ``until``, and returns that moment."""
    while there and now < until:
        _, number = there[0]
        end = min(until, now + left[number] / speed)
        waited[number] += (end - now) * speed * ((now + end) / 2 - jobs[number].arrival)
        if end < until:
            heappop(there)
        else:
            left[number] -= (end - now) * speed
        now = end
    return until


def least_work(case: Case) -> float:
    """Returns the mean slowdown of sending each job to where it ends first, all sizes and queues known."""
    free, fastest = [0.0] * len(case.speeds), max(case.speeds)
    total = 0.0
    for job in case.jobs:
        ends = [max(at, job.arrival) + job.size / speed for at, speed in zip(free, case.speeds, strict=True)]
        end = min(ends)
        free[ends.index(end)] = end
        total += (end - job.arrival) * fastest / job.size
    return total / len(case.jobs) if case.jobs else 1.0
