"""Streams of jobs for a farm of servers: a generator with regimes, and a reader of public request traces.

Arrivals range from Poisson to bursts and batches at one instant, sizes from constant to heavy-tailed, and estimates
of sizes from good to none.  The sizes named ``tokens`` and their constants are fitted to an hour of chat requests
of a production service (Azure LLM inference trace 2023; Patel et al., "Splitwise", ISCA 2024), whose arrivals are
near Poisson with a rate that drifts.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import log, pi
from pathlib import Path
from types import MappingProxyType

import numpy as np

SMALLEST = 0.02
"""The least size of a generated job as a share of the mean: slowdown divides by sizes."""

BURST_GAP, QUIET_GAP = 0.2, 2.2  # mean gaps in units of the overall mean, and
BURST_JOBS, QUIET_JOBS = 15, 10  # mean jobs of a phase; together a mean gap of 1
BATCH_JOBS = 5
RAMP_SWING, RAMP_DAYS = 0.8, 2
UNIFORM = (0.1, 1.9)
LOGNORMAL_SPREAD = 1.5
PARETO_SHAPES, PARETO_RANGE = (1.1, 1.5), 1000.0

PROMPT_SHARE = 1 / 20
"""Work of a prompt's token: prompts are read in parallel, so it is a fraction of that of a generated token."""
SHORT_ANSWERS = 0.7
SHORT_TOKENS, LONG_TOKENS = (log(97), 0.58), (415.0, 75.0)  # of the logarithm; of the number itself
PROMPT_TOKENS = (log(940), 0.8)
MOST_ANSWER_TOKENS, MOST_PROMPT_TOKENS = (7, 1000), (2, 4200)


@dataclass(frozen=True, slots=True)
class Job:
    """A job: when it arrives in seconds, its size in units of work, and the size that is expected of it."""

    arrival: float
    size: float
    estimate: float

    def __post_init__(self) -> None:
        if not (self.arrival >= 0 and self.size > 0 and self.estimate > 0):
            raise ValueError(f"expected an arrival of at least 0, and size and estimate above 0; got {self}")


@dataclass(frozen=True, slots=True)
class Stream:
    """What the jobs of a stream are like.

    ``arrivals`` and ``sizes`` name regimes of `ARRIVALS` and `SIZES`, ``rate`` is in jobs a second, ``mean_size`` in
    units of work.  ``noise`` is the standard deviation of the logarithm of estimate / size; None: the mean size is
    the estimate of every job.
    """

    arrivals: str
    sizes: str
    noise: float | None
    jobs: int
    rate: float
    mean_size: float

    def __post_init__(self) -> None:
        for name, known in (("arrivals", ARRIVALS), ("sizes", SIZES)):
            if getattr(self, name) not in known:
                raise ValueError(f"no {name} {getattr(self, name)!r}; there are: {', '.join(known)}")
        if self.jobs < 0 or not (self.rate > 0 and self.mean_size > 0) or (self.noise is not None and self.noise < 0):
            raise ValueError(f"expected a rate and a mean size above 0, jobs and noise of at least 0; got {self}")


def draw_jobs(stream: Stream, random: np.random.Generator) -> tuple[Job, ...]:
    """Returns the jobs of a stream in the order of arrival."""
    arrivals = np.cumsum(ARRIVALS[stream.arrivals](stream.jobs, random)) / stream.rate
    sizes = np.maximum(SIZES[stream.sizes](stream.jobs, random), SMALLEST) * stream.mean_size
    estimates = np.full(stream.jobs, stream.mean_size)
    if stream.noise is not None:
        estimates = sizes * random.lognormal(0.0, stream.noise, stream.jobs)
    return tuple(map(Job, arrivals.tolist(), sizes.tolist(), estimates.tolist()))


# Gaps between arrivals, of mean 1.


