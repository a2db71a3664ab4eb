"""Always on demand: what a job costs that ignores spot."""


def choose(observation):  # noqa: ARG001 - it looks at nothing
    return "on_demand"
