"""A lock for each GPU of a machine, so that whoever measures on it does so alone.

It is an flock(2) on an empty file: any user may take it, and the kernel gives it back when its holder ends, however it
does.  Containers with a /tmp of their own do not see each other's.
"""

import fcntl
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evaluators.gpu.bench import GpuError

PLACE = Path("/tmp")  # noqa: S108 - not what TMPDIR says, which differs between users: then no lock would hold
PATIENCE_SECONDS = 240.0
"""How long to queue; a measurement takes a second, so whoever holds the lock longer is stuck."""

_POLL_SECONDS = 0.005


class GpuLock:
    """The lock of the GPU with this UUID."""

    def __init__(
        self,
        uuid: str,
        place: Path = PLACE,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.file = place / f"evolve-gpu-{re.sub(r'[^A-Za-z0-9-]', '_', uuid)}.lock"
        self._clock, self._sleep = clock, sleep

    @contextmanager
    def held(self, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
        """Queues for the lock and holds it.

        Raises:
            GpuError: something that is no plain file is in its place, or another process kept it for too long.
        """
        descriptor = self._locked(patience_seconds)
        try:
            yield
        finally:
            os.close(descriptor)

    def _locked(self, patience_seconds: float) -> int:
        """Returns the file, locked, that still has its name: who cleans up /tmp may have taken it off in between."""
        while True:
            descriptor = _open(self.file)
            try:
                self._acquire(descriptor, patience_seconds)
                if _is(descriptor, self.file):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _acquire(self, descriptor: int, patience_seconds: float) -> None:
        """Asks again and again, for a wait in the kernel has no deadline."""
        deadline = self._clock() + patience_seconds
        while not _taken(descriptor):
            if self._clock() >= deadline:
                raise GpuError(
                    f"another process has been measuring on this GPU for {patience_seconds:.0f} s; "
                    f"see who with `fuser {self.file}` and end it"
                )
            self._sleep(_POLL_SECONDS)


def _is(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.lstat())
    except FileNotFoundError:
        return False


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(file: Path) -> int:
    """Opens the file of a lock for reading, which is all that flock takes, and makes it where there is none.

    Not with O_CREAT on a file that is there: in a folder like /tmp kernels refuse that on other users' files
    (``fs.protected_regular``).  A link is not followed and a FIFO not waited for: anybody may put one there.
    """
    careful = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        while True:
            try:
                descriptor = os.open(file, careful)
                break
            except FileNotFoundError:
                _make(file)
    except OSError as error:
        raise GpuError(f"cannot lock the GPU with {file} ({error.strerror}); remove what is there") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise GpuError(f"cannot lock the GPU with {file}, which is no plain file; remove it")
    return descriptor


def _make(file: Path) -> None:
    """Makes the file, readable for all whatever the umask says; another process may be first.

    It gets its name only when others can open it.
    """
    fresh = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDONLY | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(descriptor, 0o644)
        with suppress(FileExistsError):
            os.link(fresh, file)
    finally:
        os.close(descriptor)
        fresh.unlink()
