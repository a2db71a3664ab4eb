"""The harness on the CPU: a scripted stopwatch, and workloads of plain PyTorch that are right, wrong, or break."""

import math
import warnings

import pytest

from evaluators.gpu.bench import GpuError, Status

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what PyTorch has to say of other packages here is not our business
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch triton")

from evaluators.gpu import harness as harness_module
from evaluators.gpu.harness import Harness, Lost
from evaluators.gpu.stage import LAST, MOST_SETS, Stage

SHAPE = (24, 16, 40)
RIGHT, HALF, WRONG, NOTHING, INFINITE, LATER, BREAKS, FULL, SPACE, NO_SPACE, STOPS, ENDS, ONE_OFF = range(13)


class Product:
    """Multiplies as the first number of a configuration says; the anchor is right."""

    TOLERANCE = 1e-2

    def __init__(self, anchor=RIGHT):
        self.calls, self.fixed = [], (anchor,)
        self.lasts, self.spread = 0, SHAPE[2] ** 0.5

    def anchor(self, shape):
        return self.fixed

    def inputs(self, shape, generator):
        m, n, k = shape
        return torch.randn((m, k), generator=generator), torch.randn((k, n), generator=generator)

    def output(self, shape, device):
        return torch.empty(shape[:2], device=device)

    def reference(self, operands):
        return (operands[0].double() @ operands[1].double()).float()

    def workspace(self, shape, configuration):
        return shape[0] * shape[1] if configuration[0] in (SPACE, NO_SPACE) else 0

    def vendor(self, operands, out):
        torch.matmul(*operands, out=out)

    def launch(self, operands, out, space, configuration):
        kind = configuration[0]
        self.calls.append((kind, out.data_ptr(), operands[0].data_ptr()))
        if kind == BREAKS:
            raise RuntimeError("too many resources requested for launch\nCompile with more words")
        if kind == FULL:
            raise torch.OutOfMemoryError("tried to allocate 40 GiB")
        result = operands[0] @ operands[1]
        if kind == HALF:
            out[: len(out) // 2] = result[: len(out) // 2]
        elif kind == INFINITE:
            out.copy_(result)[0, 0] = math.inf
        elif kind == WRONG or (kind == LATER and sum(call[0] == LATER for call in self.calls) > 3):
            out.copy_(result * 1.05)
        elif kind == SPACE:
            space.copy_(result.flatten())
            out.copy_(space.view(out.shape))
        elif kind == NO_SPACE:
            out.copy_(result + space.view(out.shape))
        elif kind == STOPS:
            if sum(call[0] == STOPS for call in self.calls) <= 3:
                out.copy_(result)
        elif kind == ENDS:
            if sum(call[0] == ENDS for call in self.calls) <= self.lasts:
                out.copy_(result)
        elif kind == ONE_OFF:
            out.copy_(result).view(-1)[result.abs().argmin()] += 0.15 * self.spread
        elif kind != NOTHING:
            out.copy_(result)


class Watch:
    """Makes the launches and says what times the script has: the anchor's or the kernel's."""

    def __init__(self, workload, times=None, drift=lambda sample: 1.0, lost=False):
        self.workload, self.times, self.drift, self.lost = workload, times or {}, drift, lost
        self.samples = 0

    def microseconds(self, launches):
        for launch in launches:
            launch()
        self.samples += 1
        kind = self.workload.calls[-1][0] if self.workload.calls else RIGHT
        if kind == RIGHT:
            return 100.0 * self.drift(self.samples)
        times = self.times.get(kind, [40.0])
        return times[self.samples // 2 % len(times)] * self.drift(self.samples)

    def wait(self):
        if self.lost:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")


class Clock:
    """Each look at it is so many milliseconds after the last."""

    def __init__(self, milliseconds=1.0):
        self.now, self.step = 0.0, milliseconds / 1000

    def __call__(self):
        self.now += self.step
        return self.now


def a_harness(workload=None, watch=None, **options) -> Harness:
    workload = workload or Product()
    options.setdefault("clock", Clock())
    return Harness(torch, workload, watch or Watch(workload), device="cpu", l2_bytes=20_000, **options)


def status_of(kind, **options):
    return a_harness(**options).time(SHAPE, (kind,))


def test_a_right_kernel_is_timed():
    timing = status_of(SPACE)
    assert (timing.status, timing.microseconds, timing.spread) == (Status.OK, 40.0, 0.0)


def test_a_drift_of_the_clock_leaves_the_figure_where_it_was():
    workload = Product()
    watch = Watch(workload, drift=lambda sample: 1.0 if sample < 20 else 1.3)
    harness = a_harness(workload, watch)
    harness.set_up(SHAPE)
    watch.samples = 20
    assert harness.time(SHAPE, (SPACE,)).microseconds == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (WRONG, "differs from the result in float64 by 0.05 of its norm; at most 0.01"),
        (HALF, "192 of 384 numbers of the result are not finite, or were never written"),
        (NOTHING, "384 of 384 numbers"),
        (INFINITE, "1 of 384 numbers"),
        (NO_SPACE, "384 of 384 numbers"),
    ],
)
def test_a_wrong_result_is_wrong_before_any_time_counts(kind, said):
    workload = Product()
    harness = a_harness(workload)
    harness.set_up(SHAPE)
    workload.calls.clear()
    timing = harness.time(SHAPE, (kind,))
    assert timing.status is Status.WRONG and said in timing.message and math.isnan(timing.microseconds)
    assert len(workload.calls) == 1


