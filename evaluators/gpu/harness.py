"""Checks and times the configurations of one kernel, in the process that owns the GPU.

A timing counts only if the result is right: before, on poisoned memory, and after, in what the last timed launches
left behind.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from statistics import median
from typing import Any

from evaluators.gpu import timing
from evaluators.gpu.bench import Configuration, GpuError, Shape, Status, Timing
from evaluators.gpu.device import one_line
from evaluators.gpu.refusal import in_words
from evaluators.gpu.stage import Run, Stage
from evaluators.gpu.stopwatch import Stopwatch
from evaluators.gpu.workload import Tensor, Workload

TIMING_MS = 16.0
"""For all turns of a configuration; with checks before and after, it stays within 30 ms on ordinary shapes."""

SETTLING_MS = 60.0
BURST_MICROSECONDS = 150.0
"""How long a burst should take: long against the half microsecond that events tell apart."""

MOST_BURST = 16
KEPT_BYTES = 8 << 30
"""Operands and references of shapes that may be asked for again."""


class Lost(Exception):  # noqa: N818 - an event, as the others here
    """The GPU takes nothing more from this process: a kernel wrote where it may not.  Only a new process helps."""


class Harness:
    """Times configurations of a workload on ``device``, with ``watch``; operands are drawn from ``seed``.

    ``clock`` tells seconds and is asked only how long a turn takes, so as to fit into a budget.
    """

    def __init__(
        self,
        torch: Any,
        workload: Workload,
        watch: Stopwatch,
        *,
        device: str = "cuda",
        l2_bytes: int = 0,
        seed: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._torch, self._workload, self._watch, self._clock = torch, workload, watch, clock
        self._device, self._l2_bytes, self._seed = device, l2_bytes, seed
        self._stages: OrderedDict[Shape, tuple[Stage, float]] = OrderedDict()
        self._settled: dict[Shape, float] = {}

    def time(self, shape: Shape, configuration: Configuration) -> Timing:
        """Checks and times a configuration on a shape.

        Raises:
            GpuError: the shape itself cannot be run here.
            Lost: the configuration took the GPU from this process.
        """
        self.set_up(shape)
        return self._guarded(partial(self._timed_configuration, shape, configuration))

    def outside(self, shape: Shape) -> Timing:
        """Checks and times the vendor's library; raises as ``time`` does."""
        self.set_up(shape)
        return self._guarded(partial(self._timed, shape, self._workload.vendor))

    def compile(self, shape: Shape) -> None:
        """Compiles the anchor for a shape, which uses no GPU; what fails fails again when it is run."""
        if shape not in self._stages:
            with suppress(Exception):  # a compiler may raise anything
                self._workload.warm(shape, self._workload.anchor(shape))

    def set_up(self, shape: Shape) -> None:
        """Draws operands, computes the reference and lets the anchor settle, where that was not done before.

        Raises:
            GpuError: it does not fit into memory, or the anchor does not run there, or not rightly.
            Lost: the anchor took the GPU from this process.
        """
        if shape in self._stages:
            self._stages.move_to_end(shape)
            return
        stage = self._stage(shape)
        said = self._guarded(lambda: self._checked(stage, self._anchor(shape)) or Timing(Status.OK))
        if said.status is not Status.OK:
            raise GpuError(f"the reference configuration fails on {shape}: {said.message}")
        if shape not in self._settled:  # once, for all timings of a shape are scaled by it
            self._settled[shape] = self._settle(stage)
        self._stages[shape] = stage, self._settled[shape]
        while len(self._stages) > 1 and sum(kept.nbytes for kept, _ in self._stages.values()) > KEPT_BYTES:
            self._stages.popitem(last=False)

    def _stage(self, shape: Shape) -> Stage:
        try:
            return self._drawn(shape)
        except self._torch.OutOfMemoryError:
            self._forget()
        try:
            return self._drawn(shape)
        except self._torch.OutOfMemoryError as error:
            raise GpuError(f"too little memory on the GPU for {shape}: {one_line(error)}") from error

    def _drawn(self, shape: Shape) -> Stage:
        generator = self._torch.Generator(device=self._device).manual_seed(self._seed)
        return Stage(self._torch, self._workload, shape, generator, self._l2_bytes)

    def _forget(self) -> None:
        self._stages.clear()
        self._torch.cuda.empty_cache()

    def _anchor(self, shape: Shape) -> Run:
        return self._launcher(shape, self._workload.anchor(shape))

    def _launcher(self, shape: Shape, configuration: Configuration) -> Run:
        launch, space = self._workload.launch, self._space(shape, configuration)
        return lambda operands, out: launch(operands, out, space, configuration)

    def _space(self, shape: Shape, configuration: Configuration) -> Tensor | None:
        """Returns the workspace of a configuration, from a plain allocation, poisoned like a result."""
        size = self._workload.workspace(shape, configuration)
        options: Any = {"dtype": self._torch.float32, "device": self._device}
        return self._torch.full((size,), math.nan, **options) if size else None

    def _settle(self, stage: Stage) -> float:
        """Runs the anchor until its time no longer changes, and returns that."""
        run, ends = self._anchor(stage.shape), self._clock() + SETTLING_MS / 1e3
        samples: list[float] = []
        burst = self._burst(self._watch.microseconds(stage.anchor_launches(run, 2)))
        while len(samples) < 2 * timing.SETTLING or self._clock() < ends:
            samples.append(self._watch.microseconds(stage.anchor_launches(run, burst)))
            if (settled := timing.settled(samples)) is not None:
                return settled
        return median(samples[-timing.SETTLING :])

    def _timed_configuration(self, shape: Shape, configuration: Configuration) -> Timing:
        return self._timed(shape, self._launcher(shape, configuration))

    def _timed(self, shape: Shape, run: Run) -> Timing:
        stage, settled = self._stages[shape]
        if wrong := self._checked(stage, run):
            return wrong
        stage.poison()
        taken = self._turns(stage, run, settled)
        for result in stage.last:
            if said := stage.why_wrong(result, self._workload.TOLERANCE):
                return Timing(Status.WRONG, message=f"right at first and not after many launches: {said}")
        return taken

    def _checked(self, stage: Stage, run: Run) -> Timing | None:
        """Runs a kernel once on poisoned memory; returns what is wrong with its result."""
        operands, result = stage.first()
        result.fill_(math.nan)
        run(operands, result)
        self._watch.wait()
        said = stage.why_wrong(result, self._workload.TOLERANCE)
        return Timing(Status.WRONG, message=said) if said else None

    def _turns(self, stage: Stage, run: Run, settled: float) -> Timing:
        """Takes samples of a kernel and of the anchor in turns; more of them where they do not agree."""
        anchor = self._anchor(stage.shape)
        # Two launches of each to warm up and to see how many make a burst; then a turn, to see how many fit.
        bursts = (
            self._burst(self._watch.microseconds(stage.launches(run, 2))),
            self._burst(self._watch.microseconds(stage.anchor_launches(anchor, 2))),
        )
        began = self._clock()
        self._turn(stage, run, anchor, bursts)
        turns = timing.repeats((self._clock() - began) * 1e6, TIMING_MS)
        samples = [self._turn(stage, run, anchor, bursts) for _ in range(turns)]
        if not timing.is_steady(_corrected(samples, settled)):
            samples += [self._turn(stage, run, anchor, bursts) for _ in range(turns)]
        stage.poison()  # again: the right results of these launches would hide that the next write nothing
        self._turn(stage, run, anchor, bursts)
        return _corrected(samples, settled)

    def _turn(self, stage: Stage, run: Run, anchor: Run, bursts: tuple[int, int]) -> tuple[float, float]:
        """Returns the microseconds of the anchor's and, last so that its results are there to see, the kernel's."""
        other = self._watch.microseconds(stage.anchor_launches(anchor, bursts[1]))
        return self._watch.microseconds(stage.launches(run, bursts[0])), other

    @staticmethod
    def _burst(microseconds: float) -> int:
        return max(1, min(MOST_BURST, math.ceil(BURST_MICROSECONDS / max(microseconds, 1e-3))))

    def _guarded(self, measure: Callable[[], Timing]) -> Timing:
        """Turns what the compiler, the launcher or the allocator refuse into a verdict on the configuration."""
        try:
            return measure()
        except Exception as error:  # noqa: BLE001 - a compiler may raise anything
            said = in_words(error)
        try:
            self._watch.wait()
        except RuntimeError as lost:  # every further call would say the same
            raise Lost(one_line(lost)) from None
        return Timing(Status.UNLAUNCHABLE, message=said)


def _corrected(samples: list[tuple[float, float]], settled: float) -> Timing:
    return timing.corrected([own for own, _ in samples], [other for _, other in samples], settled)
