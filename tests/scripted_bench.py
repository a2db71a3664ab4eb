"""A bench that measures nothing: times by a formula, for tests only.  No figure of it says anything about a GPU."""

import math
from dataclasses import replace
from random import Random

from evaluators.gpu.bench import Configuration, Device, GpuError, Shape, Status, Timing

DEVICE = Device(
    name="scripted device of the tests",
    capability="9.0",
    multiprocessors=132,
    shared_bytes=227 << 10,
    l2_bytes=50 << 20,
    memory_bytes=80 << 30,
    copy_gbps=3000.0,
    matmul_tflops=700.0,
    driver="1.0",
    cuda="1.0",
    torch="1.0",
    triton="1.0",
)
A100_LIKE = replace(DEVICE, multiprocessors=108, shared_bytes=163 << 10, copy_gbps=1500.0, matmul_tflops=250.0)
SMALL = replace(DEVICE, multiprocessors=46, shared_bytes=99 << 10, copy_gbps=500.0, matmul_tflops=60.0)


def formula(shape: Shape, configuration: Configuration, device: Device = DEVICE) -> float:
    """Returns microseconds that depend on every part of a configuration, so that choosing matters."""
    m, n, k, _ = shape
    block_m, block_n, block_k, warps, stages, split_k, group_m = configuration
    programs = math.ceil(m / block_m) * math.ceil(n / block_n) * split_k
    waves = math.ceil(programs / device.multiprocessors)
    share = device.matmul_tflops * 1e6 / device.multiprocessors
    arithmetic = 2 * block_m * block_n * (k / split_k) / share * (1 + 1500 / (block_m * block_n))
    loads = 2 * (block_m + block_n) * (k / split_k) * min(programs, device.multiprocessors)
    memory = loads / (device.copy_gbps * 1e3) * (1 + 0.3 / stages) * (1 + 8 / block_k)
    reduction = 0 if split_k == 1 else 2 + 8 * split_k * m * n / (device.copy_gbps * 1e3)
    return 2 + waves * max(arithmetic, memory) * (1.02 if group_m == 1 else 1) * (1 + 0.01 * warps / 8) + reduction


class ScriptedBench:
    """Answers by the formula with a little noise; ``failing`` gives configurations another status."""

    def __init__(
        self,
        device: Device = DEVICE,
        *,
        noise: float = 0.005,
        seed: int = 0,
        failing: dict[tuple[Shape, Configuration], Timing] | None = None,
        lost_after: int | None = None,
    ) -> None:
        self.device, self._noise, self._failing, self._lost_after = device, noise, failing or {}, lost_after
        self._random = Random(seed)
        self.timed: list[tuple[Shape, Configuration]] = []
        self.prepared: list[tuple[Shape, Configuration]] = []
        self.outsides: list[Shape] = []
        self.closed = False

    def time(self, shape: Shape, configuration: Configuration) -> Timing:
        if self._lost_after is not None and len(self.timed) >= self._lost_after:
            raise GpuError("the GPU has fallen off the bus")
        self.timed.append((shape, configuration))
        if (shape, configuration) in self._failing:
            return self._failing[shape, configuration]
        return self._noisy(formula(shape, configuration, self.device))

    def outside(self, shape: Shape) -> Timing:
        self.outsides.append(shape)
        m, n, k, _ = shape
        moved, operations = 2 * (m * k + k * n + m * n), 2 * m * n * k
        return self._noisy(
            4 + 1.2 * max(moved / self.device.copy_gbps / 1e3, operations / self.device.matmul_tflops / 1e6)
        )

    def prepare(self, configurations: list[tuple[Shape, Configuration]]) -> None:
        self.prepared += configurations

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> "ScriptedBench":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _noisy(self, microseconds: float) -> Timing:
        return Timing(Status.OK, microseconds * self._random.gauss(1, self._noise), self._noise, 10)
