"""Always on demand: what a job costs that ignores spot."""


def choose(observation):
    return "on_demand"
