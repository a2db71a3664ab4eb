"""A farm of servers with a queue each, as a SimPy model that asks a policy where every job goes.

How a SimPy model fits a generator: processes append (question, event) to ``asks``, and `run` lets the model go on to
its next event, yields each question that came up and succeeds its event with the decision.

Events at the same time: first completions, with the start of the next job in the queue; then reports; then arrivals
in their order, each after all that the decision for the one before has set off.  That is the order of SimPy's queue,
(time, priority, sequence), with the priorities below.
"""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from math import inf
from typing import Any, NoReturn

import simpy

from evolve.problem import Call, InvalidDecision
from workloads.job_streams import Job

REPORT, ARRIVAL = 2, 3
"""Priorities after those of SimPy's own events, which are 0 and 1."""

Asks = deque[tuple[Call, simpy.Event]]


@dataclass(frozen=True, slots=True)
class Case:
    """A farm, by the speed of each server in units of work a second, and the jobs that come, in order.

    Reports of the servers come every ``report_seconds``; 0: they are always current.  ``trace`` is what the jobs were
    cut from.
    """

    label: str
    speeds: tuple[float, ...]
    jobs: tuple[Job, ...]
    report_seconds: float = 0.0
    trace: str = ""

    def __post_init__(self) -> None:
        if not self.speeds or not min(self.speeds) > 0 or not self.report_seconds >= 0:
            raise ValueError(
                f"{self.label}: expected servers with speeds above 0 and a report time of at least 0; got "
                f"{self.speeds} and {self.report_seconds}"
            )
        if any(one.arrival > other.arrival for one, other in zip(self.jobs, self.jobs[1:], strict=False)):
            raise ValueError(f"{self.label}: expected jobs in the order of their arrivals")


@dataclass(frozen=True, slots=True)
class Served:
    """Where a job ran, and when, in seconds."""

    server: int
    start: float
    end: float


def run(case: Case) -> Generator[Call, int, list[Served]]:
    """Yields the question of each arrival and returns how each job was served."""
    env = simpy.Environment()
    asks: Asks = deque()
    served: list[Any] = [None] * len(case.jobs)
    servers = [Server(env, index, speed, served) for index, speed in enumerate(case.speeds)]
    board = Board(env, servers, case.report_seconds)
    env.process(arrive(env, case.jobs, board, asks))
    while env.peek() < inf:
        env.step()
        while asks:
            question, event = asks.popleft()
            event.succeed((yield question))
    return served


def arrive(env: simpy.Environment, jobs: tuple[Job, ...], board: "Board", asks: Asks) -> Generator[simpy.Event]:
    """The process of the arrivals: asks where each job goes and sends it there."""
    for number, job in enumerate(jobs):
        yield Moment(env, job.arrival, ARRIVAL)
        question = Call("choose", {"id": number, "estimate": job.estimate}, board.shown(), env.now, returns=int)
        asks.append((question, answered := env.event()))
        server = yield answered
        if not 0 <= server < len(board.servers):
            refuse(number, server, len(board.servers))
        board.send(number, job, server)
    board.closed = True


def refuse(number: int, server: int, servers: int) -> NoReturn:
    """Raises what is said of a server that there is not."""
    raise InvalidDecision(f"job {number}: sent to server {server}; there are servers 0 to {servers - 1}")


class Moment(simpy.Event):
    """A SimPy event at a time, not before now, that comes after events of lower priority numbers at that time."""

    def __init__(self, env: simpy.Environment, time: float, priority: int) -> None:
        super().__init__(env)
        self._ok, self._value = True, None  # as simpy.Timeout does: it is triggered from the start
        env.schedule(self, priority, max(time - env.now, 0.0))


@dataclass(slots=True)
class Server:
    """A server and its queue, first come first served; its process runs one job after the other.

    ``since`` is when the running job began or, where there is none, when the server became idle.
    """

    env: simpy.Environment
    index: int
    speed: float
    served: list[Any]
    queue: deque[tuple[int, Job]] = field(default_factory=deque)
    waiting_work: float = 0.0
    running: Job | None = None
    since: float = 0.0
    _wake: simpy.Event = field(init=False)

    def __post_init__(self) -> None:
        self._wake = self.env.event()
        self.env.process(self._serve())

    def join(self, number: int, job: Job) -> None:
        """Puts a job at the end of the queue."""
        self.queue.append((number, job))
        self.waiting_work += job.estimate
        if self.running is None and not self._wake.triggered:
            self._wake.succeed()

    def _serve(self) -> Generator[simpy.Event]:
        while True:
            yield self._wake
            while self.queue:
                number, self.running = self.queue.popleft()
                self.waiting_work = self.waiting_work - self.running.estimate if self.queue else 0.0
                self.since = self.env.now
                yield self.env.timeout(self.running.size / self.speed)
                self.served[number] = Served(self.index, self.since, self.env.now)
            self.running, self.since = None, self.env.now
            self._wake = self.env.event()

    def report(self) -> dict[str, float]:
        """Returns what a policy may know of the server now; no sizes, only estimates."""
        work = self.waiting_work
        if self.running is not None:
            work += max(self.running.estimate - (self.env.now - self.since) * self.speed, 0.0)
        return {
            "speed": self.speed,
            "jobs": len(self.queue) + (self.running is not None),
            "work": work,
            "since": self.since,
            "age": 0.0,
            "sent": 0,
            "sent_work": 0.0,
        }


class Board:
    """What the dispatcher knows: the last reports of the servers, and what it has sent since."""

    def __init__(self, env: simpy.Environment, servers: list[Server], report_seconds: float) -> None:
        self.servers, self.closed = servers, False
        self._env, self._stale = env, report_seconds > 0
        if self._stale:
            self._note()
            env.process(self._refresh(report_seconds))

    def shown(self) -> list[dict[str, float]]:
        """Returns a new dict for each server, for a policy."""
        if not self._stale:
            return [server.report() for server in self.servers]
        age = self._env.now - self._noted
        return [report | {"age": age} for report in self._reports]

    def send(self, number: int, job: Job, server: int) -> None:
        """Sends a job to a server."""
        self.servers[server].join(number, job)
        if self._stale:
            self._reports[server]["sent"] += 1
            self._reports[server]["sent_work"] += job.estimate

    def _note(self) -> None:
        self._noted, self._reports = self._env.now, [server.report() for server in self.servers]

    def _refresh(self, seconds: float) -> Generator[simpy.Event]:
        count = 1
        while not self.closed:
            yield Moment(self._env, count * seconds, REPORT)
            self._note()
            count += 1
