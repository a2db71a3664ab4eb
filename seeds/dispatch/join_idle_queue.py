"""Join idle queue (Lu et al., Performance Evaluation, 2011): the server that has been idle longest, else a random one.

The only thing that servers tell is that they became idle.
"""

import random


class Policy:
    def __init__(self):
        self.random = random.Random(3)

    def choose(self, job, servers, now):  # noqa: ARG002 - it looks at idle servers alone
        idle = [index for index, server in enumerate(servers) if server["jobs"] + server["sent"] == 0]
        if idle:
            return min(idle, key=lambda index: servers[index]["since"])
        return self.random.randrange(len(servers))
