"""The metrics of a case from how its jobs were served, and their legality."""

from collections.abc import Sequence

import numpy as np

from evaluators.dispatch.simulator import Case, Served

NO_WORST = {
    "worst_job": -1,
    "worst_server": -1,
    "worst_wait": 0.0,
    "worst_ahead": 0,
    "worst_largest": 0.0,
    "worst_idle": 0,
}


def validate(case: Case, served: Sequence[Served]) -> None:
    """Raises ValueError if the simulator broke a rule of its own: jobs whole, in order, one at a time, none early."""
    free = [0.0] * len(case.speeds)
    for number, (job, run) in enumerate(zip(case.jobs, served, strict=True)):
        seconds = job.size / case.speeds[run.server]
        slack = 1e-9 * run.end
        if run.start < max(free[run.server], job.arrival) - slack or abs(run.end - run.start - seconds) > slack:
            raise ValueError(f"{case.label}: job {number} ran from {run.start} to {run.end} on server {run.server}")
        free[run.server] = run.end


def metrics(case: Case, served: Sequence[Served]) -> dict[str, float]:
    """Returns the mean slowdown and what explains it; a case without jobs has slowdown 1 and nothing else."""
    arrivals = np.array([job.arrival for job in case.jobs])
    sizes = np.array([job.size for job in case.jobs])
    starts, ends = np.array([run.start for run in served]), np.array([run.end for run in served])
    slowdowns = (ends - arrivals) / sizes * max(case.speeds)
    worst = int(slowdowns.argmax()) if len(slowdowns) else -1
    return {
        "mean_slowdown": _mean(slowdowns, 1.0),
        "p99_slowdown": float(np.quantile(slowdowns, 0.99)) if len(slowdowns) else 1.0,
        "worst_slowdown": float(slowdowns[worst]) if len(slowdowns) else 1.0,
        "mean_response_seconds": _mean(ends - arrivals, 0.0),
        "mean_wait_seconds": _mean(starts - arrivals, 0.0),
        "waited_beside_idle": _mean(np.array(_beside_idle(case, served)), 0.0),
        **_utilisation(case, served),
        **(_worst(case, served, worst) if len(slowdowns) else NO_WORST),
    }


def _mean(values: np.ndarray, empty: float) -> float:
    return float(values.mean()) if len(values) else empty


def _beside_idle(case: Case, served: Sequence[Served]) -> list[bool]:
    """Returns for each job whether it waited although a server was idle when it arrived."""
    free, found = [0.0] * len(case.speeds), []
    for job, run in zip(case.jobs, served, strict=True):
        found.append(free[run.server] > job.arrival and min(free) <= job.arrival)
        free[run.server] = run.end
    return found


def _utilisation(case: Case, served: Sequence[Served]) -> dict[str, float]:
    """Returns the share of the time to the last completion that servers were busy: all, the busiest, the laziest."""
    busy = np.zeros(len(case.speeds))
    for run in served:
        busy[run.server] += run.end - run.start
    busy /= max((run.end for run in served), default=1.0)
    return {
        "utilisation": float(busy @ np.array(case.speeds) / sum(case.speeds)),
        "busiest": int(busy.argmax()),
        "busiest_utilisation": float(busy.max()),
        "laziest": int(busy.argmin()),
        "laziest_utilisation": float(busy.min()),
    }


def _worst(case: Case, served: Sequence[Served], worst: int) -> dict[str, float]:
    """Returns what the job of the largest slowdown waited behind."""
    job, run = case.jobs[worst], served[worst]
    free = [0.0] * len(case.speeds)
    for before in served[:worst]:
        free[before.server] = before.end
    ahead = [n for n in range(worst) if served[n].server == run.server and served[n].end > job.arrival]
    return {
        "worst_job": worst,
        "worst_server": run.server,
        "worst_wait": run.start - job.arrival,
        "worst_ahead": len(ahead),
        "worst_largest": max((case.jobs[n].size for n in ahead), default=0.0),
        "worst_idle": sum(at <= job.arrival for at in free),
    }
