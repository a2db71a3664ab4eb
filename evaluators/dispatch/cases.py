"""The cases: farms of servers, and the streams of jobs that they get."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

from evaluators.dispatch.simulator import Case
from workloads.job_streams import ARRIVALS, SIZES, Job, Request, Stream, draw_jobs

SERVERS = (4, 16, 2, 8, 32, 3, 12)
QUICK_SERVERS, QUICK_JOBS = (4, 2, 6, 3, 8), 40
LOADS = (0.3, 0.95)
MEAN_SIZES = (0.1, 10.0)
NOISES = (0.3, None, 1.0)
"""Standard deviations of the logarithm of estimate / size; None: every estimate is the mean size."""
REPORTS = (0.0, 1.0, 0.0, 4.0)
"""Seconds between reports, in mean service times of a server of mean speed."""
FAST_ONE_IN, FAST_SPEED = 4, 4.0
WIDE = (0.25, 4.0)
WINDOW, WINDOWS = 200, 24
"""Requests of a case that is cut from a file, and the most such cases."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What cases are like: the range of loads, and the names of sizes and the noises of estimates in turn."""

    loads: tuple[float, float] = LOADS
    sizes: tuple[str, ...] = tuple(SIZES)
    noises: tuple[float | None, ...] = NOISES


ORDINARY = Condition()
CONDITIONS = {
    "load": {f"{percent}%": Condition(loads=(percent / 100, percent / 100)) for percent in (50, 80, 95)},
    "sizes": {name: Condition(sizes=(name,)) for name in ("constant", "exponential", "pareto")},
    "estimates": {
        "exact": Condition(noises=(0.0,)),
        "noisy": Condition(noises=(1.0,)),
        "none": Condition(noises=(None,)),
    },
}


def generated(name: str, seeds: Sequence[int], condition: Condition = ORDINARY) -> list[Case]:
    """Returns a case for each seed; regimes rotate, and loads are stratified."""
    return [_generated(name, index, len(seeds), seed, condition) for index, seed in enumerate(seeds)]


def _generated(name: str, index: int, count: int, seed: int, condition: Condition) -> Case:
    random = np.random.default_rng(seed)
    small = name == "quick"
    sizes = QUICK_SERVERS if small else SERVERS
    speeds = draw_speeds(index, sizes[index % len(sizes)], random)
    load = _load(index, count, random.uniform(0.0, 1.0), condition.loads)
    noise = _noise(index, condition.noises)
    mean_size = float(np.exp(random.uniform(*np.log(MEAN_SIZES))))
    stream = Stream(
        arrivals=list(ARRIVALS)[index % len(ARRIVALS)],
        sizes=condition.sizes[(index + index // 12) % len(condition.sizes)],
        noise=noise,
        jobs=QUICK_JOBS if small else 150 + 5 * len(speeds),
        rate=load * sum(speeds) / mean_size,
        mean_size=mean_size,
    )
    label = f"{name} {index}, {_about(index, speeds)}, load {load:.2f}, {stream.arrivals} {stream.sizes}"
    return _case(label, index, speeds, draw_jobs(stream, random), mean_size, noise)


def measured(file: str, requests: Sequence[Request]) -> list[Case]:
    """Returns windows of measured requests that do not overlap, each on a farm of its own.

    Farms, loads, estimates and reports are as in generated cases, the speeds such that all requests of the file are
    the load.  What comes before the first window gives the mean size where that is the estimate.
    """
    windows = len(requests) // WINDOW - 1
    count = min(WINDOWS, windows)
    first = [(1 + index * windows // count) * WINDOW for index in range(count)]
    return [_measured(file, requests, start, index, count) for index, start in enumerate(first)]


def _measured(file: str, requests: Sequence[Request], start: int, index: int, count: int) -> Case:
    random = np.random.default_rng(start)
    load, noise = _load(index, count, 0.5), _noise(index)
    shares = draw_speeds(index, SERVERS[index % len(SERVERS)], random)
    work = sum(request.size for request in requests) / max(requests[-1].seconds, 1.0)
    speeds = tuple(share * work / load / sum(shares) for share in shares)
    known = float(np.mean([request.size for request in requests[:WINDOW]]))
    jobs = _jobs(requests[start : start + WINDOW], noise, known, random)
    label = f"{file} {start}, {_about(index, speeds)}, load {load:.2f}"
    return _case(label, index, speeds, jobs, known, noise, file)


def _jobs(
    requests: Sequence[Request], noise: float | None, known: float, random: np.random.Generator
) -> tuple[Job, ...]:
    noises = random.lognormal(0.0, noise or 0.0, len(requests)).tolist()
    return tuple(
        Job(request.seconds - requests[0].seconds, request.size, known if noise is None else request.size * factor)
        for request, factor in zip(requests, noises, strict=True)
    )


def draw_speeds(index: int, servers: int, random: np.random.Generator) -> tuple[float, ...]:
    """Returns the speeds of a farm in no order: equal, a quarter of them four times the others', or of a wide range."""
    speeds = np.ones(servers)
    if index % 3 == 1:
        speeds[: max(servers // FAST_ONE_IN, 1)] = FAST_SPEED
    if index % 3 == 2:
        speeds = np.exp(random.uniform(*np.log(WIDE), servers))
    return tuple(random.permutation(speeds).tolist())


def _case(
    label: str,
    index: int,
    speeds: tuple[float, ...],
    jobs: tuple[Job, ...],
    mean_size: float,
    noise: float | None,
    trace: str = "",
) -> Case:
    stale = REPORTS[_turn(index, len(REPORTS))]
    known = "no estimates" if noise is None else f"estimates {noise:g}"
    label += f", {known}, reports {stale:g}"
    return Case(label, speeds, jobs, stale * mean_size * len(speeds) / sum(speeds), trace)


def _about(index: int, speeds: Sequence[float]) -> str:
    return f"{len(speeds)} servers of {('one speed', 'two speeds', 'many speeds')[index % 3]}"


def _load(index: int, count: int, place: float, loads: tuple[float, float] = LOADS) -> float:
    """Returns the load of a case, at a place of its stratum; any few cases in a row have very different ones."""
    stride = next(steps for steps in range(-(-count * 3 // 8), 2 * count) if gcd(steps, count) == 1)
    return loads[0] + (loads[1] - loads[0]) * (stride * index % count + place) / count


def _noise(index: int, noises: tuple[float | None, ...] = NOISES) -> float | None:
    return noises[(index + index // 3) % len(noises)]


def _turn(index: int, length: int) -> int:
    """Returns a turn that, after as many cases as it is long, meets other arrivals than before."""
    return (index + index // length) % length
