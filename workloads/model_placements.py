"""Language models to be placed on GPUs: the instances of the published case study, and clusters with heavy tails.

`public_clusters` repeats the 50 instances of the case study draw by draw.  `draw_cluster` makes larger ones: sizes
and rates are lognormal and correlated either way, for a few models get most requests (Yu et al., "Prism", 2025,
figure 1), and memory is scarce to a chosen degree.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, sqrt

import numpy as np

MEMORY = 80
"""Gigabytes of each GPU."""

SLOS = (2, 4, 5, 8, 10, 20)
HOTTEST = 0.9
TYPICAL_RATE = 10.0
PUBLIC_SEED, PUBLIC_COUNT = 42, 50


@dataclass(frozen=True, slots=True)
class Model:
    """A model to be placed: its weights in GB, its requests a second, and its latency objective in seconds."""

    size: int
    rate: int
    slo: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A number of equal GPUs and the models that they have to hold."""

    gpus: int
    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True)
class Mix:
    """What the models of a cluster are like.

    ``density`` is the mean number of models on a GPU and ``tightness`` the share of all memory that they
    take (below 1).  ``size_spread`` and ``rate_spread`` are standard deviations of logarithms, and
    ``correlation`` is that between the two logarithms.
    """

    density: float
    tightness: float
    size_spread: float
    rate_spread: float
    correlation: float

    def __post_init__(self) -> None:
        if not 0 < self.tightness < 1 <= self.density or abs(self.correlation) > 1:
            raise ValueError(f"expected 0 < tightness < 1 <= density and a correlation within [-1, 1]; got {self}")
        if self.density * (1 - self.tightness) <= self.tightness:
            raise ValueError(f"{self.density:g} models to a GPU leave no room to move at tightness {self.tightness:g}")

    @property
    def largest(self) -> int:
        """The size of the largest model, in GB: as much as is free on a GPU on average.

        While the sizes sum to at most ``gpus * (MEMORY - largest)``, a model fits on some GPU wherever the
        others are: if it fitted on none, each would hold ``MEMORY - largest`` at least, all of it other models.
        """
        return floor(MEMORY * (1 - self.tightness))


def public_clusters() -> list[Cluster]:
    """Returns the 50 instances of the published case study, ``numpy.random.seed(42)`` and its order of draws."""
    random = np.random.RandomState(PUBLIC_SEED)
    return list(_public_clusters(random))


def _public_clusters(random: np.random.RandomState) -> Iterator[Cluster]:
    for _ in range(PUBLIC_COUNT):
        gpus = int(random.randint(5, 10))
        draws = [[int(random.randint(*limits)) for limits in ((10, 30), (1, 10), (5, 10))] for _ in range(2 * gpus)]
        yield Cluster(gpus, tuple(Model(*draw) for draw in draws))


def draw_mix(density: float, scarcity: float, random: np.random.Generator) -> Mix:
    """Returns a mix of which memory is scarce to the degree ``scarcity``, between 0 (mild) and 1 (pathological).

    At 1 the largest model has 1.5 times the mean size: any scarcer, and all sizes would have to be equal.
    """
    if not 0 <= scarcity <= 1:
        raise ValueError(f"scarcity is between 0 and 1; got {scarcity!r}")
    return Mix(
        density=density,
        tightness=(0.45 + 0.55 * scarcity) * density / (density + 1.5),
        size_spread=random.uniform(0.1, 0.6),
        rate_spread=random.uniform(0.4, 1.4),
        correlation=random.uniform(-0.4, 0.6),
    )


def draw_cluster(gpus: int, mix: Mix, random: np.random.Generator) -> Cluster:
    """Returns a cluster whose models fit on some GPU in whatever order they are placed (see ``Mix.largest``).

    No model is so busy that it would need more than ``HOTTEST`` of a GPU at the mean pressure: it alone would
    decide the result, and every placement that isolates it would be as good as any other.
    """
    count = round(gpus * mix.density)
    large, other = random.standard_normal((2, count))
    busy = mix.correlation * large + sqrt(1 - mix.correlation**2) * other
    size = _sizes(np.exp(mix.size_spread * large), mix.tightness * MEMORY * gpus, mix.largest)
    slo = random.choice(SLOS, count)
    rate = _rates(TYPICAL_RATE * np.exp(mix.rate_spread * busy), slo, size, gpus)
    return Cluster(gpus, tuple(Model(*model) for model in zip(size.tolist(), rate.tolist(), slo.tolist(), strict=True)))


def _sizes(relative: np.ndarray, total: float, largest: int) -> np.ndarray:
    """Returns whole sizes from 1 to ``largest`` in about the given proportions, with a sum just within ``total``."""
    low, high = 0.0, total
    for _ in range(50):
        scale = (low + high) / 2
        if _rounded(relative * scale, largest).sum() <= total:
            low = scale
        else:
            high = scale
    return _rounded(relative * low, largest)


def _rates(wanted: np.ndarray, slo: np.ndarray, size: np.ndarray, gpus: int) -> np.ndarray:
    """Returns whole rates, those of the hottest models cut until none is too hot (cutting lowers the mean)."""
    rate = _rounded(wanted)
    while True:
        mean = (rate / slo).sum() / (MEMORY * gpus - size.sum())
        cut = _rounded(np.minimum(rate, np.floor(HOTTEST * mean * (MEMORY - size) * slo)))
        if (cut == rate).all():
            return rate
        rate = cut


def _rounded(values: np.ndarray, most: float = np.inf) -> np.ndarray:
    return np.clip(np.rint(values), 1, most).astype(np.int64)
