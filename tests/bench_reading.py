"""How quickly a large run is read: for ``make bench``."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import big_run
from tests.bench_rows import Row, spread

LARGE, SMALL = 10_000, 100
COMMANDS = (
    ("show",),
    ("log",),
    ("log", "--all", "--json"),
    ("show", "50"),
    ("diff",),
    ("diff", "--side-by-side", "--code"),
)
SECONDS = 0.5


def reading_times(repeats: int = 9) -> list[Row]:
    """Each command that reads a run, from its start to its end, on a large run and a small one in turn."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large", Path(folder) / "small"
        big_run.write(large, LARGE, seed=0)
        big_run.write(small, SMALL, seed=0)
        return [_row(command, large, small, repeats) for command in COMMANDS]


def _row(command: tuple[str, ...], large: Path, small: Path, repeats: int) -> Row:
    measured = [(*_seconds(command, large), *_seconds(command, small)) for _ in range(repeats + 1)][1:]
    slow, cpu_seconds, quick, _ = (statistics.median(times) for times in zip(*measured, strict=True))
    pairs = [(one, other) for one, _, other, _ in measured]
    return Row(
        f"evolve {' '.join(command)}, a run of {LARGE:,}",
        f"{slow:.3f} s ({cpu_seconds:.3f} s of CPU)",
        f"a run of {SMALL} {quick:.3f} s",
        spread([one / other for one, other in pairs]),
        f"{SECONDS} s",
        slow < SECONDS,
    )


def _seconds(command: tuple[str, ...], run: Path) -> tuple[float, float]:
    """Returns the seconds that a command takes by the clock and of CPU."""
    name, *rest = command
    start, used = time.perf_counter(), _cpu_seconds()
    subprocess.run([sys.executable, "-m", "evolve", name, str(run), *rest], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, _cpu_seconds() - used


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