def test_a_kernel_that_is_right_once_and_wrong_later_is_wrong():
    timing = status_of(LATER)
    assert timing.status is Status.WRONG
    assert timing.message.startswith("right at first and not after many launches: differs")


def test_a_kernel_that_stops_writing_does_not_live_on_what_another_left_behind():
    harness = a_harness()
    assert harness.time(SHAPE, (SPACE,)).status is Status.OK
    timing = harness.time(SHAPE, (STOPS,))
    assert timing.status is Status.WRONG and "never written" in timing.message


def test_a_kernel_that_stops_writing_at_any_launch_is_wrong():
    workload = Product()
    a_harness(workload).time(SHAPE, (RIGHT,))
    right = sum(call[0] == RIGHT for call in workload.calls)
    workload = Product()
    workload.lasts = 10**6
    assert a_harness(workload).time(SHAPE, (ENDS,)).status is Status.OK
    launches = sum(call[0] == ENDS for call in workload.calls)
    assert 20 < launches < right
    for lasts in (1, 5, launches // 2, launches - 2):
        workload = Product()
        workload.lasts = lasts
        assert a_harness(workload).time(SHAPE, (ENDS,)).status is Status.WRONG, lasts


def test_one_wrong_number_among_many_right_ones_is_wrong():
    timing = status_of(ONE_OFF)
    assert timing.status is Status.WRONG
    assert "differs" in timing.message


def test_what_cannot_be_launched_has_its_reason_in_one_line():
    broken = status_of(BREAKS)
    assert broken.status is Status.UNLAUNCHABLE
    assert broken.message == "does not compile or launch: RuntimeError: too many resources requested for launch"
    full = status_of(FULL)
    assert full.status is Status.UNLAUNCHABLE and "workspace does not fit" in full.message


def test_an_error_after_which_the_gpu_answers_nothing_more_loses_the_process():
    workload = Product()
    watch = Watch(workload)
    harness = a_harness(workload, watch)
    harness.set_up(SHAPE)
    watch.lost = True
    with pytest.raises(Lost, match=r"^CUDA error: an illegal memory access was encountered$"):
        harness.time(SHAPE, (SPACE,))


def test_an_anchor_that_fails_is_the_machines_fault():
    for kind, said in ((WRONG, "differs"), (BREAKS, "too many resources")):
        with pytest.raises(GpuError, match=f"the reference configuration fails on .*{said}"):
            a_harness(Product(anchor=kind)).time(SHAPE, (RIGHT,))


def test_the_vendors_library_is_checked_and_timed_like_a_kernel():
    assert a_harness().outside(SHAPE).status is Status.OK
    workload = Product()
    workload.vendor = lambda operands, out: out.zero_()
    assert a_harness(workload).outside(SHAPE).status is Status.WRONG


def test_times_that_do_not_agree_are_taken_twice_as_often():
    workload = Product()
    steady = a_harness(workload, Watch(workload)).time(SHAPE, (SPACE,))
    workload = Product()
    unsteady = a_harness(workload, Watch(workload, {SPACE: [40.0, 50.0]})).time(SHAPE, (SPACE,))
    assert unsteady.repeats == 2 * steady.repeats
    assert unsteady.spread > 0.05


def test_a_slow_kernel_is_repeated_three_times():
    assert status_of(SPACE, clock=Clock(milliseconds=50)).repeats == 3


def test_operands_rotate_through_twice_the_l2_and_the_anchor_writes_elsewhere():
    workload = Product()
    harness = a_harness(workload)
    harness.set_up(SHAPE)
    workload.calls.clear()
    harness.time(SHAPE, (SPACE,))
    a_set = 4 * (24 * 40 + 40 * 16 + 24 * 16)
    operands = {call[2] for call in workload.calls}
    assert len(operands) * a_set >= 2 * 20_000
    anchors, kernels = ({call[1] for call in workload.calls if call[0] == kind} for kind in (RIGHT, SPACE))
    assert len(anchors) == 1 and not anchors & kernels


def test_the_anchor_is_compiled_once_for_a_shape_and_its_failure_waits_until_it_is_run():
    workload, warmed = Product(), []
    workload.warm = lambda shape, configuration: warmed.append((shape, configuration)) or 1 / 0
    harness = a_harness(workload)
    harness.compile(SHAPE)
    harness.set_up(SHAPE)
    harness.compile(SHAPE)
    assert warmed == [(SHAPE, (RIGHT,))]


def test_what_was_drawn_for_a_shape_is_kept():
    workload = Product()
    drawn = []
    inputs = workload.inputs
    workload.inputs = lambda *arguments: drawn.append(1) or inputs(*arguments)
    harness = a_harness(workload)
    for _ in range(3):
        harness.time(SHAPE, (SPACE,))
    harness.time((8, 8, 8), (SPACE,))
    assert len(drawn) == 2


def a_stage(l2_bytes, workload=None, module=torch) -> Stage:
    return Stage(module, workload or Product(), SHAPE, torch.Generator().manual_seed(1), l2_bytes)


def test_an_anchor_settles_once_for_a_shape_even_if_its_operands_are_drawn_again(monkeypatch):
    monkeypatch.setattr(harness_module, "KEPT_BYTES", 1)
    workload, rising = Product(), []
    watch = Watch(workload, drift=lambda sample: rising.append(sample) or 1 + len(rising) / 1e5)
    harness = a_harness(workload, watch)
    before = harness.time(SHAPE, (SPACE,)).microseconds
    harness.time((8, 8, 8), (SPACE,))
    assert harness.time(SHAPE, (SPACE,)).microseconds == pytest.approx(before, rel=1e-4)
    assert len(harness._settled) == 2


def test_small_shapes_have_many_sets_but_not_without_end():
    assert len(a_stage(0)) == 2
    assert len(a_stage(1 << 40)) == MOST_SETS


def test_as_many_sets_are_made_as_memory_holds():
    workload = Product()
    output, made = workload.output, []

    def scarce(shape, device):
        made.append(1)
        if len(made) > 5:
            raise torch.OutOfMemoryError("full")
        return output(shape, device)

    workload.output = scarce
    assert len(a_stage(1 << 40, workload)) == 4


def test_a_shape_that_does_not_fit_at_all_is_the_machines_fault():
    workload = Product()

    def full(shape, generator):
        raise torch.OutOfMemoryError("tried to allocate 90 GiB")

    workload.inputs = full
    with pytest.raises(GpuError, match=r"too little memory on the GPU for .*90 GiB"):
        a_harness(workload).time(SHAPE, (RIGHT,))


def test_the_last_results_are_remembered_until_they_are_poisoned():
    stage = a_stage(20_000)
    used = stage.launches(lambda operands, out: None, len(stage) + 2)
    assert [tensor.data_ptr() for tensor in stage.last] == [run.args[1].data_ptr() for run in used[: -LAST - 1 : -1]]
    stage.poison()
    assert stage.last == [] and bool(stage.first()[1].isnan().all())
