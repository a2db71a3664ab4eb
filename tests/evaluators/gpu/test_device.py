"""What is said of a machine that cannot measure, and of one that can; PyTorch and Triton are played here."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from evaluators.gpu import device
from evaluators.gpu.bench import GpuError
from evaluators.gpu.refusal import in_words
from evaluators.gpu.stopwatch import CudaEvents

GIB = 1 << 30
OLD = (
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading "
    "and installing a new version"
)


def properties(**changes):
    found = {
        "name": "NVIDIA Scripted",
        "major": 9,
        "minor": 0,
        "multi_processor_count": 132,
        "shared_memory_per_block_optin": 232448,
        "L2_cache_size": 62914560,
        "total_memory": 80 * GIB,
        "uuid": "12ab-34cd",
    }
    return SimpleNamespace(**found | changes)


def a_torch(found=None, *, init=lambda: None, free=70 * GIB, built="13.0"):
    fractions = []
    cuda = SimpleNamespace(
        init=init,
        set_device=lambda index: None,
        synchronize=lambda: None,
        get_device_properties=lambda index: found or properties(),
        mem_get_info=lambda index: (free, 80 * GIB),
        set_per_process_memory_fraction=lambda fraction, index: fractions.append(fraction),
        fractions=fractions,
    )
    return SimpleNamespace(__version__="2.11.0", version=SimpleNamespace(cuda=built), cuda=cuda)


@pytest.fixture
def played(monkeypatch):
    def play(torch, triton=SimpleNamespace(__version__="3.6.0")):  # noqa: B008
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setitem(sys.modules, "triton", triton)

    return play


def failing(message, kind=RuntimeError):
    def init():
        raise kind(message)

    return init


@pytest.mark.parametrize(
    ("torch", "triton", "said"),
    [
        (None, object(), r"PyTorch .*; install both with `pip install torch triton`$"),
        (a_torch(), None, r"and Triton .*; install both with"),
        (a_torch(built=None), object(), r"this PyTorch, 2\.11\.0, was built without CUDA"),
        (a_torch(init=failing(OLD)), object(), r"the NVIDIA driver is too old: .* CUDA 13\.0; update it"),
        (
            a_torch(init=failing("Found no NVIDIA driver on your system. Please check")),
            object(),
            r"there is no NVIDIA driver: .* does `nvidia-smi` work\?",
        ),
        (a_torch(init=failing("No CUDA GPUs are available")), object(), r"there is no GPU that CUDA can use"),
        (a_torch(init=failing("CUDA error: unknown\nmore", AssertionError)), object(), r"\(CUDA error: unknown\)$"),
        (a_torch(properties(major=7, minor=5)), object(), r"capability 7\.5; 8\.0 or above is needed"),
        (a_torch(free=GIB // 2), object(), r"0\.5 GiB of memory free of 80\.0 GiB; 4\.0 GiB are needed: .*nvidia-smi"),
    ],
)
def test_what_is_missing_is_said_in_one_line(played, torch, triton, said):
    played(torch, triton)
    with pytest.raises(GpuError, match=said) as caught:
        device.open_gpu()
    assert "\n" not in str(caught.value)


def test_a_process_takes_no_more_than_a_share_of_the_free_memory(played):
    torch = a_torch(free=40 * GIB)
    played(torch)
    assert device.open_gpu() is torch
    assert torch.cuda.fractions == [40 * device.MEMORY_SHARE / 80]


class Tensor:
    def copy_(self, other):
        pass

    def to(self, dtype):
        return self


class Watch:
    def microseconds(self, launches):
        for launch in launches:
            launch()
        return 500.0


def measured(torch):
    torch.uint8 = torch.bfloat16 = None
    for make in ("randint", "empty_like", "randn", "matmul"):
        setattr(torch, make, lambda *arguments, **options: Tensor())
    return torch


def test_a_gpu_is_described_with_rates_that_were_measured(played, monkeypatch):
    torch = measured(a_torch())
    played(torch)
    asked = []

    def run(command, **options):
        asked.append(command)
        return SimpleNamespace(stdout="580.95.05\n")

    monkeypatch.setattr(subprocess, "run", run)
    found = device.examine(torch, Watch())
    assert (found.name, found.capability, found.multiprocessors) == ("NVIDIA Scripted", "9.0", 132)
    assert (found.shared_bytes, found.l2_bytes, found.memory_bytes) == (232448, 62914560, 80 * GIB)
    assert found.copy_gbps == pytest.approx(2 * GIB / 500e-6 / 1e9, abs=0.1)
    assert found.matmul_tflops == pytest.approx(2 * 4096**3 / 500e-6 / 1e12, abs=0.1)
    assert (found.driver, found.cuda, found.torch, found.triton) == ("580.95.05", "13.0", "2.11.0", "3.6.0")
    assert asked == [["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=GPU-12ab-34cd"]]


def test_without_nvidia_smi_the_kernel_module_says_which_driver_it_is(monkeypatch, tmp_path):
    def missing(command, **options):
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(subprocess, "run", missing)
    file = tmp_path / "version"
    monkeypatch.setattr(device, "_DRIVER_FILE", file)
    assert device._driver("12ab") == "unknown"
    file.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\nGCC version")
    assert device._driver("12ab") == "580.95.05"


def test_a_gpu_that_fails_while_it_is_examined_is_unusable(played):
    torch = measured(a_torch())
    torch.matmul = lambda *arguments, **options: failing("CUDA error: uncorrectable ECC error\nmore")()
    played(torch)
    with pytest.raises(GpuError, match=r"failed while it was examined: CUDA error: uncorrectable ECC error$"):
        device.examine(torch, Watch())


def test_events_time_a_burst_behind_a_spin_that_outlasts_the_host():
    said = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            said.append("record")

        def synchronize(self):
            said.append("synchronize")

        def query(self):
            said.append("query")
            return late.pop() if late else False

        def elapsed_time(self, other):
            return 0.5

    late = []
    cuda = SimpleNamespace(Event=Event, _sleep=lambda cycles: said.append(cycles))
    watch = CudaEvents(SimpleNamespace(cuda=cuda))
    assert watch.microseconds([lambda: said.append("launch")] * 5) == 100.0
    burst = ["record", *["launch"] * 5, "record", "query", "synchronize"]
    assert said[1:] == burst
    assert said[0] >= 5 * 100 * 3_000
    late, before = [True], len(said)  # the GPU began before the host was done: again, behind a longer spin
    watch.microseconds([lambda: said.append("launch")] * 5)
    assert said[before + 1 :][: len(burst)] == burst
    assert said[before + 1 + len(burst)] > 1.5 * said[before]
    assert said[before + 2 + len(burst) :] == burst


class OutOfResources(Exception):  # noqa: N818 - as Triton calls it
    required, limit, name = 300_000, 232_448, "shared memory"


class PTXASError(Exception):
    pass


class CompilationError(Exception):
    error_message = "at 3:4:\n  tl.dot(a, b)\nInput shapes should have K >= 16"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfResources(), "needs 300,000 bytes of shared memory of 232,448"),
        (
            PTXASError("`ptxas` failed with error code 255\n`ptxas` stderr:\nptxas fatal : too many registers\nRepro:"),
            "the assembler refuses it: ptxas fatal : too many registers",
        ),
        (CompilationError(), "does not compile: Input shapes should have K >= 16"),
        (RuntimeError("PassManager::run failed"), "does not compile or launch: RuntimeError: PassManager::run failed"),
        (AssertionError(), "does not compile or launch: AssertionError: it does not say why"),
    ],
)
def test_a_refusal_is_said_in_words_and_one_line(error, said):
    assert in_words(error) == said
