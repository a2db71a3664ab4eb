"""The problem `spot`: finish a job before its deadline on spot and on-demand instances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import ClassVar

import numpy as np

from evaluators.spot.optimum import optimum
from evaluators.spot.simulator import HOUR, ON_DEMAND_PRICE, Case, dollars, metrics, run, validate
from evolve.problem import Problem, Simulation, Split, Twin
from evolve.types import EvolveError, Limits
from workloads.spot_traces import TraceError, Window, availability, draw_pool, read_windows

TICK = 600
WORK = 48 * HOUR
DEADLINES = (52 * HOUR, 70 * HOUR)
CHANGEOVERS = (72, 180, 360)
LONGEST = max(DEADLINES) // TICK
COUNTS = {"train": 24, "validation": 96, "test": 240}
SWEPT = 12
PUBLIC_WINDOWS = 30
STRETCHES = 3


@dataclass(frozen=True, slots=True)
class Condition:
    """What cases are like: deadlines in seconds, quantiles of scarcity, and the share of regimes that flap.

    ``flapping`` is None where it is each pool's own.
    """

    deadlines: tuple[int, ...] = DEADLINES
    scarcity: tuple[float, float] = (0.0, 1.0)
    flapping: float | None = None


ORDINARY = Condition()
CONDITIONS = {
    "slack": {f"{hours}h": Condition(deadlines=(WORK + hours * HOUR,)) for hours in (42, 12, 4, 1)},
    "outages": {
        "rare": Condition(scarcity=(0.0, 0.2)),
        "usual": Condition(scarcity=(0.4, 0.6)),
        "frequent": Condition(scarcity=(0.8, 1.0)),
    },
    "flapping": {"never": Condition(flapping=0.0), "half": Condition(flapping=0.5), "always": Condition(flapping=1.0)},
}


class Spot(Problem):
    """Write ``choose(observation)``: what the job runs on for the next tick of 600 seconds.

    A job of 48 hours of work must finish before its deadline (52 or 70 hours), at least cost.  A spot
    instance costs $0.9731 an hour but is there only at times and can be lost at any tick; an on-demand
    instance costs $3.06 an hour and is always there.  Starting an instance after anything else, also after
    losing one, spends ``changeover`` seconds (72, 180 or 360) of paid time without progress.  A tick is
    paid whole.  What spot will do next is unknown; calm, scarce and flapping stretches follow each other.

    ``observation`` is a dict; times are whole seconds, work is counted in seconds of an instance:

    - ``time``: now, since the start; ``deadline``: when all work must be done
    - ``done``, ``left``: work booked and still to do
    - ``changeover``: work lost at each start of an instance; ``tick``: length of a tick
    - ``running``: "spot", "on_demand" or "none"; a spot instance just lost counts as "none"
    - ``available``: whether spot is there in this tick

    Return "spot", "on_demand" or "none" (wait, for free).  "spot" while spot is not there is "none".
    Staying on what runs has no changeover.  A safety rule overrides the choice once the work left and one
    changeover, in ticks rounded up, fill the ticks until the deadline: then the job stays on spot if that
    runs, and otherwise runs on demand.  Being late is illegal.  Called once a tick, in order; a class
    ``Policy`` with a method ``choose`` may remember earlier observations of its case.

    A lower ``cost`` (dollars) is better; what counts is the mean ratio over many different pools.
    """

    objective: ClassVar[str] = "cost"
    direction = "minimize"
    limits = Limits(cpu_seconds=5, wall_seconds=30, call_seconds=2, memory_mib=256)
    sweeps: ClassVar[Mapping[str, Sequence[str]]] = {name: tuple(settings) for name, settings in CONDITIONS.items()}

    def cases(self, split: Split) -> list[Case]:
        """Returns 24 cases (validation: 96, test: 240); every setting meets every level of scarcity once."""
        return _generated(split.name, split.seeds(COUNTS[split.name]))

    def swept(self, split: Split, condition: str, setting: str) -> list[Case]:
        """Returns 12 cases: of another deadline, of pools with fewer or more outages, or of pools that flap."""
        return _generated(f"{split.name} {condition}={setting}", split.seeds(SWEPT), CONDITIONS[condition][setting])

    def simulate(self, case: Case) -> Simulation:
        """Yields a ``Call`` of ``choose`` for each tick and returns cost, hours on each type and changeovers."""
        outcome = yield from run(case)
        validate(case, outcome)
        return metrics(case, outcome)

    def bound(self, case: Case) -> float:
        """Returns the least cost of all decisions, availability known in advance (exact)."""
        return optimum(case)

    def twin(self, case: Case, random: Random) -> Twin:
        """Returns the case with the opposite availability from a drawn tick on."""
        tick = random.randrange(1, case.ticks)
        other = tuple(not there for there in case.available[tick:])
        moment = tick * case.tick
        return Twin(
            replace(case, available=case.available[:tick] + other), lambda call: call.arguments[0]["time"] < moment
        )

    def feedback(self, case: Case, metrics: Mapping[str, float]) -> str:
        """Returns hours on each type, starts and losses of instances, and cost against always on-demand."""
        always = dollars(-(-(case.work + case.changeover) // case.tick) * ON_DEMAND_PRICE, case.tick)
        lost = metrics["changeovers"] * case.changeover / HOUR
        return (
            f"deadline {case.deadline / HOUR:g} h, changeover {case.changeover} s: ${metrics['cost']:.2f}, "
            f"{metrics['cost'] / always:.0%} of always on-demand; {metrics['spot_hours']:.1f} h spot, "
            f"{metrics['on_demand_hours']:.1f} h on demand, {metrics['idle_hours']:.1f} h waiting; "
            f"{metrics['changeovers']:.0f} changeovers ({lost:.1f} h lost), {metrics['preemptions']:.0f} preemptions; "
            f"finished {case.deadline / HOUR - metrics['finished_hours']:.1f} h early"
        )

    def descriptors(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Returns the shares of the time on demand and idle."""
        whole = metrics["finished_hours"]
        return {"on_demand": metrics["on_demand_hours"] / whole, "idle": metrics["idle_hours"] / whole}

    def label(self, case: Case) -> str:
        """Returns the pool or split with the case's number, deadline and changeover."""
        return case.label

    def trace(self, case: Case) -> str:
        """Returns the pool that the case was measured in; generated cases share nothing."""
        return case.trace

    def stretch(self, case: Case) -> str:
        """Returns the case's third of its pool's trace, by the start of its window.

        The public windows are cut from one trace of about 12 days a pool and are 4 days long, so there are
        few independent stretches (neighbouring thirds still share ticks) and intervals on them are wide.
        """
        return case.stretch

    def case_sets(self) -> Mapping[str, Sequence[Case]]:
        """Returns ``quick``: 12 generated cases that no split contains."""
        return {"quick": _generated("quick", range(12))}

    def read_cases(self, path: Path) -> list[Case]:
        """Returns each pool's first 30 windows, by number, with all six settings, as the public evaluation does.

        Raises:
            EvolveError: the file is not in the public format; see `workloads.spot_traces.read_windows`.
        """
        try:
            pools = read_windows(path, TICK, LONGEST)
        except TraceError as broken:
            raise EvolveError(str(broken)) from broken
        return [case for pool, windows in pools.items() for case in _measured(pool, windows)]


