"""The problem `prism`: place language models on GPUs so that the fullest GPU is pressed least."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import fsum
from typing import ClassVar

import numpy as np

from evaluators.prism.optimum import optimum
from evaluators.prism.relaxation import relaxation
from evaluators.prism.simulator import Case, metrics, placed, run, validate
from evolve.problem import Problem, Simulation, Split
from evolve.types import Limits
from workloads.model_placements import MEMORY, draw_cluster, draw_mix, public_clusters

DENSITIES = (3.0, 4.0, 3.5, 5.0, 8.0, 4.5)
COUNTS = {"train": 24, "validation": 96, "test": 240}
SWEPT = 12
FEW = 18
"""Models whose best placement is found in a fraction of a second."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What clusters are like: quantiles of scarcity, how uneven rates are, and GPUs; None: as ordinary cases."""

    scarcity: tuple[float, float] = (0.0, 1.0)
    rate_spread: float | None = None
    gpus: int | None = None


ORDINARY = Condition()
CONDITIONS = {
    "memory": {
        "ample": Condition(scarcity=(0.0, 0.1)),
        "usual": Condition(scarcity=(0.45, 0.55)),
        "scarce": Condition(scarcity=(0.9, 1.0)),
    },
    "skew": {
        "even": Condition(rate_spread=0.2),
        "usual": Condition(rate_spread=0.9),
        "heavy": Condition(rate_spread=2.0),
    },
    "gpus": {str(gpus): Condition(gpus=gpus) for gpus in (10, 50, 150)},
}


class Prism(Problem):
    """Write ``place(gpus, models)``: the GPU that each language model goes to.

    ``gpus`` is a list with the memory of each GPU in GB, always 80.  ``models`` is a list of dicts of ints:

    - ``size``: the model's weights in GB, 1 to 79
    - ``rate``: its requests a second, at least 1
    - ``slo``: its latency objective in seconds, at least 1; the smaller, the more a request weighs

    Return a list of ints: for each model, in the order given, the index of its GPU in ``gpus``.  The KV
    pressure of a GPU is the sum of rate / slo over its models, divided by the memory that they leave for
    their KV caches: 80 - the sum of their sizes.  An empty GPU has none.  ``pressure`` is that of the most
    pressed GPU of the plan; lower is better, and what counts is the mean ratio over many clusters.

    The sizes on a GPU must sum to less than 80; a plan that breaks this anywhere is illegal.  There is always
    a legal plan: in the generated clusters a model fits on some GPU wherever the others were put before.
    Clusters have 50 to 200 GPUs with 3 to 8 models each on average.  A few models are far larger or busier than
    the others, the busy ones are large here and small there, and together they fill from a third to five
    sixths of the memory.  Called once for each cluster, with everything known.  A policy may compute for
    0.025 s of CPU a cluster, on average over the clusters (0.05 s where a result is proved).
    """

    objective: ClassVar[str] = "pressure"
    direction = "minimize"
    limits = Limits(cpu_seconds=30, wall_seconds=60, call_seconds=30, memory_mib=256, case_cpu_seconds=0.05)
    sweeps: ClassVar[Mapping[str, Sequence[str]]] = {name: tuple(settings) for name, settings in CONDITIONS.items()}

    def cases(self, split: Split) -> list[Case]:
        """Returns 24 cases (validation: 96, test: 240); every density meets every level of scarcity once."""
        return _generated(split.name, split.seeds(COUNTS[split.name]))

    def swept(self, split: Split, condition: str, setting: str) -> list[Case]:
        """Returns 12 cases: with more or less memory to spare, rates more or less even, or other numbers of GPUs."""
        return _generated(f"{split.name} {condition}={setting}", split.seeds(SWEPT), CONDITIONS[condition][setting])

    def simulate(self, case: Case) -> Simulation:
        """Yields one ``Call`` of ``place`` and returns the largest pressure and what explains it."""
        plan = yield from run(case.cluster)
        validate(case.cluster, plan)
        return metrics(placed(case.cluster, plan))

    def bound(self, case: Case) -> float:
        """Returns the optimum for few models, and else a limit from bin packing (see optimum.py, relaxation.py)."""
        return _bound(case)

    def summary(self, metrics: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
        """Returns the score of the published evaluator: 1 / mean pressure + the share of legal plans, here all."""
        return {"published score": len(metrics) / fsum(case["pressure"] for case in metrics) + 1}

    def feedback(self, case: Case, metrics: Mapping[str, float]) -> str:
        """Returns how far the fullest GPU is from the bound, what presses it and how many are pressed like it."""
        gpus, models = case.cluster.gpus, case.cluster.models
        load = sum(model.rate / model.slo for model in models) / gpus
        size = sum(model.size for model in models) / gpus
        return (
            f"pressure {metrics['pressure']:.4g}, {metrics['pressure'] / self.bound(case) - 1:.1%} above the bound; "
            f"the fullest GPU has {metrics['fullest_models']} models, load {metrics['fullest_load']:.3g} (mean "
            f"{load:.3g}), {metrics['fullest_gb']} of {MEMORY} GB (mean {size:.3g}): {_cause(metrics, load, size)}; "
            f"{metrics['near_fullest']:.0%} of GPUs within 5% of it, the least at {metrics['least_pressure']:.3g}"
        )

    def label(self, case: Case) -> str:
        """Returns the set with the case's number, its GPUs and its models."""
        return case.label

    def case_sets(self) -> Mapping[str, Sequence[Case]]:
        """Returns ``public``, the 50 published instances, and ``quick``: 12 generated cases that no split contains."""
        return {"public": _public(), "quick": _generated("quick", range(12))}


def _cause(metrics: Mapping[str, float], load: float, size: float) -> str:
    """Returns which of load and memory, against the mean GPU, explains more of the pressure."""
    busier = metrics["fullest_load"] / load
    fuller = (MEMORY - size) / (MEMORY - metrics["fullest_gb"])
    if min(busier, fuller) > 1.05:
        return "too busy and too full"
    return "too busy" if busier > fuller else "too full"


@lru_cache(maxsize=1024)
def _bound(case: Case) -> float:
    return optimum(case.cluster) if len(case.cluster.models) <= FEW else relaxation(case.cluster)


def _generated(name: str, seeds: Sequence[int], condition: Condition = ORDINARY) -> list[Case]:
    levels = len(seeds) // 6
    return [_case(f"{name} {index}", index, levels, seed, condition) for index, seed in enumerate(seeds)]


def _case(name: str, index: int, levels: int, seed: int, condition: Condition) -> Case:
    """Densities rotate; a stride coprime to the levels spreads scarcity over any few cases in a row."""
    random = np.random.default_rng(seed)
    level = (7 * (index // 6) + 3 * (index % 6)) % levels
    mildest, worst = condition.scarcity
    scarcity = mildest + (worst - mildest) * (level + random.uniform(0, 1)) / levels
    mix = draw_mix(DENSITIES[index % 6], scarcity, random)
    if condition.rate_spread is not None:
        mix = replace(mix, rate_spread=condition.rate_spread)
    cluster = draw_cluster(_gpus(index) if condition.gpus is None else condition.gpus, mix, random)
    return Case(f"{name}, {cluster.gpus} GPUs, {len(cluster.models)} models", cluster)


def _gpus(index: int) -> int:
    if index % 24 == 12:
        return 200
    return 100 if index % 12 == 2 else 50


def _public() -> list[Case]:
    return [Case(f"public {number}", cluster) for number, cluster in enumerate(public_clusters())]
