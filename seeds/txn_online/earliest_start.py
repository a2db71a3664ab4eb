"""Earliest start (after Giffler & Thompson 1960): whoever can start first is next; of several, the longest.

What comes before its time in the order of placing holds back nobody who could have started earlier.
"""


def choose(window, makespan):  # noqa: ARG001 - the makespan is not looked at
    return min(range(len(window)), key=lambda index: (window[index]["start"], -len(window[index]["operations"])))
