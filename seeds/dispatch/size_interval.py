"""Size-interval assignment with equal load (SITA-E; Harchol-Balter, Crovella & Murta, JPDC, 1999), on estimates.

Each server gets the jobs of an interval of estimates, the intervals such that servers carry work in proportion to
their speeds, the smallest jobs on the fastest.  The distribution is that of the estimates seen so far.  Where all
are equal there are no intervals, and the job goes to where the least work is expected.
"""

from bisect import bisect_left, insort

LEARN = 10


class Policy:
    def __init__(self):
        self.seen = []

    def choose(self, job, servers, now):  # noqa: ARG002 - the time does not matter
        estimate = job["estimate"]
        insort(self.seen, estimate)
        if len(self.seen) < LEARN or self.seen[0] == self.seen[-1]:
            return min(
                range(len(servers)),
                key=lambda i: (servers[i]["work"] + servers[i]["sent_work"] + estimate) / servers[i]["speed"],
            )
        smaller = sum(self.seen[: bisect_left(self.seen, estimate)]) + estimate / 2
        share = smaller / sum(self.seen) * sum(server["speed"] for server in servers)
        order = sorted(range(len(servers)), key=lambda i: -servers[i]["speed"])
        for index in order:
            share -= servers[index]["speed"]
            if share <= 0:
                break
        return index
