"""Windows of expert loads and the placements that are made for them: the case, the run and its metrics.

Loads are whole tokens.  A replica's share of its expert's load is counted in units of 2**-20 tokens, rounded up, so
that all sums are exact: no metric depends on the order of slots within a GPU, or on the machine.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evaluators.eplb.validator import replicas, validated
from evolve.problem import Call

SHOWN = 4
"""Windows of loads that a policy sees, the latest last."""

UNIT = 20
MOST = (1 << 24) - 1
"""Tokens of an expert in a window: as many as a float32 counts."""

WORST = (
    "worst_window",
    "worst_layer",
    "worst_gpu",
    "worst_load",
    "worst_seen_load",
    "worst_expert",
    "worst_expert_load",
    "worst_expert_replicas",
)
"""What is said of the most unbalanced layer; loads relative to the mean GPU's."""

Placement = np.ndarray | list[list[int]]


@dataclass(frozen=True, eq=False)
class Case:
    """A model on GPUs and its loads, ``int64[windows, layers, experts]`` tokens; the first ``SHOWN`` are history.

    ``trace`` is what the loads were measured in; empty: they are generated.
    """

    label: str
    loads: np.ndarray = field(repr=False)
    slots: int
    gpus: int
    nodes: int
    groups: int
    trace: str = ""

    def __post_init__(self) -> None:
        if self.loads.dtype != np.int64 or self.loads.ndim != 3 or len(self.loads) <= SHOWN or not self.loads.size:
            raise ValueError(
                f"{self.label}: loads are int64[windows, layers, experts], more than {SHOWN} windows; "
                f"got {self.loads.dtype}, shape {self.loads.shape}"
            )
        if self.loads.min() < 0 or self.loads.max() > MOST:
            raise ValueError(f"{self.label}: an expert's load is 0 to {MOST} tokens in a window")
        if min(self.gpus, self.nodes, self.groups) < 1 or self.slots < self.experts:
            raise ValueError(f"{self.label}: expected GPUs, nodes, groups, and a slot for each expert; got {self}")
        for parts, whole in (("gpus", "slots"), ("nodes", "gpus"), ("groups", "experts")):
            if getattr(self, whole) % getattr(self, parts):
                raise ValueError(f"{self.label}: {whole} must divide evenly by {parts}; got {self}")
        self.loads.setflags(write=False)

    @property
    def layers(self) -> int:
        """The layers of the model that have experts."""
        return self.loads.shape[1]

    @property
    def experts(self) -> int:
        """The experts of each layer."""
        return self.loads.shape[2]

    @property
    def judged(self) -> np.ndarray:
        """The loads of the windows that placements are made for."""
        return self.loads[SHOWN:]

    def history(self, window: int) -> np.ndarray:
        """Returns what a policy sees before a window, ``float32[SHOWN, layers, experts]``."""
        return self.loads[window - SHOWN : window].astype(np.float32)


def run(case: Case) -> Generator[Call, Any, dict[str, float]]:
    """Asks for a placement before each window and returns the metrics of all."""
    tally = Tally(case)
    previous = first_placement(case)
    for window in range(SHOWN, len(case.loads)):
        shape = case.slots, case.gpus, case.nodes, case.groups
        decision = yield Call("rebalance", case.history(window), previous.astype(np.int32), *shape, returns=Placement)
        placement = validated(decision, case.layers, case.slots, case.experts)
        tally.add(window, placement)
        previous = placement
    return tally.metrics()


def first_placement(case: Case) -> np.ndarray:
    """Returns the placement in force at the start: expert ``s % experts`` in slot ``s`` of every layer."""
    return np.tile(np.arange(case.slots) % case.experts, (case.layers, 1))


