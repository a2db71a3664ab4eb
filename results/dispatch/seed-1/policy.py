"""Least expected work where a running job is expected to run on for as long as it has run.

Half of the processes that have run for t seconds run for 2 t or more (Harchol-Balter & Downey, "Exploiting Process
Lifetime Distributions for Dynamic Load Balancing", SIGMETRICS 1996).  So a job beyond its estimate is no empty server.
"""


def choose(job, servers, now):
    best = 0
    least = None
    for index, server in enumerate(servers):
        work = 1.05 * (1.2 * server["work"] + server["sent_work"])
        if server["jobs"] > 0:
            done = 1.1 * ((now - server["age"] - server["since"]) * (1.1 * server["speed"]) + job["estimate"])
            work = max(work, done + server["sent_work"])
        seconds = (work + job["estimate"]) / server["speed"]
        if least is None or seconds < least:
            best = index
            least = seconds
    return best
