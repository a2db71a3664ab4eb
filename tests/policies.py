"""Policies and a small archive for the tests of proposers."""

from evolve.types import Candidate, Evaluation, Proposal, Verdict

REFERENCE = '''"""Keep pace: señor Größe's rule."""

import math

MARGIN = 2  # changeovers


def behind(done, time, pace):
    """Whether the job lags."""
    return done < time * pace


def choose(observation):
    """Returns spot, on_demand or none."""
    größe = "naïve"; time = observation["time"]  # zwei Anweisungen: ü vor dem Ausdruck
    deadline = observation["deadline"]
    done, left = observation["done"], observation["left"]
    available = observation["available"]
    # the line that the job follows
    pace = (done + left) / deadline
    net = (
        left
        + MARGIN  # a comment within
        * observation["changeover"]
    )
    late = [tick for tick in range(3) if tick * 600 > deadline - time]
    if behind(done, time, pace) and not (available or late):
        return "on_demand"
    elif -(-net // observation["tick"]) >= math.floor((deadline - time) / 600):
        return "on_demand"
    return "spot" if available and größe != "é" else "none"
'''

OTHER = """def choose(seen):
    remaining = seen["deadline"] - seen["time"]
    slack = remaining - seen["left"]
    if seen["running"] == "on_demand" and slack < 3 * seen["changeover"]:
        return "on_demand"
    if seen["available"]:
        return "spot"
    if slack < 0.1 * remaining:
        return "on_demand"
    return "none"
"""

MEMORY = '''class Policy:
    """Remembers how long spot was gone."""

    PATIENCE = 3

    def __init__(self):
        self.gone = 0
        self.last = "none"

    def choose(self, observation):
        def far(hours):
            return hours * 3600 < observation["deadline"] - observation["time"]

        if observation["available"]:
            self.gone = 0
            self.last = "spot"
        else:
            self.gone += 1
        waited = self.gone > self.PATIENCE
        if waited and not far(1.5):
            self.last = "on_demand"
        return self.last
'''

POLICIES = (REFERENCE, OTHER, MEMORY)

OBSERVATIONS = [
    {
        "time": time,
        "deadline": 252_000,
        "done": done,
        "left": 172_800 - done,
        "changeover": 180,
        "tick": 600,
        "running": running,
        "available": available,
    }
    for time in (0, 60_000, 150_000, 240_000)
    for done in (0, 50_000, 160_000)
    for running in ("spot", "on_demand", "none")
    for available in (True, False)
]


def baseline(number, source, score=1.0):
    return Candidate(number, Proposal(source, "baseline"), Evaluation(Verdict.OK, score))


def judged(number, proposal, score):
    return Candidate(number, proposal, Evaluation(Verdict.OK, score))


def failed(number, source):
    return Candidate(number, Proposal(source, "baseline"), Evaluation(Verdict.CRASHED))


def decisions(source):
    """Returns what a policy decides on every observation, asked in order."""
    names = {}
    exec(compile(source, "<policy>", "exec"), names)  # the tests' own policies and their mutants
    choose = names["Policy"]().choose if "Policy" in names else names["choose"]
    return [choose(dict(observation)) for observation in OBSERVATIONS]


class Few:
    """An archive of a few candidates that chooses its parents among the best."""

    def __init__(self, *candidates, parents=1_000, idle=0):
        self._members = list(candidates)
        self._parents = parents
        self._idle = idle

    @property
    def best(self):
        return max(self._members, key=lambda member: member.score, default=None)

    def add(self, candidate):
        self._members.append(candidate)
        return True

    def parent(self, rng):
        if not self._members:
            raise LookupError("the archive is empty")
        ranked = sorted(self._members, key=lambda member: -member.score)
        return rng.choice(ranked[: self._parents])

    def inspirations(self, parent, count, rng):
        others = [member for member in self._members if member is not parent]
        return rng.sample(others, min(count, len(others)))

    def find(self, number):
        return next((member for member in self if member.number == number), None)

    def idle(self, member):
        return self._idle

    def __iter__(self):
        return iter(self._members)

    def __len__(self):
        return len(self._members)
