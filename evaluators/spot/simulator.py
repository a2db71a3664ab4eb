"""One job on spot and on-demand instances, tick by tick: the run, its legality and its metrics.

All times are integer seconds.  The order inside a tick is that of the public simulator of "Can't Be Late"
(Wu et al., NSDI 2024); README.md states it.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

from evolve.problem import Call, InvalidDecision

HOUR = 3600
ON_DEMAND_PRICE, SPOT_PRICE = 30_600, 9_731  # in 1/10,000 dollar an hour, so that costs compare exactly
CHOICES = ("spot", "on_demand", "none")
Choice = Literal["spot", "on_demand", "none"]


@dataclass(frozen=True, slots=True)
class Case:
    """A job and the trace it meets; times in seconds, ``available`` by tick from time 0.

    ``trace`` is what the availability was cut from and ``stretch`` its independent part.
    """

    label: str
    available: tuple[bool, ...]
    work: int
    deadline: int
    changeover: int
    tick: int
    trace: str
    stretch: str

    def __post_init__(self) -> None:
        if min(self.work, self.tick) <= 0 or self.changeover < 0:
            raise ValueError(f"{self.label}: work and tick must be positive and changeover not negative; got {self}")
        if self.work + self.changeover > self.ticks * self.tick:
            raise ValueError(f"{self.label}: {self.work} s of work and a changeover do not fit in {self.deadline} s")
        if len(self.available) < self.ticks:
            raise ValueError(f"{self.label}: the trace has {len(self.available)} of the {self.ticks} ticks needed")

    @property
    def ticks(self) -> int:
        """Whole ticks before the deadline."""
        return self.deadline // self.tick


@dataclass(frozen=True, slots=True)
class Run:
    """What happened: work done and when it ended, in seconds; ticks paid; preemptions; instances started."""

    done: int
    ended: int
    on_demand_ticks: int
    spot_ticks: int
    preemptions: int
    changeovers: int


def run(case: Case) -> Generator[Call, Any, Run]:
    """Yields the question of each tick until all work is booked or the deadline is there."""
    work, deadline, changeover, tick = case.work, case.deadline, case.changeover, case.tick
    done = pending = now = on_demand_ticks = spot_ticks = preemptions = changeovers = 0
    running = "none"
    for available in case.available[: case.ticks]:
        if running == "spot" and not available:
            running = "none"
            preemptions += 1
        left = work - done
        choice = yield Call(
            "choose",
            {
                "time": now,
                "deadline": deadline,
                "done": done,
                "left": left,
                "changeover": changeover,
                "tick": tick,
                "running": running,
                "available": available,
            },
            returns=Choice,
        )
        if choice not in CHOICES:
            raise unknown(choice, now)
        if -((left + changeover) // -tick) >= (deadline - now) // tick:
            choice = "spot" if running == "spot" and not pending else "on_demand"
        if choice == "spot" and not available:
            choice = "none"
        if choice != running and choice != "none":
            pending = changeover
            changeovers += 1
        running = choice
        now += tick
        if choice != "none":
            if choice == "spot":
                spot_ticks += 1
            else:
                on_demand_ticks += 1
            if pending >= tick:
                pending -= tick
                continue
            done += tick - pending
            pending = 0
            if done >= work:
                break
    return Run(min(done, work), now, on_demand_ticks, spot_ticks, preemptions, changeovers)


def unknown(choice: object, now: int) -> InvalidDecision:
    """Returns the complaint about a choice that does not exist."""
    return InvalidDecision(f"at {now} s: chose {choice!r}; expected one of {', '.join(CHOICES)}")


def validate(case: Case, outcome: Run) -> None:
    """Raises InvalidDecision if the job was late."""
    if outcome.done < case.work:
        left = (case.work - outcome.done) / HOUR
        raise InvalidDecision(f"late: {left:.2f} h of work left at the deadline, {case.deadline / HOUR:g} h")


def metrics(case: Case, outcome: Run) -> dict[str, float]:
    """Returns the cost in dollars and what explains it."""
    hours = case.tick / HOUR
    idle_ticks = outcome.ended // case.tick - outcome.on_demand_ticks - outcome.spot_ticks
    return {
        "cost": dollars(outcome.on_demand_ticks * ON_DEMAND_PRICE + outcome.spot_ticks * SPOT_PRICE, case.tick),
        "on_demand_hours": outcome.on_demand_ticks * hours,
        "spot_hours": outcome.spot_ticks * hours,
        "idle_hours": idle_ticks * hours,
        "preemptions": float(outcome.preemptions),
        "changeovers": float(outcome.changeovers),
        "finished_hours": outcome.ended / HOUR,
    }


def dollars(price_ticks: int, tick: int) -> float:
    """Returns the dollars of a sum of prices over ticks of ``tick`` seconds."""
    return price_ticks * tick / (HOUR * 10_000)
