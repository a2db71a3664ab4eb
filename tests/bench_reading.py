"""How quickly a large run is read: for ``make bench``."""

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
    pairs = [(_seconds(command, large), _seconds(command, small)) for _ in range(repeats + 1)][1:]
    slow, quick = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Row(
        f"evolve {' '.join(command)}, a run of {LARGE:,}",
        f"{slow:.3f} s",
        f"a run of {SMALL} {quick:.3f} s",
        spread([one / other for one, other in pairs]),
        f"{SECONDS} s",
        slow < SECONDS,
    )


def _seconds(command: tuple[str, ...], run: Path) -> float:
    name, *rest = command
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "evolve", name, str(run), *rest], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
