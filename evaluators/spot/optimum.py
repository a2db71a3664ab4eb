"""The omniscient optimum: the least cost of any sequence of decisions, the availability known in advance.

Dynamic programming backwards over ticks; the state is what runs and the work done.  The simulator's safety
rule binds here too, so this is the exact optimum of that simulator and no policy can cost less.
"""

import math

import numpy as np

from evaluators.spot.simulator import ON_DEMAND_PRICE, SPOT_PRICE, Case, dollars

NEVER = 1 << 29  # more than any schedule costs, and far from the end of int32


def optimum(case: Case) -> float:
    """Returns the least cost in dollars with which any decisions finish ``case`` by its deadline.

    Work is counted in units that divide tick, changeover and work, so nothing is rounded.

    Raises:
        ValueError: the changeover is longer than a tick (the rest of it would be one more state).
    """
    if case.changeover > case.tick:
        raise ValueError(f"the optimum needs a changeover of at most a tick; got {case.changeover} s > {case.tick} s")
    unit = math.gcd(case.tick, case.changeover, case.work)
    goal, whole, lost = case.work // unit, case.tick // unit, case.changeover // unit
    to_go = np.full((3, goal + whole), NEVER, np.int32)  # least cost from here when nothing, on-demand, spot runs
    to_go[:, goal:] = 0
    for tick in range(case.ticks - 1, -1, -1):
        left = case.ticks - tick
        low = max(goal - left * whole, 0)  # with less work done the job cannot end in time
        high = min(goal, tick * whole + 1)  # and more cannot be done by now
        forced = goal + lost - (left - 1) * whole - low  # with less than this above `low` the safety rule decides
        if low < high:
            to_go[:, low:high] = _decide(to_go, low, high, max(forced, 0), whole, lost, case.available[tick])
    return dollars(int(to_go[0, 0]), case.tick)


def _decide(
    to_go: np.ndarray, low: int, high: int, forced: int, whole: int, lost: int, available: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the least costs one tick earlier, for work done in ``low:high`` and each of the three states."""
    stay, start = slice(low + whole, high + whole), slice(low + whole - lost, high + whole - lost)
    wait = to_go[0, low:high]
    start_on_demand, stay_on_demand = to_go[1, start] + ON_DEMAND_PRICE, to_go[1, stay] + ON_DEMAND_PRICE
    start_spot, stay_spot = to_go[2, start] + SPOT_PRICE, to_go[2, stay] + SPOT_PRICE
    if not available:
        start_spot = stay_spot = wait
    idle = np.minimum(np.minimum(wait, start_on_demand), start_spot)
    idle[:forced] = start_on_demand[:forced]
    on_demand = np.minimum(np.minimum(wait, stay_on_demand), start_spot)
    on_demand[:forced] = stay_on_demand[:forced]
    if not available:
        return idle, on_demand, idle
    spot = np.minimum(np.minimum(wait, start_on_demand), stay_spot)
    spot[:forced] = stay_spot[:forced]
    return idle, on_demand, spot
