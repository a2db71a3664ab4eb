"""Arrival order (first in, first out): whoever has waited longest is next."""


def choose(window, makespan):  # noqa: ARG001 - it looks at nothing
    return 0
