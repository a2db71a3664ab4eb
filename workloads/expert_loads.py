"""Loads of the experts of a mixture-of-experts model, window by window: a generator and a reader of measured counts.

Each of a window's tokens goes to ``top`` different experts of a layer, so an expert's load is a binomial count of
tokens.  How likely an expert is taken is lognormal over the experts of a layer: of the measured DeepSeek-V3 counts the
median expert has 0.33 of the mean load and the Gini coefficient is 0.72, as for a standard deviation of 1.5.  The first
layers are milder and the last ones steeper.  Over time popularity *drifts*, it *jitters* from window to window,
*bursts* lift the same few experts of every layer for some windows, and where the *phase* changes (prefill, decode)
other experts are hot.
"""

import csv
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np

PHASE_CORRELATION = 0.2
"""Of the logarithms of popularity in two phases; replica counts then correlate 0.04 to 0.15, as measured."""

LAYER_SPREAD = 0.1
BURST_EXPERTS = 0.04
BURST_WINDOWS = 3.0
WINDOW_SPREAD = 0.2
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Regime:
    """How the loads of a model are spread and how they change.

    ``skew`` is the standard deviation of the logarithm of popularity over the experts of a layer in the middle,
    ``drift`` the share of its variance that is new after a window, and ``jitter`` the standard deviation of what
    comes on top in each window alone.  A window begins a burst with probability ``bursts``; one lifts the
    logarithm by ``lift``.  A phase lasts ``phase_windows`` on average; infinity: there is only one.
    """

    skew: float
    drift: float
    jitter: float
    bursts: float
    lift: float
    phase_windows: float

    def __post_init__(self) -> None:
        if not (0 <= self.drift <= 1 and 0 <= self.bursts <= 1 and self.phase_windows >= 1):
            raise ValueError(f"drift and bursts are between 0 and 1, a phase lasts a window at least; got {self}")
        if min(self.skew, self.jitter, self.lift) < 0:
            raise ValueError(f"skew, jitter and lift are not negative; got {self}")


@dataclass(frozen=True, slots=True)
class Router:
    """What is routed: layers, experts in each, experts that a token goes to, tokens in a window on average."""

    layers: int
    experts: int
    top: int
    tokens: int

    def __post_init__(self) -> None:
        if not (self.layers >= 1 and 1 <= self.top <= self.experts and self.tokens >= 1):
            raise ValueError(f"expected a layer, a token and 1 <= top <= experts at least; got {self}")


def draw_regime(severity: float, random: np.random.Generator) -> Regime:
    """Returns a regime that is hard to balance to the degree ``severity``, from 0 (mild) to 1 (pathological).

    Each of its traits is drawn near that degree on its own, so a steep one may be steady and a flat one restless.
    """
    if not 0 <= severity <= 1:
        raise ValueError(f"severity is between 0 and 1; got {severity!r}")
    skew, drift, jitter, bursts, lift, change = np.clip(severity + random.uniform(-0.25, 0.25, 6), 0, 1).tolist()
    return Regime(
        skew=0.4 + 1.5 * skew,
        drift=0.001 * 40**drift,
        jitter=0.01 + 0.15 * jitter,
        bursts=0.3 * bursts,
        lift=0.5 + lift,
        phase_windows=float("inf") if change < 1 / 3 else 40 - 30 * change,
    )


def draw_loads(router: Router, regime: Regime, windows: int, random: np.random.Generator) -> np.ndarray:
    """Returns the tokens that go to each expert, ``int64[windows, layers, experts]``."""
    spread = regime.skew * _steepness(router.layers, random)
    walk = _walk(router, regime, windows, random)
    lift = _bursts(router, regime, windows, random)
    tokens = np.rint(router.tokens * random.lognormal(0, WINDOW_SPREAD, windows)).astype(np.int64).clip(1)
    loads = np.empty((windows, router.layers, router.experts), np.int64)
    for window in range(windows):
        noise = regime.jitter * random.standard_normal(loads.shape[1:])
        weights = np.exp(spread[:, None] * walk[window] + lift[window] + noise)
        loads[window] = random.binomial(tokens[window], _likelihood(weights, router.top))
    return loads


def _steepness(layers: int, random: np.random.Generator) -> np.ndarray:
    """Returns the spread of each layer relative to one in the middle: 0.4 in the first ones, 1.4 in the last.

    Few layers are a sample of all depths.
    """
    depth = (np.arange(layers) + random.uniform(0, 1, layers)) / layers
    return np.interp(depth, [0.0, 0.05, 0.2, 0.8, 1.0], [0.4, 0.4, 1.0, 1.05, 1.4]) * random.lognormal(
        0, LAYER_SPREAD, layers
    )


