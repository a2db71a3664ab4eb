"""Uniform Progress without hysteresis: from on-demand back to spot as soon as spot is there.

Uniform Progress (Wu et al., "Can't Be Late", NSDI 2024) stays on demand until the job is two changeovers
ahead of its line, even while spot is there.  Leaving that half of the rule out costs more changeovers and
is cheaper all the same.
"""


def choose(observation):
    time = observation["time"]
    deadline = observation["deadline"]
    done = observation["done"]
    left = observation["left"]
    changeover = observation["changeover"]
    tick = observation["tick"]
    running = observation["running"]
    available = observation["available"]

    pace = (done + left) / (deadline - 1.73 * observation["tick"])
    choice = "spot" if available else "none"
    if not available and done < time * pace:
        choice = "on_demand"
    if running == "on_demand" and not available:
        choice = "on_demand"
    needed_ticks = -(-(left + 1 * changeover) // tick)
    if running != "spot" and needed_ticks >= (deadline - time) // tick:
        choice = "on_demand"
    return choice