def poisson(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns exponential gaps."""
    return random.exponential(1.0, jobs)


def bursty(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns exponential gaps whose mean is one of two: after each job the phase may change (a Markovian process)."""
    busy = random.random() < BURST_JOBS / (BURST_JOBS + QUIET_JOBS)
    gaps: list[float] = []
    while len(gaps) < jobs:
        mean_gap, mean_jobs = (BURST_GAP, BURST_JOBS) if busy else (QUIET_GAP, QUIET_JOBS)
        gaps += random.exponential(mean_gap, random.geometric(1 / mean_jobs)).tolist()
        busy = not busy
    return np.array(gaps[:jobs])


def batches(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns gaps of 0 within batches of geometric size, and exponential ones between them."""
    first = random.random(jobs) < 1 / BATCH_JOBS
    return np.where(first, random.exponential(BATCH_JOBS, jobs), 0.0)


def ramp(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns the gaps of a Poisson process whose rate swings like a day's, twice over the stream."""
    span, start = max(jobs, 1) / RAMP_DAYS, random.uniform(0, 2 * pi)
    times = np.linspace(0.0, 3.0 * RAMP_DAYS * span, 6000)
    turn = RAMP_SWING * span / (2 * pi)
    expected = times + turn * (np.cos(start) - np.cos(start + 2 * pi * times / span))  # jobs by each time
    arrivals = np.interp(np.cumsum(random.exponential(1.0, jobs)), expected, times)
    return np.diff(arrivals, prepend=0.0)


# Sizes of mean 1.


def constant(jobs: int, random: np.random.Generator) -> np.ndarray:  # noqa: ARG001 - nothing is drawn
    """Returns equal sizes."""
    return np.ones(jobs)


def uniform(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns uniform sizes."""
    return random.uniform(*UNIFORM, jobs)


def exponential(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns exponential sizes."""
    return random.exponential(1.0, jobs)


def lognormal(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns lognormal sizes, nearly three times as spread as exponential ones."""
    return random.lognormal(-(LOGNORMAL_SPREAD**2) / 2, LOGNORMAL_SPREAD, jobs)


def pareto(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns bounded Pareto sizes over three decades; the heavier the tail, the more of the work is in few jobs."""
    shape = random.uniform(*PARETO_SHAPES)
    kept = 1 - PARETO_RANGE**-shape
    mean = shape / (shape - 1) * (1 - PARETO_RANGE ** (1 - shape)) / kept
    return (1 - kept * random.random(jobs)) ** (-1 / shape) / mean


def tokens(jobs: int, random: np.random.Generator) -> np.ndarray:
    """Returns the sizes of chat requests: short or long answers, and a share of the prompt."""
    return _request_sizes(jobs, random) / _MEAN_REQUEST


def draw_tokens(jobs: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns the prompt and answer tokens of chat requests, each ``int[jobs]``."""
    short = random.random(jobs) < SHORT_ANSWERS
    answers = np.where(short, random.lognormal(*SHORT_TOKENS, jobs), random.normal(*LONG_TOKENS, jobs))
    prompts = random.lognormal(*PROMPT_TOKENS, jobs)
    return prompts.clip(*MOST_PROMPT_TOKENS).astype(int), answers.clip(*MOST_ANSWER_TOKENS).astype(int)


def _request_sizes(jobs: int, random: np.random.Generator) -> np.ndarray:
    prompts, answers = draw_tokens(jobs, random)
    return answers + prompts * PROMPT_SHARE


_MEAN_REQUEST = 266.6

Drawer = Callable[[int, np.random.Generator], np.ndarray]
ARRIVALS: Mapping[str, Drawer] = MappingProxyType(
    {"poisson": poisson, "bursty": bursty, "ramp": ramp, "batches": batches}
)
SIZES: Mapping[str, Drawer] = MappingProxyType(
    {
        "constant": constant,
        "uniform": uniform,
        "tokens": tokens,
        "exponential": exponential,
        "lognormal": lognormal,
        "pareto": pareto,
    }
)


# The public format.


COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]


class RequestError(ValueError):
    """A file of requests breaks the public format: the message names file, line, what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Request:
    """A measured request: seconds since the first one, and its tokens."""

    seconds: float
    prompt_tokens: int
    answer_tokens: int

    @property
    def size(self) -> float:
        """Its work in generated tokens, at least one."""
        return max(1.0, self.answer_tokens + self.prompt_tokens * PROMPT_SHARE)


def read_requests(path: Path) -> list[Request]:
    """Returns the requests of a CSV file in the format of the Azure LLM inference traces, in order.

    The format: a header ``TIMESTAMP,ContextTokens,GeneratedTokens``, then a request a line, sorted by time, such as
    ``2023-11-16 18:15:46.6805900,374,44``.

    Raises:
        RequestError: the file does not read so.
    """
    rows = _rows(path)
    header = next(rows, (1, []))[1]
    if header != COLUMNS:
        raise RequestError(f"{path}, line 1: expected the columns {','.join(COLUMNS)}; got {_shown(header)}")
    requests: list[Request] = []
    start = None
    for line, row in rows:
        where = f"{path}, line {line}"
        if len(row) != len(COLUMNS):
            raise RequestError(f"{where}: expected a time and two numbers of tokens; got {_shown(row)} (truncated?)")
        moment = _moment(row[0], where)
        start = start or moment
        request = Request((moment - start).total_seconds(), _tokens(row[1], where), _tokens(row[2], where))
        if requests and request.seconds < requests[-1].seconds:
            raise RequestError(f"{where}: expected requests sorted by time; got {row[0]} after a later one")
        requests.append(request)
    if not requests:
        raise RequestError(f"{path}, line 2: expected at least one request; the file ends")
    return requests


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            for row in reader:
                yield reader.line_num, row
    except OSError as broken:
        raise RequestError(f"{path}: expected a file of requests; {broken.strerror}") from broken
    except UnicodeDecodeError as broken:
        raise RequestError(f"{path}: expected CSV in UTF-8; {broken.reason} at byte {broken.start}") from broken
    except csv.Error as broken:
        raise RequestError(f"{path}, line {reader.line_num}: expected CSV; {broken}") from broken


def _moment(text: str, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as broken:
        raise RequestError(f"{where}: expected a date and time; got {text[:40]!r}") from broken
    if moment.tzinfo is not None:
        raise RequestError(f"{where}: expected a date and time without zone; got {text!r}")
    return moment


def _tokens(text: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise RequestError(f"{where}: expected a whole number of tokens, at least 0; got {text[:40]!r}")
    return int(text)


def _shown(row: list[str]) -> str:
    return ",".join(row)[:60] or "nothing"