def _generated(name: str, seeds: Sequence[int], condition: Condition = ORDINARY) -> list[Case]:
    levels = len(seeds) // 6
    return [_case(f"{name} {index}", index, levels, seed, condition) for index, seed in enumerate(seeds)]


def _case(name: str, index: int, levels: int, seed: int, condition: Condition) -> Case:
    """Settings rotate; a stride coprime to the levels spreads scarcity over any few cases in a row."""
    random = np.random.default_rng(seed)
    level = (7 * (index // 6) + 3 * (index % 6)) % levels
    mildest, worst = condition.scarcity
    pool = draw_pool(mildest + (worst - mildest) * (level + random.uniform(0.01, 0.99)) / levels, random)
    if condition.flapping is not None:
        pool = replace(pool, flapping=condition.flapping)
    deadline = condition.deadlines[index % len(condition.deadlines)]
    available = tuple(availability(pool, max(LONGEST, deadline // TICK), random).tolist())
    return _job(name, available, deadline, CHANGEOVERS[index % 3], name, name)


def _measured(pool: str, windows: Sequence[Window]) -> list[Case]:
    starts = [window.start_seconds for window in windows]
    first, span = min(starts), max(starts) - min(starts) + 1
    return [
        _job(
            f"{pool} {window.number}",
            window.available[:LONGEST],
            deadline,
            changeover,
            pool,
            f"{pool}, part {1 + (window.start_seconds - first) * STRETCHES // span}",
        )
        for window in windows[:PUBLIC_WINDOWS]
        for deadline in DEADLINES
        for changeover in CHANGEOVERS
    ]


def _job(name: str, available: tuple[bool, ...], deadline: int, changeover: int, trace: str, stretch: str) -> Case:
    label = f"{name}, {deadline // HOUR} h, {changeover} s"
    return Case(label, available, WORK, deadline, changeover, TICK, trace, stretch)
