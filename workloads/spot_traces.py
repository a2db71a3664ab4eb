"""Spot availability: a generator of traces and a reader of the public windows.

A trace is a row of ticks, each with the pool's spot instances available or not.  Its runs alternate and
their lengths are lognormal, so that a run that has lasted is likely to last on (on the measured pools the
hazard of losing spot falls from 0.2-0.4 in the first tick to about 0.05 after twenty).  The medians of
both kinds of run drift from one *regime* to the next, and some regimes *flap*: short runs with outages of
mostly a single tick.  The constants of `draw_pool` are fitted to two pools measured every 600 seconds and
four zones measured every 195 seconds (Wu et al., "Can't Be Late", NSDI 2024).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, log
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

FLAPPING_RUNS, FLAPPING_OUTAGES = (log(4.0), 0.9), (log(0.7), 0.9)  # mean and deviation of the log of ticks
REGIME_SPREAD = 0.8


@dataclass(frozen=True, slots=True)
class Pool:
    """How one pool of spot instances behaves; lengths are in ticks.

    ``available_ticks`` and ``outage_ticks`` are the medians of the runs, the spreads the standard
    deviations of their logarithms, ``drift`` that of the medians' logarithms between regimes.  A regime
    lasts ``regime_ticks`` (median) and flaps with probability ``flapping``.
    """

    available_ticks: float
    outage_ticks: float
    available_spread: float
    outage_spread: float
    drift: float
    flapping: float
    regime_ticks: float


def draw_pool(scarcity: float, random: np.random.Generator) -> Pool:
    """Returns a pool whose outages rank at quantile ``scarcity`` (0 mild, 1 pathological) of all pools."""
    if not 0 < scarcity < 1:
        raise ValueError(f"scarcity is a quantile strictly between 0 and 1; got {scarcity!r}")
    odds = exp(NormalDist(0.25, 0.8).inv_cdf(scarcity))
    cycle = random.lognormal(log(3.0), 0.3)
    return Pool(
        available_ticks=cycle / odds**0.5,
        outage_ticks=cycle * odds**0.5,
        available_spread=random.uniform(1.4, 1.8),
        outage_spread=random.uniform(1.3, 1.7),
        drift=random.uniform(0.2, 0.7),
        flapping=random.beta(1.0, 5.0),
        regime_ticks=random.lognormal(log(100.0), 0.4),
    )


def availability(pool: Pool, ticks: int, random: np.random.Generator) -> np.ndarray:
    """Returns whether spot is available in each tick, ``bool[ticks]``, from the middle of a long trace."""
    lead = int(random.integers(500, 1000))
    trace: list[bool] = []
    while len(trace) < lead + ticks:
        trace += _regime(pool, random)
    return np.array(trace[lead : lead + ticks])


def _regime(pool: Pool, random: np.random.Generator) -> list[bool]:
    ticks = random.lognormal(log(pool.regime_ticks), REGIME_SPREAD)
    available = log(pool.available_ticks) + random.normal(0.0, pool.drift), pool.available_spread
    outage = log(pool.outage_ticks) + random.normal(0.0, pool.drift), pool.outage_spread
    if random.random() < pool.flapping:
        available, outage = FLAPPING_RUNS, FLAPPING_OUTAGES
    trace: list[bool] = []
    while len(trace) < ticks:
        trace += [True] * int(np.ceil(random.lognormal(*available)))
        trace += [False] * int(np.ceil(random.lognormal(*outage)))
    return trace


class TraceError(ValueError):
    """A file of windows breaks the public format: the message names file, key, what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a measured trace: its number in the file, its start, and availability by tick."""

    number: int
    start_seconds: int
    available: tuple[bool, ...]


def read_windows(path: Path, tick_seconds: int, ticks: int) -> dict[str, list[Window]]:
    """Returns each pool's windows by number, every one at least ``ticks`` long, from a public JSON file.

    The format: ``{"gap_seconds": 600, "regions": {POOL: {NUMBER: {"start_time": TICK, "bits": "0110..."}}}}``
    where bit 1 says that spot is *not* available.  ``start_time`` may also be an ISO date and time; its
    seconds then count from 1970 as if in UTC.

    Raises:
        TraceError: the file does not read so.
    """
    file = _json(path)
    where = str(path)
    gap = _key(file, "gap_seconds", int, where)
    if gap != tick_seconds:
        raise TraceError(f"{where}: gap_seconds: expected {tick_seconds}, one tick; got {gap}")
    pools = _key(file, "regions", dict, where)
    if not pools:
        raise TraceError(f"{where}: regions: expected at least one pool; got none")
    return {name: _pool(windows, gap, ticks, f"{where}: regions.{name}") for name, windows in pools.items()}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as broken:
        raise TraceError(f"{path}: expected a file of windows; {broken.strerror}") from broken
    except UnicodeDecodeError as broken:
        raise TraceError(f"{path}: expected JSON in UTF-8; {broken.reason} at byte {broken.start}") from broken
    except json.JSONDecodeError as broken:
        raise TraceError(
            f"{path}: expected JSON; {broken.msg} at line {broken.lineno}, column {broken.colno} (truncated?)"
        ) from broken


def _pool(windows: Any, gap: int, ticks: int, where: str) -> list[Window]:
    if not isinstance(windows, dict) or not windows:
        raise TraceError(f"{where}: expected an object of windows by number; got {_shown(windows)}")
    strays = [key for key in windows if not key.isdecimal()]
    if strays:
        raise TraceError(f"{where}: expected the numbers of windows as keys; got {strays[0]!r}")
    return [_window(int(key), windows[key], gap, ticks, f"{where}.{key}") for key in sorted(windows, key=int)]


def _window(number: int, window: Any, gap: int, ticks: int, where: str) -> Window:
    start = _key(window, "start_time", (int, str), where)
    bits = _key(window, "bits", str, where)
    strays = set(bits) - {"0", "1"}
    if strays:
        raise TraceError(f"{where}.bits: expected only 0 and 1; got {min(strays)!r} at {bits.index(min(strays))}")
    if len(bits) < ticks:
        raise TraceError(f"{where}.bits: expected at least {ticks} ticks; got {len(bits)}")
    return Window(number, _seconds(start, gap, f"{where}.start_time"), tuple(bit == "0" for bit in bits))


def _seconds(start: int | str, gap: int, where: str) -> int:
    if isinstance(start, int):
        return start * gap
    try:
        return int((datetime.fromisoformat(start) - datetime(1970, 1, 1)).total_seconds())
    except (ValueError, TypeError) as broken:
        raise TraceError(f"{where}: expected a tick or an ISO date and time without zone; got {start!r}") from broken


def _key(mapping: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    if not isinstance(mapping, Mapping):
        raise TraceError(f"{where}: expected an object with {key!r}; got {_shown(mapping)}")
    if key not in mapping:
        raise TraceError(f"{where}: expected the key {key!r}; got {_shown(mapping)}")
    if not isinstance(mapping[key], kind) or isinstance(mapping[key], bool):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise TraceError(f"{where}.{key}: expected {names}; got {_shown(mapping[key])}")
    return mapping[key]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"the keys {', '.join(list(value)[:6])}" if value else "an empty object"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    return repr(value)[:60]
