"""Full greedy: SMF (Cheng et al., VLDB 2024) without sampling; of the whole window, the one that adds least is next.

Of those that add the same, the one that starts first is taken.
"""


def choose(window, makespan):
    def cost(index):
        start = window[index]["start"]
        return max(makespan, start + len(window[index]["operations"])), start

    return min(range(len(window)), key=cost)
