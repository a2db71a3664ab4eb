"""The problem `eplb`: place the experts of a mixture-of-experts model on GPUs, again for every window of load."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import ClassVar

import numpy as np

from evaluators.eplb.bound import most_balanced
from evaluators.eplb.simulator import MOST, SHOWN, Case, run
from evolve.objective import Constraint, Objective
from evolve.problem import CPU_SECONDS, Problem, Simulation, Split, Twin
from evolve.types import EvolveError, Limits
from workloads.expert_loads import CountsError, Regime, Router, draw_loads, draw_regime, read_counts, resampled

TOKENS = 16_384
COUNTS = {"train": 24, "validation": 48, "test": 120}
TIME_WEIGHT = 0.1
"""Exponent of CPU time in ``cost``: a tenth of the time counts like 26% more balance."""

PUBLIC = Path("expert_load", "sample_Rand_count.csv")
PUBLIC_GPUS = (8, 16, 32, 64, 128)
PUBLIC_WINDOWS = 3
GPUS_OF_NODE = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """A model, the GPUs that it is on, and how much of it is simulated."""

    gpus: int
    nodes: int
    groups: int
    experts: int
    slots: int
    top: int
    layers: int
    windows: int


SHAPES = (
    Shape(8, 1, 8, 64, 80, 6, 6, 20),
    Shape(16, 2, 8, 160, 192, 6, 4, 16),
    Shape(32, 4, 8, 256, 288, 8, 4, 16),
    Shape(64, 8, 8, 256, 320, 8, 4, 12),
    Shape(96, 12, 1, 384, 480, 8, 1, 12),
    Shape(128, 16, 8, 256, 384, 8, 1, 12),
)
WHOLE = Shape(32, 4, 8, 256, 288, 8, 58, 5)
"""All of DeepSeek-V3, for a few windows."""
TURNS = (*SHAPES[:2], WHOLE, *SHAPES[3:], *SHAPES)
SWEPT = 12


@dataclass(frozen=True, slots=True)
class Condition:
    """What cases are like: shapes in turn, and skew and drift of the loads; None: as severity has it."""

    shapes: tuple[Shape, ...] = SHAPES
    skew: float | None = None
    drift: float | None = None


ORDINARY = Condition(TURNS)
CONDITIONS = {
    "skew": {"even": Condition(skew=0.4), "usual": Condition(skew=1.1), "heavy": Condition(skew=1.9)},
    "drift": {"none": Condition(drift=0.0), "1%": Condition(drift=0.01), "10%": Condition(drift=0.1)},
    "gpus": {str(shape.gpus): Condition((shape,)) for shape in (SHAPES[0], SHAPES[2], SHAPES[5])},
}


class Eplb(Problem):
    """Write ``rebalance(history, previous, slots, gpus, nodes, groups)``: which expert each GPU slot holds next.

    A mixture-of-experts model is served with its experts spread over GPUs.  Every GPU has ``slots // gpus``
    slots, and a slot holds the weights of one expert.  There are more slots than experts, so hot experts get several:
    an expert's tokens are split evenly over its slots.  A layer is as slow as its fullest GPU.  Called before every
    window of time, with what was measured in the windows before:

    - ``history``: tokens that went to each expert, float32 array ``[4, layers, experts]``, the last window last
    - ``previous``: the placement in force, int32 array ``[layers, slots]``; at first ``slot % experts``
    - ``slots``, ``gpus``, ``nodes``: in all; slots divide evenly by GPUs and GPUs by nodes.  Slots
      ``g * slots // gpus`` and following are those of GPU g, and GPUs of a node are neighbours in the same way
    - ``groups``: experts divide evenly into that many groups of neighbours; a token prefers experts of few groups

    Return the expert in each slot, ``[layers, slots]``: an integer array, or lists of ints.  In every layer every
    expert needs at least one slot; anything else is illegal.  Placements are scored on the window that follows, which
    nobody has seen: loads drift and jitter from window to window, bursts last some windows, and where the phase
    changes (prefill, decode) other experts are hot.  A class ``Policy`` with a method ``rebalance`` may remember
    earlier windows of its case.

    ``balancedness`` is the mean GPU load over the load of the fullest GPU, both summed over layers and windows; 1
    is perfect.  ``cpu_seconds`` is what the policy computes in a case.  Objectives: ``balance``, the balancedness;
    ``speed``, the CPU time, with a balancedness of at least 0.995 of the reference's; ``both``, the
    ``cost`` = cpu_seconds ** 0.1 / balancedness, less is better.  What counts is the mean ratio to the reference.
    Cases have 8 to 128 GPUs, 64 to 384 experts and 1 to 6 layers with 12 to 20 windows, or 58 layers with 5.  A policy
    may compute for 0.3 s of CPU a case on average (0.6 s where a result is proved).  Moving an expert to another GPU
    costs nothing here, but ``weights_moved`` is reported.
    """

    objectives: ClassVar[Mapping[str, Objective]] = {
        "balance": Objective("balancedness", "maximize"),
        "speed": Objective(CPU_SECONDS, "minimize", timed=True, constraints=(
            Constraint("balancedness", "maximize", 0.995),
        )),
        "both": Objective("cost", "minimize", timed=True),
    }  # fmt: skip
    limits = Limits(cpu_seconds=200, wall_seconds=400, call_seconds=60, memory_mib=512, case_cpu_seconds=0.6)
    sweeps: ClassVar[Mapping[str, Sequence[str]]] = {name: tuple(settings) for name, settings in CONDITIONS.items()}

    def cases(self, split: Split) -> list[Case]:
        """Returns 24 cases (validation: 48, test: 120), one in twelve with all layers of DeepSeek-V3."""
        return _generated(split.name, split.seeds(COUNTS[split.name]))

    def swept(self, split: Split, condition: str, setting: str) -> list[Case]:
        """Returns 12 cases: of loads more or less even, drifting less or more, or of one shape."""
        return _generated(f"{split.name} {condition}={setting}", split.seeds(SWEPT), CONDITIONS[condition][setting])

    def simulate(self, case: Case) -> Simulation:
        """Yields a ``Call`` of ``rebalance`` for each window and returns balance, movement and what explains them."""
        return (yield from run(case))

    def derive(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Returns ``cost``, which weighs CPU time against balance, where time is known."""
        if CPU_SECONDS not in metrics:
            return {}
        return {"cost": metrics[CPU_SECONDS] ** TIME_WEIGHT / metrics["balancedness"]}

    def bound(self, case: Case) -> float | None:
        """Returns a balancedness that no placement exceeds, the next window known; of time there is no bound."""
        return _bound(case) if self.objective == "balancedness" else None

    def twin(self, case: Case, random: Random) -> Twin:
        """Returns the case with other experts hot from a drawn window on."""
        window = random.randrange(SHOWN, len(case.loads))
        loads = np.concatenate([case.loads[:window], case.loads[window:, :, ::-1]])
        known = {case.history(before).tobytes() for before in range(SHOWN, window + 1)}
        return Twin(replace(case, loads=loads), lambda call: call.arguments[0].tobytes() in known)

    def feedback(self, case: Case, metrics: Mapping[str, float]) -> str:
        """Returns balance on the windows seen and to come, the worst layer and why it is, and what was moved."""
        return (
            f"balancedness {metrics['balancedness']:.3f} of at most {_bound(case):.3f}; the same placements on the "
            f"windows that were known: {metrics['seen_balancedness']:.3f}, so {_loss(metrics)}; worst: window "
            f"{metrics['worst_window']}, layer {metrics['worst_layer']}: GPU {metrics['worst_gpu']} has "
            f"{metrics['worst_load']:.2f} of the mean ({metrics['worst_seen_load']:.2f} in the window before), "
            f"{metrics['worst_expert_load']:.2f} of it from a slot of expert {metrics['worst_expert']} "
            f"({metrics['worst_expert_replicas']} replicas); {metrics['share_moved']:.0%} of slots moved a window"
            f"{_time(case, metrics)}"
        )

    def descriptors(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Returns the share of slots whose weights moved."""
        return {"moved": metrics["share_moved"]}

    def label(self, case: Case) -> str:
        """Returns the set with the case's number, its GPUs and its layers."""
        return case.label

    def trace(self, case: Case) -> str:
        """Returns what the loads were measured in; generated cases share nothing."""
        return case.trace or case.label

    def stretch(self, case: Case) -> str:
        """Returns the case itself: measured ones rest on a single window, and an interval is over numbers of GPUs."""
        return case.label

    def case_sets(self) -> Mapping[str, Sequence[Case]]:
        """Returns ``quick``, 12 small generated cases, and ``deepseek``, measured counts, where EVOLVE_DATA has any."""
        file = Path(os.environ.get("EVOLVE_DATA", "missing")) / PUBLIC
        measured = {"deepseek": self.read_cases(file)} if file.is_file() else {}
        return {"quick": _quick(), **measured}

    def read_cases(self, path: Path) -> list[Case]:
        """Returns a case for each number of GPUs, of windows drawn in the proportions of a file of counts.

        Raises:
            EvolveError: the file is not in the format, see `workloads.expert_loads.read_counts`, or has loads or
                numbers of experts that no case has.
        """
        try:
            counts = read_counts(path)
        except CountsError as broken:
            raise EvolveError(str(broken)) from broken
        if counts.max() > MOST // 2:  # draws vary
            raise EvolveError(f"{path}: expected at most {MOST // 2} tokens an expert; got {counts.max()}")
        gpus = [gpus for gpus in PUBLIC_GPUS if counts.shape[1] % gpus == 0]
        if not gpus:
            raise EvolveError(f"{path}: expected experts that divide evenly by 8 GPUs; got {counts.shape[1]}")
        return [_measured(path.stem, counts, number) for number in gpus]


def _loss(metrics: Mapping[str, float]) -> str:
    """Returns whether packing or prediction loses more."""
    packing = 1 - metrics["seen_balancedness"]
    prediction = metrics["seen_balancedness"] - metrics["balancedness"]
    return "more is lost by predicting than by packing" if prediction > packing else "more is lost by packing"


def _time(case: Case, metrics: Mapping[str, float]) -> str:
    """Returns what a placement took, where time is known."""
    if CPU_SECONDS not in metrics:
        return ""
    return f"; {1e3 * metrics[CPU_SECONDS] / len(case.judged):.2f} ms of CPU a placement"


@lru_cache(maxsize=1024)
def _bound(case: Case) -> float:
    return most_balanced(case.judged, case.slots, case.gpus)


def _generated(name: str, seeds: Sequence[int], condition: Condition = ORDINARY) -> list[Case]:
    levels = len(seeds) // 6
    return [_case(f"{name} {index}", index, levels, seed, condition) for index, seed in enumerate(seeds)]


def _case(name: str, index: int, levels: int, seed: int, condition: Condition) -> Case:
    """Shapes rotate; a stride coprime to the levels spreads severity over any few cases in a row."""
    random = np.random.default_rng(seed)
    level = (7 * (index // 6) + 3 * (index % 6)) % levels
    shape = condition.shapes[index % len(condition.shapes)]
    return _drawn(name, shape, _regime(condition, (level + random.uniform(0, 1)) / levels, random), random)


def _regime(condition: Condition, severity: float, random: np.random.Generator) -> Regime:
    regime = draw_regime(severity, random)
    return replace(
        regime,
        skew=regime.skew if condition.skew is None else condition.skew,
        drift=regime.drift if condition.drift is None else condition.drift,
    )


def _drawn(name: str, shape: Shape, regime: Regime, random: np.random.Generator) -> Case:
    router = Router(shape.layers, shape.experts, shape.top, TOKENS)
    loads = draw_loads(router, regime, SHOWN + shape.windows, random)
    label = f"{name}, {shape.gpus} GPUs, {shape.layers} layers"
    return Case(label, loads, shape.slots, shape.gpus, shape.nodes, shape.groups)


def _quick() -> list[Case]:
    return [_small(index, np.random.default_rng(index)) for index in range(12)]


def _small(index: int, random: np.random.Generator) -> Case:
    shape = replace(SHAPES[index % 3], layers=2, windows=5)
    return _drawn(f"quick {index}", shape, draw_regime((index + 0.5) / 12, random), random)


def _measured(name: str, counts: np.ndarray, gpus: int) -> Case:
    """As many slots more than experts as there are GPUs; nodes of eight; groups as DeepSeek-V3 has them."""
    loads = resampled(counts, SHOWN + PUBLIC_WINDOWS, np.random.default_rng(gpus))
    layers, experts = counts.shape
    nodes = max(1, gpus // GPUS_OF_NODE)
    return Case(f"{name}, {gpus} GPUs, {layers} layers", loads, experts + gpus, gpus, nodes, 8, name)
