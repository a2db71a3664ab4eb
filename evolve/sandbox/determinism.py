"""Chance and time as a policy sees them: the same on every machine, for each case its own.

Clocks stand still at zero.  What is drawn without a seed comes from the case's own stream, so what
one case draws does not depend on which others are judged beside it.  All streams begin at the same seed, the
problem's: seeds of their own would tell a policy which case it is judged on.  This is help for honest
policies, not a wall: true randomness can be had, and then the judge's second run differs.
"""

import random
import time
from typing import Any

_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_PlainRandom = random.Random


def stop_clocks() -> None:
    """Lets every clock of the ``time`` module show zero."""
    for name in _CLOCKS:
        setattr(time, name, lambda: 0.0)
        setattr(time, name + "_ns", lambda: 0)
    gmtime, localtime, strftime, epoch = time.gmtime, time.localtime, time.strftime, time.gmtime(0)
    changed: dict[str, Any] = {
        "clock_gettime": lambda _: 0.0,
        "clock_gettime_ns": lambda _: 0,
        "gmtime": lambda seconds=0: gmtime(seconds),
        "localtime": lambda seconds=0: localtime(seconds),
        "strftime": lambda form, when=epoch: strftime(form, when),
    }
    for name, clock in changed.items():
        setattr(time, name, clock)


class Streams:
    """One stream of random numbers for each case; made once in the zygote, used in a child.

    ``random``, ``numpy.random`` and everything they make without a seed draw from the present case's.
    """

    def __init__(self) -> None:
        import numpy as np

        self._numpy = np.random
        self._seed = 0
        self._entropy = _PlainRandom(0)
        self._case = -1
        self._states: dict[int, tuple[Any, Any, random.Random]] = {}
        self._begin()
        self._install()

    def begin(self, seed: int) -> None:
        """Takes the seed that every case begins with."""
        self._seed = seed

    def switch(self, case: int) -> None:
        """Gives the global generators over to a case."""
        if case == self._case:
            return
        if self._case >= 0:
            self._states[self._case] = (random.getstate(), self._numpy.get_state(), self._entropy)
        self._case = case
        if case in self._states:
            state, numpy_state, self._entropy = self._states[case]
            random.setstate(state)
            self._numpy.set_state(numpy_state)
        else:
            self._begin()

    def _begin(self) -> None:
        self._entropy = _PlainRandom(self._seed)
        random.setstate(_PlainRandom(self._seed).getstate())
        self._numpy.seed(self._seed & 0xFFFF_FFFF)

    def _install(self) -> None:
        """Replaces what ``random`` and ``numpy.random`` ask the machine for entropy."""

        def entropy(bits: int) -> int:
            return self._entropy.getrandbits(bits)

        class Random(random.Random):
            """``random.Random`` whose default seed is the case's next one."""

            def __init__(self, x: Any = None) -> None:
                super().__init__(entropy(64) if x is None else x)

            def seed(self, a: Any = None, version: int = 2) -> None:
                super().seed(entropy(64) if a is None else a, version)

        plain_seed = random.seed
        changed: dict[str, Any] = {
            "Random": Random,
            "seed": lambda a=None, version=2: plain_seed(entropy(64) if a is None else a, version),
            "_urandom": lambda count: self._entropy.randbytes(count),  # SystemRandom's
        }
        for name, value in changed.items():
            setattr(random, name, value)
        vars(self._numpy.bit_generator)["randbits"] = entropy  # what an unseeded SeedSequence asks
