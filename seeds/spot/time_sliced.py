"""Time-sliced (Wu et al., "Can't Be Late", NSDI 2024): greedy within slices, each with its share of the work.

The time to the deadline is cut into slices of about six hours; at the end of each one the work done must
have reached the slice's share.  Short slices approach Uniform Progress, one slice is greedy.
"""

SLICE_HOURS = 6


def choose(observation):
    time = observation["time"]
    deadline = observation["deadline"]
    done = observation["done"]
    left = observation["left"]
    changeover = observation["changeover"]
    tick = observation["tick"]
    running = observation["running"]
    available = observation["available"]

    slices = max(1, round(deadline / (SLICE_HOURS * 3600)))
    slice_end = (time * slices // deadline + 1) * deadline / slices
    left_in_slice = (done + left) * slice_end / deadline - done
    needed_ticks = -(-(left_in_slice + 2 * changeover) // tick)
    if running != "spot" and left_in_slice > 0 and needed_ticks >= (slice_end - time) // tick:
        return "on_demand"
    if available:
        return "spot"
    return "none"
