"""Power of two choices (Mitzenmacher, IEEE Transactions on Parallel and Distributed Systems, 2001).

Of two servers drawn at random the job goes to the one with fewer jobs.
"""

import random

CHOICES = 2


class Policy:
    def __init__(self):
        self.random = random.Random(2)

    def choose(self, job, servers, now):  # noqa: ARG002 - it looks at queues alone
        drawn = self.random.sample(range(len(servers)), min(CHOICES, len(servers)))
        return min(drawn, key=lambda index: servers[index]["jobs"] + servers[index]["sent"])