def slot_loads(loads: np.ndarray, placement: np.ndarray) -> np.ndarray:
    """Returns the load of each slot in units of 2**-``UNIT`` tokens, ``int64[..., layers, slots]``."""
    counts = replicas(placement, loads.shape[-1])
    shares = -((loads << UNIT) // -counts)
    return np.take_along_axis(shares, np.broadcast_to(placement, (*loads.shape[:-1], placement.shape[1])), -1)


class Tally:
    """Sums over the windows of a case so far, and its most unbalanced layer."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._placement = first_placement(case)
        self._total = self._seen_total = self._moved = self._nodes_of_groups = 0
        self._most = dict.fromkeys(("gpus", "slots", "nodes", "seen"), 0)
        self._worst: dict[str, float] = dict.fromkeys(WORST, 0)

    def add(self, window: int, placement: np.ndarray) -> None:
        """Adds what a placement came to in a window, and what it would have come to in the one before."""
        case = self._case
        loads = case.loads[window - 1 : window + 1]
        slots = slot_loads(loads, placement)
        gpus = slots.reshape(2, case.layers, case.gpus, -1).sum(3)
        nodes = gpus[1].reshape(case.layers, case.nodes, -1).sum(2)
        fullest = gpus.max(2)
        self._total += int(loads[1].sum())
        self._seen_total += int(loads[0].sum())
        self._most["gpus"] += int(fullest[1].sum())
        self._most["seen"] += int(fullest[0].sum())
        self._most["nodes"] += int(nodes.max(1).sum())
        self._most["slots"] += int(slots[1].max(1).sum())
        self._move(placement)
        self._note(window, placement, slots, gpus, fullest)

    def metrics(self) -> dict[str, float]:
        """Returns balance, movement and what explains them; README.md says what each is."""
        case = self._case
        placed = len(case.judged) * case.layers
        return {
            "balancedness": _balance(self._total, case.gpus, self._most["gpus"]),
            "seen_balancedness": _balance(self._seen_total, case.gpus, self._most["seen"]),
            "slot_balancedness": _balance(self._total, case.slots, self._most["slots"]),
            "node_balancedness": _balance(self._total, case.nodes, self._most["nodes"]),
            "weights_moved": self._moved,
            "share_moved": self._moved / (placed * case.slots),
            "nodes_per_group": self._nodes_of_groups / (placed * case.groups),
            **self._worst,
        }

    def _move(self, placement: np.ndarray) -> None:
        """Counts the experts that GPUs have to load, and the nodes on which a group's experts are."""
        case = self._case
        now, before = (rows.reshape(case.layers, case.gpus, -1) for rows in (placement, self._placement))
        self._moved += int(np.count_nonzero(~_among(now, before) & ~_repeated(now)))
        self._placement = placement
        held = np.zeros((case.layers, case.nodes, case.groups), bool)
        node_of_slot = np.arange(case.slots) // (case.slots // case.nodes)
        held[np.arange(case.layers)[:, None], node_of_slot, placement // (case.experts // case.groups)] = True
        self._nodes_of_groups += int(np.count_nonzero(held))

    def _note(
        self, window: int, placement: np.ndarray, slots: np.ndarray, gpus: np.ndarray, fullest: np.ndarray
    ) -> None:
        """Keeps what explains the most unbalanced layer, the first of equals."""
        case = self._case
        totals = case.loads[window - 1 : window + 1].sum(2) / case.gpus * (1 << UNIT)
        excess = fullest[1] / np.maximum(totals[1], 1)
        layer = int(excess.argmax())
        if excess[layer] <= self._worst["worst_load"]:
            return
        gpu = int(gpus[1, layer].argmax())
        on_gpu = slots[1, layer].reshape(case.gpus, -1)[gpu]
        hottest = int(on_gpu.argmax())
        expert = int(placement[layer].reshape(case.gpus, -1)[gpu, hottest])
        values = (
            window - SHOWN,
            layer,
            gpu,
            float(excess[layer]),
            float(gpus[0, layer, gpu] / max(totals[0, layer], 1)),
            expert,
            float(on_gpu[hottest] / max(totals[1, layer], 1)),
            int((placement[layer] == expert).sum()),
        )
        self._worst = dict(zip(WORST, values, strict=True))


def _among(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Returns which experts ``[layers, gpus, slots of a GPU]`` the GPU held before."""
    return (now[:, :, :, None] == before[:, :, None, :]).any(3)


def _repeated(now: np.ndarray) -> np.ndarray:
    """Returns which experts ``[layers, gpus, slots of a GPU]`` stand in an earlier slot of the GPU too."""
    same = now[:, :, :, None] == now[:, :, None, :]
    return (same & np.tri(now.shape[2], k=-1, dtype=bool)).any(3)


def _balance(total: int, parts: int, most: int) -> float:
    """Returns mean over largest load, summed over layers and windows; with no load at all there is balance."""
    return total * (1 << UNIT) / (parts * most) if most else 1.0
