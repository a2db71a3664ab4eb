"""What a process does to itself before it may run a policy.  Every step is final.

Sources: prctl(2), setrlimit(2), close_range(2), credentials(7).
"""

import math
import os
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass

from evolve.sandbox import kernel
from evolve.types import Limits

NOBODY = 65534
MAX_OUTPUT_BYTES = 64 << 10
MAX_DESCRIPTORS = 16
STACK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Walls:
    """What a zygote has prepared for its children; None leaves a wall out.

    ``base_bytes`` is the address space of the libraries, to which a policy's own memory is added,
    ``ruleset`` a descriptor of Landlock's, ``program`` the system-call filter.
    """

    base_bytes: int | None
    ruleset: int | None
    program: bytes | None


def lock_down(walls: Walls, limits: Limits, keep: Iterable[int]) -> None:
    """Leaves a process with the descriptors ``keep``, the limits and the allowed system calls.

    Raises:
        OSError: a wall could not be put up; the caller must then exit without running anything.
    """
    _close_all_but([*keep, *([] if walls.ruleset is None else [walls.ruleset])])
    if walls.base_bytes is not None:
        _limit_resources(limits, walls.base_bytes)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if walls.ruleset is not None:
        kernel.landlock_restrict_self(walls.ruleset)
        os.close(walls.ruleset)
    if walls.program is not None:
        kernel.install_filter(walls.program)


def die_with_parent(parent: int) -> None:
    """Asks the kernel to kill this process when the thread that started it ends.

    ``parent`` is the process that should be it (0: one outside of this namespace); if it has ended before the
    kernel was asked, so does this one.  Changing the user afterwards clears the request.
    """
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def drop_root() -> None:
    """Becomes nobody when run as root.

    Raises:
        OSError: this root may not.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def address_space_bytes() -> int:
    """Returns how much address space the process has mapped."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - before and after forks, keep it plain
        return int(statm.read().split()[0]) * resource.getpagesize()


def _close_all_but(keep: Iterable[int]) -> None:
    start = 0
    for descriptor in sorted(keep):
        if start < descriptor:  # Python's closerange(0, 0) closes everything
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, 1 << 20)


def _limit_resources(limits: Limits, base_bytes: int) -> None:
    cpu = math.ceil(limits.cpu_seconds)  # the kernel counts whole seconds
    for what, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, MAX_OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
        (resource.RLIMIT_STACK, STACK_BYTES),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, base_bytes + (limits.memory_mib << 20)),
    ):
        resource.setrlimit(what, (amount, amount))
