"""Join the shortest queue (Winston, Journal of Applied Probability, 1977): the server with the fewest jobs.

Optimal for equal servers, Poisson arrivals and exponential sizes.  Of equals the fastest.
"""


def choose(job, servers, now):  # noqa: ARG001 - it looks at queues alone
    best = 0
    for index, server in enumerate(servers):
        jobs = server["jobs"] + server["sent"]
        fewest = servers[best]["jobs"] + servers[best]["sent"]
        if jobs < fewest or (jobs == fewest and server["speed"] > servers[best]["speed"]):
            best = index
    return best
