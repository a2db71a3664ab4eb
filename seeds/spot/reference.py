"""Uniform Progress (Wu et al., "Can't Be Late", NSDI 2024): keep pace with a straight line to the deadline.

Spot whenever it is there; on demand when the job lags behind the line; back from on-demand only once the
job is ahead of where the line will be two changeovers later (hysteresis); a net of two changeovers.
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

    pace = (done + left) / deadline
    choice = "spot" if available else "none"
    if not available and done < time * pace:
        choice = "on_demand"
    if running == "on_demand" and (not available or done <= (time + 2 * changeover) * pace):
        choice = "on_demand"
    needed_ticks = -(-(left + 2 * changeover) // tick)
    if running != "spot" and needed_ticks >= (deadline - time) // tick:
        choice = "on_demand"
    return choice
