"""Two honest problems, and what has to be changed in them to make each a bad one."""

from collections.abc import Iterable
from pathlib import Path

PLAN = '''\
import random

from evolve import Call, InvalidDecision, Limits, Problem


class Schedule(Problem):
    """Write `order(jobs)`: the order in which one machine runs jobs, each [length, weight], as a list of indices.

    Every job runs once. `delay` is the weighted mean of the times at which jobs end; lower is better.
    """

    objective, direction = "delay", "minimize"
    reference = "def order(jobs):\\n    return sorted(range(len(jobs)), key=lambda job: jobs[job][0])\\n"
    limits = Limits(step_seconds=0.4)
    rounds = 1

    def cases(self, split):
        return [[jobs(random.Random(seed + step)) for step in range(self.rounds)] for seed in split.seeds(20)]

    def simulate(self, case):
        delay = 0
        for jobs in case:
            plan = yield Call("order", jobs, returns=list[int])
            if sorted(plan) != list(range(len(jobs))):
                raise InvalidDecision("every job must run once")
            delay += delayed(jobs, plan)
        return {"delay": delay}

    def bound(self, case):
        return sum(delayed(jobs, sorted(range(len(jobs)), key=lambda i: jobs[i][0] / jobs[i][1])) for jobs in case)

    def feedback(self, case, metrics):
        return f"delay {metrics['delay']:.1f}"


def delayed(jobs, plan):
    now = delay = 0
    for job in plan:
        now += jobs[job][0]
        delay += jobs[job][1] * now
    return (1 + delay) / len(jobs)


def jobs(random):
    return [[random.randint(1, 90), random.randint(1, 90)] for _ in range(random.randint(5, 12))]
'''
"""All is known at once: a plan."""

CHECKED = """\
            if sorted(plan) != list(range(len(jobs))):
                raise InvalidDecision("every job must run once")
"""
ONLY_KNOWN_JOBS = """\
            if not all(0 <= job < len(jobs) for job in plan):
                raise InvalidDecision("no such job")
"""
NO_BOUND = ("def bound(", "def not_the_bound(")

QUEUE = '''\
import random

from evolve import Call, InvalidDecision, Limits, Problem, Twin


class Queue(Problem):
    """Write `serve(waiting, now)`: which job a machine runs next.

    `waiting` maps the ids of jobs that have arrived to their lengths. Return an id. `delay` is the mean time
    from a job's arrival to its end; lower is better.
    """

    objective, direction = "delay", "minimize"
    reference = "def serve(waiting, now):\\n    return min(waiting)\\n"
    limits = Limits(step_seconds=0.4)

    def cases(self, split):
        return [arrivals(random.Random(seed)) for seed in split.seeds(20)]

    def simulate(self, case):
        now, delay, waiting, coming = 0, 0, {}, list(enumerate(case))
        while waiting or coming:
            if not waiting:
                now = max(now, coming[0][1][0])
            while coming and coming[0][1][0] <= now:
                job, (_, length) = coming.pop(0)
                waiting[job] = length
            job = yield Call("serve", waiting, now, returns=int)
            if job not in waiting:
                raise InvalidDecision(f"at {now}: job {job} is not waiting")
            now += waiting.pop(job)
            delay += now - case[job][0]
        return {"delay": delay / len(case)}

    def twin(self, case, random):
        moment = case[random.randrange(1, len(case))][0]
        later = [(time, length if time < moment else length + 5) for time, length in case]
        return Twin(later, lambda call: call.arguments[1] < moment)


def arrivals(random):
    times = sorted(random.sample(range(200), 20))
    return [(time, random.randint(1, 19)) for time in times]
'''
"""Jobs arrive one after the other: an online problem."""

PACK = '''\
import random

from evolve import Call, InvalidDecision, Problem


class Pack(Problem):
    """Write `pack(sizes)`: the bin of each item, as a list of numbers from 0. A bin holds 10; use few `bins`."""

    objective, direction = "bins", "minimize"
    reference = """
        def pack(sizes):
            free, bins = [10] * len(sizes), []
            for size in sizes:
                bins.append(next(i for i, left in enumerate(free) if left >= size))
                free[bins[-1]] -= size
            return bins
        """

    def cases(self, split):
        return [random.Random(seed).choices(range(1, 8), k=40) for seed in split.seeds(20)]

    def simulate(self, sizes):
        bins = yield Call("pack", sizes, returns=list[int])
        if len(bins) != len(sizes) or not all(0 <= bin < len(sizes) for bin in bins):
            raise InvalidDecision("every item goes into a bin from 0 on")
        if any(sum(size for size, at in zip(sizes, bins, strict=True) if at == bin) > 10 for bin in bins):
            raise InvalidDecision("a bin holds 10")
        return {"bins": len(set(bins))}
'''
"""A plan problem whose rules are about sums, and that has no bound."""

CAPACITY = """\
        if any(sum(size for size, at in zip(sizes, bins, strict=True) if at == bin) > 10 for bin in bins):
            raise InvalidDecision("a bin holds 10")
"""

UNCHECKED = """\
            if job not in waiting:
                raise InvalidDecision(f"at {now}: job {job} is not waiting")
"""

SMITH = "def order(jobs):\n    return sorted(range(len(jobs)), key=lambda job: jobs[job][0] / jobs[job][1] ** 0.9)\n"


def write(folder: Path, source: str, *changes: tuple[str, str], seeds: Iterable[tuple[str, str]] = ()) -> Path:
    """Writes a problem with some of its text replaced, and its baselines beside it."""
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    path = folder / "problem.py"
    path.write_text(source, encoding="utf-8")
    for name, policy in seeds:
        (folder / "seeds").mkdir(exist_ok=True)
        (folder / "seeds" / f"{name}.py").write_text(policy, encoding="utf-8")
    return path