def _walk(router: Router, regime: Regime, windows: int, random: np.random.Generator) -> np.ndarray:
    """Returns the standard normal popularity in each window; that of the other phase drifts on meanwhile."""
    shape = (router.layers, router.experts)
    one, other = random.standard_normal((2, *shape))
    phases = np.stack([one, PHASE_CORRELATION * one + sqrt(1 - PHASE_CORRELATION**2) * other])
    keep, phase = sqrt(1 - regime.drift), 0
    walk = np.empty((windows, *shape))
    for window in range(windows):
        phases = keep * phases + sqrt(regime.drift) * random.standard_normal(phases.shape)
        phase ^= int(random.random() < 1 / regime.phase_windows)
        walk[window] = phases[phase]
    return walk


def _bursts(router: Router, regime: Regime, windows: int, random: np.random.Generator) -> np.ndarray:
    """Returns what bursts add to the logarithm in each window; those under way at the same time add up."""
    lift = np.zeros((windows, router.layers, router.experts))
    for first in range(windows):
        if random.random() < regime.bursts:
            hit = random.random(lift.shape[1:]) < BURST_EXPERTS
            lift[first : first + int(random.geometric(1 / BURST_WINDOWS))] += regime.lift * hit
    return lift


def _likelihood(weights: np.ndarray, top: int) -> np.ndarray:
    """Returns how likely a token goes to each expert: in proportion, at most 1, and ``top`` together."""
    chance = weights * (top / weights.sum(1, keepdims=True))
    for _ in range(_ROUNDS):
        sure = chance >= 1
        if not (chance > 1).any():
            break
        rest = np.where(sure, 0.0, chance)
        left = (top - sure.sum(1, keepdims=True)) / np.maximum(rest.sum(1, keepdims=True), 1e-300)
        chance = np.where(sure, 1.0, rest * left)
    return np.minimum(chance, 1.0)


def resampled(counts: np.ndarray, windows: int, random: np.random.Generator) -> np.ndarray:
    """Returns windows with as many tokens as were counted in each layer and drawn in the measured proportions.

    ``counts`` are ``[layers, experts]``.  The loads do not change but for this noise, as far as one window can tell.
    """
    totals = counts.sum(1)
    shares = counts / np.maximum(totals, 1)[:, None]
    return np.stack([_drawn(totals, shares, random) for _ in range(windows)])


def _drawn(totals: np.ndarray, shares: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.stack(
        [
            random.multinomial(total, share) if total else np.zeros(len(share), np.int64)
            for total, share in zip(totals, shares, strict=True)
        ]
    )


class CountsError(ValueError):
    """A file of counts breaks the format: the message names file, line, what was expected and what came."""


def read_counts(path: Path) -> np.ndarray:
    """Returns the tokens counted for each expert, ``int64[layers, experts]``.

    The format: a header ``,ep_0,ep_1,...`` and for each layer in order a line ``layer_0,712,554,...``.

    Raises:
        CountsError: the file does not read so.
    """
    rows = _rows(path)
    if not rows:
        raise CountsError(f"{path}, line 1: expected the header ',ep_0,ep_1,...'; the file is empty")
    _check_header(rows[0], f"{path}, line 1")
    if len(rows) < 2:
        raise CountsError(f"{path}, line 2: expected 'layer_0,...'; the file ends after its header")
    experts = len(rows[0]) - 1
    return np.array([_counts(row, layer, experts, f"{path}, line {layer + 2}") for layer, row in enumerate(rows[1:])])


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    except OSError as broken:
        raise CountsError(f"{path}: expected a file of counts; {broken.strerror}") from broken
    except UnicodeDecodeError as broken:
        raise CountsError(f"{path}: expected text in UTF-8; {broken.reason} at byte {broken.start}") from broken
    except csv.Error as broken:
        raise CountsError(f"{path}: expected comma-separated values; {broken}") from broken


def _check_header(row: list[str], where: str) -> None:
    expected = ["", *(f"ep_{expert}" for expert in range(max(1, len(row) - 1)))]
    for column, (want, got) in enumerate(zip(expected, [*row, "nothing"], strict=False), 1):
        if want != got:
            raise CountsError(f"{where}: expected {want!r} in column {column}; got {got[:60]!r}")


def _counts(row: list[str], layer: int, experts: int, where: str) -> list[int]:
    if not row or row[0] != f"layer_{layer}":
        raise CountsError(f"{where}: expected 'layer_{layer}' first; got {row[0][:60] if row else ''!r}")
    if len(row) != experts + 1:
        raise CountsError(f"{where}: expected {experts} counts; got {len(row) - 1} (truncated?)")
    for column, text in enumerate(row[1:], 2):
        if not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise CountsError(f"{where}: expected a whole number from 0 in column {column}; got {text[:60]!r}")
    return [int(text) for text in row[1:]]
