"""One placement of models on GPUs: the question, its legality and its metrics.

Sizes are whole gigabytes and loads are summed exactly before they are rounded, so neither the legality nor the
pressure of a GPU depends on the order of its models.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from evolve.problem import Call, InvalidDecision
from workloads.model_placements import MEMORY, Cluster, Model

NEAR = 0.95  # of the largest pressure


@dataclass(frozen=True, slots=True)
class Case:
    """A cluster with a name for tables."""

    label: str
    cluster: Cluster

    def __post_init__(self) -> None:
        if self.cluster.gpus < 1 or not self.cluster.models:
            raise ValueError(f"{self.label}: expected GPUs and models; got {self.cluster}")
        for model in self.cluster.models:
            if not 0 < model.size < MEMORY or min(model.rate, model.slo) < 1:
                raise ValueError(f"{self.label}: sizes are 1 to {MEMORY - 1} GB, rates and SLOs from 1; got {model}")


@dataclass(frozen=True, slots=True)
class Gpu:
    """What one GPU holds: the load (requests a second over SLO, summed), the gigabytes and the number of models."""

    load: float
    size: int
    models: int

    @property
    def pressure(self) -> float:
        """KV pressure: load to each gigabyte left for the KV cache; none on an empty GPU."""
        return self.load / (MEMORY - self.size)


def run(cluster: Cluster) -> Generator[Call, Any, list[int]]:
    """Asks for the whole plan at once and returns it."""
    models = [{"size": model.size, "rate": model.rate, "slo": model.slo} for model in cluster.models]
    plan: list[int] = yield Call("place", [MEMORY] * cluster.gpus, models, returns=list[int])
    return plan


def validate(cluster: Cluster, plan: Sequence[int]) -> None:
    """Raises InvalidDecision for a plan with a model too many, too few, nowhere, or where its GPU is full."""
    if len(plan) != len(cluster.models):
        raise InvalidDecision(f"expected a GPU for each of the {len(cluster.models)} models; got {len(plan)}")
    used = [0] * cluster.gpus
    for index, (model, gpu) in enumerate(zip(cluster.models, plan, strict=True)):
        if not 0 <= gpu < cluster.gpus:
            raise InvalidDecision(f"model {index}: GPUs are 0 to {cluster.gpus - 1}; got {gpu}")
        used[gpu] += model.size
    for gpu, size in enumerate(used):
        if size >= MEMORY:
            raise InvalidDecision(f"GPU {gpu}: its models take {size} GB; they must stay below {MEMORY} GB")


def placed(cluster: Cluster, plan: Sequence[int]) -> list[Gpu]:
    """Returns what each GPU holds under a legal plan."""
    held: list[list[Model]] = [[] for _ in range(cluster.gpus)]
    for model, gpu in zip(cluster.models, plan, strict=True):
        held[gpu].append(model)
    return [
        Gpu(fsum(model.rate / model.slo for model in models), sum(model.size for model in models), len(models))
        for models in held
    ]


def metrics(gpus: Sequence[Gpu]) -> dict[str, float]:
    """Returns the largest pressure and what explains it; of equally pressed GPUs the first is the fullest."""
    pressures = [gpu.pressure for gpu in gpus]
    top = max(pressures)
    fullest = gpus[pressures.index(top)]
    return {
        "pressure": top,
        "mean_pressure": fsum(pressures) / len(gpus),
        "least_pressure": min(pressures),
        "fullest_load": fullest.load,
        "fullest_gb": fullest.size,
        "fullest_models": fullest.models,
        "near_fullest": sum(pressure >= NEAR * top for pressure in pressures) / len(gpus),
    }
