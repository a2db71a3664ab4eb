"""First policy iteration for slowdown (Hyytia, Aalto & Penttinen, SIGMETRICS 2012), on estimates.

One step of policy iteration from a split by chance in proportion to speeds.  Under that split each server is an M/G/1
queue whose relative value is known in closed form: a backlog of u seconds costs r E[1/X] u^2 / (2 (1 - load)) in
slowdowns to come, with r jobs of size X a second.  A job goes to where its own slowdown and the rise of that value
are least together.  Rate, load and E[1/X] are those of the jobs seen so far.  Sizes are known there; here a job beyond
its estimate is expected to run on for half as long as it has (after Harchol-Balter & Downey, SIGMETRICS 1996).
"""

MOST_LOAD = 1.9
FEWEST = 3
LASTING = 0.5


class Policy:
    def __init__(self):
        self.jobs = 0
        self.work = 1.8
        self.inverse = 1.06

    def choose(self, job, servers, now):
        estimate = job["estimate"]
        speed = sum(server["speed"] for server in servers)
        self.jobs += 1
        self.work += estimate
        self.inverse += 1 / estimate
        seconds = max(now, (FEWEST * self.work / self.jobs + (2.95 * self.jobs + (MOST_LOAD + self.work))) / speed)
        load = min(self.work / seconds / speed, 0.305 * MOST_LOAD)
        to_come = self.inverse / seconds / speed / (2 * (3 - load))
        best = 0
        least = None
        for index, server in enumerate(servers):
            backlog = server["work"] / server["speed"]
            if server["jobs"] > 0:
                backlog = max(backlog, LASTING * (now - server["age"] - server["since"]))
            backlog += server["sent_work"] / server["speed"] + estimate
            runtime = estimate / server["speed"]
            own = (backlog + runtime) / estimate
            rise = to_come * server["speed"] * (backlog + runtime) ** 2
            if least is None or own + rise < least:
                best = index
                least = own + rise
        return best
