"""Times bursts of launches with CUDA events."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

Launch = Callable[[], Any]


class Stopwatch(Protocol):
    """Times what is launched on a device."""

    def microseconds(self, launches: Sequence[Launch]) -> float:
        """Makes launches one after another and returns the mean time of one, once all have ended."""
        ...

    def wait(self) -> None:
        """Returns when the device has done all that it was given."""
        ...


class CudaEvents:
    """Times bursts on the current stream with events on both sides of them.

    Putting a kernel into a stream takes the host some 20 microseconds, often more than the kernel takes the GPU, which
    would then be timed waiting.  So the GPU is first kept busy with a spin for as long as the host will take, by what
    it took before, to have the whole burst in the stream: then its kernels run back to back.  A burst, because events
    tell only half microseconds apart and come with a few of their own.
    """

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._started, self._ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self._host_microseconds = _FIRST_HOST_MICROSECONDS

    def microseconds(self, launches: Sequence[Launch]) -> float:
        """Returns the mean time of a launch."""
        for _ in range(_TRIES):
            was_kept_busy = self._launched(launches)
            self._ended.synchronize()
            if was_kept_busy:
                break
            self._host_microseconds *= 2
        return float(self._started.elapsed_time(self._ended)) * 1e3 / len(launches)

    def _launched(self, launches: Sequence[Launch]) -> bool:
        """Puts a burst into the stream; says whether it was whole before the GPU came to it."""
        spin = self._host_microseconds * _MARGIN * len(launches) + _EVENT_MICROSECONDS
        self._torch.cuda._sleep(int(spin * _CYCLES_PER_MICROSECOND))
        began = time.perf_counter()
        self._started.record()
        for launch in launches:
            launch()
        self._ended.record()
        self._learn((time.perf_counter() - began) * 1e6 / len(launches))
        return not self._started.query()

    def wait(self) -> None:
        """Waits for the GPU; an error of a kernel comes to light here."""
        self._torch.cuda.synchronize()

    def _learn(self, host_microseconds: float) -> None:
        """Follows what a launch takes the host: up at once, down slowly."""
        learnt = max(host_microseconds, 0.9 * self._host_microseconds)
        self._host_microseconds = min(learnt, _MOST_HOST_MICROSECONDS)


_FIRST_HOST_MICROSECONDS = 100.0
_EVENT_MICROSECONDS = 20.0
_MARGIN = 1.3
_MOST_HOST_MICROSECONDS = 1_000.0
_CYCLES_PER_MICROSECOND = 3_000
"""Of the fastest clocks; a slower one spins longer, which is harmless."""

_TRIES = 4
