"""How the simulator of eplb grows: for ``make bench``."""

import statistics
import time

import numpy as np

from evaluators.eplb.problem import Eplb
from evaluators.eplb.simulator import SHOWN, Case, first_placement
from tests.bench_rows import Row, spread
from workloads.expert_loads import Router, draw_loads, draw_regime

LAYERS, WINDOWS = 58, 3


def eplb_growth(rounds: int = 15) -> Row:
    """CPU of the simulator for each slot of each layer, at 128 GPUs against 8, in turn; both have 58 layers.

    A placement is as long as layers times slots, and each slot's load has to be looked up.
    """
    small, large = _case(8, 64, 80), _case(128, 256, 384)
    times = [(_seconds(small), _seconds(large)) for _ in range(rounds + 1)][1:]
    ratios = [(big / large.slots) / (little / small.slots) for little, big in times]
    return Row(
        "eplb, CPU of the simulator for a slot at 128 GPUs",
        f"{_nanoseconds([big for _, big in times], large):.0f} ns",
        f"at 8 GPUs {_nanoseconds([little for little, _ in times], small):.0f} ns",
        spread(ratios),
        "1.5",
        statistics.median(ratios) <= 1.5,
    )


def _case(gpus: int, experts: int, slots: int) -> Case:
    random = np.random.default_rng(gpus)
    loads = draw_loads(Router(LAYERS, experts, 6, 16_384), draw_regime(0.5, random), SHOWN + WINDOWS, random)
    return Case(f"{gpus} GPUs", loads, slots, gpus, gpus // 8, 8)


def _seconds(case: Case) -> float:
    """Returns the CPU time of a simulation in which every placement differs from the one before."""
    placements = [np.roll(first_placement(case), 1 + window, axis=1) for window in range(WINDOWS)]
    start = time.process_time()
    simulation = Eplb().simulate(case)
    next(simulation)
    for placement in placements[:-1]:
        simulation.send(placement)
    try:
        simulation.send(placements[-1])
    except StopIteration:
        return time.process_time() - start
    raise AssertionError("the simulation asks more often than there are windows")


def _nanoseconds(times: list[float], case: Case) -> float:
    return 1e9 * statistics.median(times) / (WINDOWS * LAYERS * case.slots)
