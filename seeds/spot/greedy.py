"""Greedy (Wu et al., "Can't Be Late", NSDI 2024): spot when it is there, else wait until waiting is over.

Once the work left and two changeovers fill the time left, the job runs on demand to its end; only a spot
instance that is already running is kept until it is lost.
"""


def choose(observation):
    time = observation["time"]
    deadline = observation["deadline"]
    left = observation["left"]
    changeover = observation["changeover"]
    tick = observation["tick"]
    running = observation["running"]
    available = observation["available"]

    needed_ticks = -(-(left + 2 * changeover) // tick)
    if running != "spot" and needed_ticks >= (deadline - time) // tick:
        return "on_demand"
    if available:
        return "spot"
    return "none"
