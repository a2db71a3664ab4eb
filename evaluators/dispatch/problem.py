"""The problem `dispatch`: send each job to one of many servers with a queue each, before its size is known."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import ClassVar

from evaluators.dispatch.cases import CONDITIONS, WINDOW, generated, measured
from evaluators.dispatch.relaxation import relaxation
from evaluators.dispatch.simulator import Case, run
from evaluators.dispatch.slowdown import metrics, validate
from evaluators.dispatch.words import describe
from evolve.problem import Problem, Simulation, Split, Twin
from evolve.types import EvolveError, Limits
from workloads.job_streams import Job, RequestError, read_requests

COUNTS = {"train": 24, "validation": 96, "test": 240}
SWEPT = 12
QUICK = 8
PUBLIC = Path("llm_requests", "azure_conv.csv")


class Dispatch(Problem):
    """Write ``choose(job, servers, now)``: the server that a job goes to when it arrives.

    Servers have one queue each, first come first served, and run one job at a time to its end.  A job that was sent
    stays where it is.  How large it is turns out only when it is done.  Jobs come one by one, in bursts, in batches at
    one instant, or at a rate that swings; sizes are equal, spread or heavy-tailed; 2 to 32 servers are equal, of two
    speeds or of many, and carry a load of 30% to 95%.  Time is in seconds, a size in units of work.

    ``job`` is a dict: ``id`` counts the jobs from 0, and ``estimate`` is the size expected of it.  In some cases that
    is the size times lognormal noise, little or much; in others it is the mean size, the same for every job.

    ``servers`` is a list of dicts, one for each server:

    - ``speed``: units of work a second; a job of size 6 runs for 3 s at speed 2
    - ``jobs``: how many jobs it had at its last report, waiting and running
    - ``work``: the work expected left of them: the estimates of those waiting, and what the time that the running one
      has run leaves of its estimate, at least 0
    - ``since``: when the job that ran at the report began, or, where ``jobs`` is 0, when the server became idle
    - ``age``: seconds since the report; in half of the cases always 0, in the others up to 1 or 4 mean service times
    - ``sent``, ``sent_work``: jobs sent to it since the report, and the sum of their estimates

    ``now`` is the time.  Return an int: the index of a server in ``servers``; any other is illegal.  Called once for
    each job, in order; a class ``Policy`` with a method ``choose`` may remember earlier calls of its case.

    The slowdown of a job is the time from its arrival until it is done, divided by its size / the speed of the
    fastest server: at least 1, and large for small jobs that wait behind large ones.  A lower ``mean_slowdown`` is
    better; what counts is the mean ratio over many different farms.  A policy may compute for 0.1 s of CPU a case
    of 150 to 350 jobs, on average over the cases (0.2 s where a result is proved).
    """

    objective: ClassVar[str] = "mean_slowdown"
    direction = "minimize"
    limits = Limits(cpu_seconds=30, wall_seconds=60, call_seconds=5, memory_mib=256, case_cpu_seconds=0.2)
    sweeps: ClassVar[Mapping[str, Sequence[str]]] = {name: tuple(settings) for name, settings in CONDITIONS.items()}

    def cases(self, split: Split) -> list[Case]:
        """Returns 24 cases (validation: 96, test: 240), loads stratified and regimes in turn."""
        return generated(split.name, split.seeds(COUNTS[split.name]))

    def swept(self, split: Split, condition: str, setting: str) -> list[Case]:
        """Returns 12 cases: of one load, of sizes of one kind, or of estimates that are better or worse."""
        return generated(f"{split.name} {condition}={setting}", split.seeds(SWEPT), CONDITIONS[condition][setting])

    def simulate(self, case: Case) -> Simulation:
        """Yields a ``Call`` of ``choose`` for each job and returns the mean slowdown and what explains it."""
        served = yield from run(case)
        validate(case, served)
        return metrics(case, served)

    def bound(self, case: Case) -> float:
        """Returns a limit on the mean slowdown, all sizes known in advance (see relaxation.py)."""
        return relaxation(case)

    def twin(self, case: Case, random: Random) -> Twin | None:
        """Returns the case with other sizes from a drawn job on, and other times and estimates after that job."""
        if not case.jobs:
            return None
        first = random.randrange(len(case.jobs))
        jobs = tuple(_other(job, number - first, case.jobs[first], random) for number, job in enumerate(case.jobs))
        return Twin(replace(case, jobs=jobs), lambda call: call.arguments[0]["id"] <= first)

    def feedback(self, case: Case, metrics: Mapping[str, float]) -> str:
        """Returns the worst job and what it waited behind, how busy servers were, and what was possible."""
        return describe(case, metrics)

    def label(self, case: Case) -> str:
        """Returns the set with the case's number, its servers, its load and its regimes."""
        return case.label

    def trace(self, case: Case) -> str:
        """Returns the file that a case's jobs were measured in; generated cases share nothing."""
        return case.trace or case.label

    def stretch(self, case: Case) -> str:
        """Returns the case itself: windows of one file do not overlap."""
        return case.label

    def case_sets(self) -> Mapping[str, Sequence[Case]]:
        """Returns ``quick``: 8 small generated cases that no split contains; and ``azure`` where EVOLVE_DATA has it."""
        sets = {"quick": generated("quick", range(QUICK))}
        file = Path(os.environ.get("EVOLVE_DATA", "missing")) / PUBLIC
        return sets | {"azure": self.read_cases(file)} if file.is_file() else sets

    def read_cases(self, path: Path) -> list[Case]:
        """Returns up to 24 windows of 200 requests of a public trace, each on a farm of its own.

        Raises:
            EvolveError: the file is not in the public format; see `workloads.job_streams.read_requests`.
        """
        try:
            requests = read_requests(path)
        except RequestError as broken:
            raise EvolveError(str(broken)) from broken
        if len(requests) < 2 * WINDOW:
            raise EvolveError(f"{path}: expected at least {2 * WINDOW} requests; got {len(requests)}")
        return measured(path.name, requests)


def _other(job: Job, after: int, first: Job, random: Random) -> Job:
    """Returns what a job is in a twin that differs from the size of ``first`` on."""
    if after < 0:
        return job
    factor = 2.0 ** random.uniform(-2, 2)
    if after == 0:
        return replace(job, size=job.size * factor)
    return Job(first.arrival + (job.arrival - first.arrival) * 0.7, job.size * factor, job.estimate * factor)
