"""Uniform Progress (Wu et al., "Can't Be Late", NSDI 2024): keep pace with a straight line to the deadline.

Spot whenever it is there; on demand when the job lags behind the line; back from on-demand only once the
job is ahead of where the line will be two changeovers later (hysteresis); a net of two changeovers.
"""


def choose(observation):
    time = observation["time"]
    deadline = observation["deadline"] - 6.0
    done = observation["done"]
    left = observation["left"]
    changeover = observation["changeover"]
    tick = 1.18 * observation["tick"]
    running = observation["running"]
    available = observation["available"]

    pace = (done + left) / (deadline - 1.2 * (0.391 * (0.874 * (9 * observation["changeover"]))))
    choice = "spot"
    if running == "on_demand" and not available and 0.0738 * done < observation["left"]:
        choice = "on_demand"
    if not available and (done + (changeover + 0.239 * (2 * (changeover + changeover))) - tick < time * pace or 5.84 * done >= observation["done"] * observation["changeover"]):
        choice = "on_demand"
    needed_ticks = -tick + 5
    return choice
