"""Examines the GPU: what it is, what drives it, and how fast it copies and multiplies.

Needs PyTorch and Triton, and says in one line what is missing.  No setting of the card is ever touched.
"""

import importlib
import subprocess
import warnings
from pathlib import Path
from typing import Any

from evaluators.gpu.bench import Device, GpuError
from evaluators.gpu.stopwatch import Stopwatch

INSTALL = "install both with `pip install torch triton`"
LEAST_CAPABILITY = (8, 0)
"""Of bfloat16 and asynchronous copies: Ampere."""

LEAST_FREE_BYTES = 4 << 30
"""What the largest layers of a language model take several times over: operands, results, a reference."""

MEMORY_SHARE = 0.8
"""The most of the free memory that a process of ours takes."""

COPY_BYTES = 1 << 30
MATMUL_SIZE = 4096
SAMPLES = 7
_DRIVER_FILE = Path("/proc/driver/nvidia/version")


def open_gpu(least_free_bytes: int = LEAST_FREE_BYTES) -> Any:
    """Begins to use the first visible GPU; returns ``torch``, with a cap on the memory that this process takes.

    Raises:
        GpuError: no PyTorch, no Triton, no GPU, or one that is too old or too full.
    """
    torch = _imported("torch", "PyTorch")
    _imported("triton", "Triton")
    if torch.version.cuda is None:
        raise GpuError(f"this PyTorch, {torch.__version__}, was built without CUDA; {INSTALL}")
    _begin(torch)
    found = torch.cuda.get_device_properties(0)
    if (found.major, found.minor) < LEAST_CAPABILITY:
        least = ".".join(map(str, LEAST_CAPABILITY))
        raise GpuError(f"{found.name} has compute capability {found.major}.{found.minor}; {least} or above is needed")
    free, total = torch.cuda.mem_get_info(0)
    if free < least_free_bytes:
        raise GpuError(
            f"{found.name} has {_gib(free)} of memory free of {_gib(total)}; {_gib(least_free_bytes)} are needed: "
            "end what else uses the GPU (`nvidia-smi` lists it), or choose another with CUDA_VISIBLE_DEVICES"
        )
    torch.cuda.set_per_process_memory_fraction(free * MEMORY_SHARE / total, 0)
    return torch


def uuid(torch: Any) -> str:
    """Returns the GPU's UUID, which is the same for all processes of a machine, whatever they can see."""
    return str(torch.cuda.get_device_properties(0).uuid)


def examine(torch: Any, watch: Stopwatch) -> Device:
    """Describes the GPU that ``open_gpu`` has begun to use, and measures it; whoever asks has it to himself.

    Raises:
        GpuError: it failed while it was measured.
    """
    found = torch.cuda.get_device_properties(0)
    try:
        copy_gbps, matmul_tflops = _copy_gbps(torch, watch), _matmul_tflops(torch, watch)
    except RuntimeError as error:
        raise GpuError(f"{found.name} failed while it was examined: {one_line(error)}") from error
    return Device(
        name=found.name,
        capability=f"{found.major}.{found.minor}",
        multiprocessors=found.multi_processor_count,
        shared_bytes=found.shared_memory_per_block_optin,
        l2_bytes=found.L2_cache_size,
        memory_bytes=found.total_memory,
        copy_gbps=round(copy_gbps, 1),
        matmul_tflops=round(matmul_tflops, 1),
        driver=_driver(uuid(torch)),
        cuda=torch.version.cuda,
        torch=str(torch.__version__),
        triton=importlib.import_module("triton").__version__,
    )


def one_line(error: BaseException) -> str:
    """Returns what an exception says, in one line; those of CUDA and of compilers have a dozen."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def _imported(name: str, title: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        said = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not load ({one_line(error)})"
        raise GpuError(f"timing on a GPU needs PyTorch and Triton, and {title} {said}; {INSTALL}") from error


def _begin(torch: Any) -> None:
    """Makes CUDA begin, which is when an old driver or a missing GPU shows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # is_available() warns of what init() then raises
            torch.cuda.init()
            torch.cuda.set_device(0)
            torch.cuda.synchronize()
    except (RuntimeError, AssertionError) as error:
        said = one_line(error)
        built = f"PyTorch {torch.__version__} needs a driver for CUDA {torch.version.cuda}"
        if "too old" in said or "insufficient" in said:
            raise GpuError(f"the NVIDIA driver is too old: {built}; update it ({said})") from error
        if "no NVIDIA driver" in said:
            raise GpuError(f"there is no NVIDIA driver: {built}; does `nvidia-smi` work? ({said})") from error
        raise GpuError(f"there is no GPU that CUDA can use; does `nvidia-smi` show one? ({said})") from error


def _copy_gbps(torch: Any, watch: Stopwatch) -> float:
    """Returns 10^9 bytes a second, read and written, of a copy far larger than any L2."""
    source = torch.randint(0, 256, (COPY_BYTES,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    microseconds = _median(watch, lambda: target.copy_(source))
    return 2 * COPY_BYTES / microseconds / 1e3


def _matmul_tflops(torch: Any, watch: Stopwatch) -> float:
    """Returns 10^12 operations a second of the vendor's library on random bfloat16; zeros would be faster."""
    one, other = (torch.randn((MATMUL_SIZE,) * 2, device="cuda").to(torch.bfloat16) for _ in range(2))
    out = torch.empty_like(one)
    microseconds = _median(watch, lambda: torch.matmul(one, other, out=out))
    return 2 * MATMUL_SIZE**3 / microseconds / 1e6


def _median(watch: Stopwatch, launch: Any) -> float:
    for _ in range(3):
        watch.microseconds([launch] * 4)
    return sorted(watch.microseconds([launch] * 4) for _ in range(SAMPLES))[SAMPLES // 2]


def _driver(gpu: str) -> str:
    """Returns the driver's version, as ``nvidia-smi`` or the kernel module says; it changes nothing."""
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", f"--id=GPU-{gpu.removeprefix('GPU-')}"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        said = []
    return said[0] if said else _driver_of_module()


def _driver_of_module() -> str:
    """Returns the version in a line like ``NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  ...``."""
    try:
        words = _DRIVER_FILE.read_text(encoding="utf-8").split()
    except OSError:
        return "unknown"
    return next((word for word in words if word[0].isdigit() and word.count(".") >= 1), "unknown")


def _gib(count: float) -> str:
    return f"{count / (1 << 30):.1f} GiB"
