"""How much memory a worker may hold: less than the machine has, whatever a decision makes a simulator allocate."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARE = 0.5
"""How much of the machine's memory all workers of an executor may hold together."""

_LEAST_BYTES = 1 << 30

_GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def share(workers: int) -> int:
    """Returns what each of so many workers may hold: half the machine's memory in equal parts, at least 1 GiB."""
    return max(int(_SHARE * _machine_bytes() / workers), _LEAST_BYTES)


@contextmanager
def at_most(most_bytes: int) -> Iterator[None]:
    """Has allocations of this process fail with a MemoryError beyond so many bytes; a limit it has is kept.

    What counts is memory that it may write and shares with nobody (setrlimit(2), RLIMIT_DATA), used or not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    known = [limit for limit in (soft, most_bytes) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(known), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _machine_bytes() -> int:
    """Returns the machine's memory, or what the group of processes that we are in may use of it."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in map(Path, _GROUP_LIMITS):
        if file.is_file() and (text := file.read_text(encoding="ascii").strip()).isdigit():
            limits.append(int(text))
    return min(limits)
