"""Least expected work: to where the job is expected to end first, by estimates.

Also called shortest expected delay, or least work left (Harchol-Balter, "Performance Modeling and Design of Computer
Systems", 2013, chapter 24).  What was sent since the last report counts; what was done since then does not.
"""


def choose(job, servers, now):  # noqa: ARG001 - the time does not matter
    best = 0
    least = None
    for index, server in enumerate(servers):
        work = server["work"] + server["sent_work"] + job["estimate"]
        seconds = work / server["speed"]
        if least is None or seconds < least:
            best = index
            least = seconds
    return best
