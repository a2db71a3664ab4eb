"""Random: any server, with the same probability, whatever its speed and its queue."""

import random


class Policy:
    def __init__(self):
        self.random = random.Random(1)

    def choose(self, job, servers, now):  # noqa: ARG002 - it looks at nothing
        return self.random.randrange(len(servers))
