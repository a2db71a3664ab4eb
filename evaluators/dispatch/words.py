"""What happened on a case in words, and what was possible."""

from collections.abc import Mapping

from evaluators.dispatch.relaxation import least_work, relaxation
from evaluators.dispatch.simulator import Case


def describe(case: Case, metrics: Mapping[str, float]) -> str:
    """Returns a line on the slowdown, the worst job and what it waited behind, and how busy servers were."""
    if not case.jobs:
        return f"no jobs for {_count(len(case.speeds), 'server')}: nothing to decide"
    age = f"a report every {case.report_seconds:.3g} s" if case.report_seconds else "reports always current"
    return (
        f"{age}; mean slowdown {metrics['mean_slowdown']:.3g}, 99% {metrics['p99_slowdown']:.3g}; least work with all "
        f"sizes known has {least_work(case):.3g}, the lower bound is {relaxation(case):.3g}; {_worst(case, metrics)}; "
        f"{metrics['waited_beside_idle']:.0%} of jobs waited while a server was idle; busy: "
        f"{_busy(case, metrics, 'busiest')}, {_busy(case, metrics, 'laziest')}"
    )


def _worst(case: Case, metrics: Mapping[str, float]) -> str:
    mean = sum(job.size for job in case.jobs) / len(case.jobs)
    job, server = int(metrics["worst_job"]), int(metrics["worst_server"])
    size, largest = case.jobs[job].size / mean, metrics["worst_largest"] / mean
    return (
        f"worst: job {job} ({size:.2g} mean sizes) waited {metrics['worst_wait']:.3g} s on server "
        f"{server} (speed {case.speeds[server]:.3g}) behind {_count(int(metrics['worst_ahead']), 'job')}, the largest "
        f"of {largest:.2g} mean sizes, with {_count(int(metrics['worst_idle']), 'server')} idle"
    )


def _busy(case: Case, metrics: Mapping[str, float], which: str) -> str:
    server = int(metrics[which])
    return f"server {server} (speed {case.speeds[server]:.3g}) {metrics[f'{which}_utilisation']:.0%}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
