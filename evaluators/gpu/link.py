"""A process that works for a bench, and the pipes to it: it is asked, waited for within limits, and killed.

It ends when the process that started it ends, however that happens.
"""

import ctypes
import importlib
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from evaluators.gpu.bench import GpuError
from evaluators.gpu.frames import FrameError, Late, Pipes

_BOOT = (
    "import sys; module, incoming, outgoing, parent, workload, *paths = sys.argv[1:]; sys.path[:0] = paths; "
    "from evaluators.gpu.link import begin; begin(module, int(incoming), int(outgoing), int(parent), workload)"
)
_OF_THE_SYSTEM = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "XDG_CACHE_HOME", "CC")
_OF_CUDA = ("CUDA_HOME", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
_OF_TRITON = ("TRITON_CACHE_DIR", "TRITON_HOME", "TRITON_LIBCUDA_PATH")
_KEPT_VARIABLES = frozenset((*_OF_THE_SYSTEM, *_OF_CUDA, *_OF_TRITON))
"""What finds programs, libraries, folders and the GPU.  Many others change what is measured, and stand in no table."""

_KILL_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


class Overdue(Exception):  # noqa: N818 - an event, not a fault
    """An answer did not come within the patience for a phase, which it names."""

    def __init__(self, phase: str, seconds: float) -> None:
        super().__init__(f"did not come back from {phase} within {seconds:g} s")
        self.phase = phase


class Ended(Exception):  # noqa: N818 - an event, not a fault
    """The process has ended, or says what makes no sense; the message has its last words."""


class Link:
    """A process that runs ``main`` of a module with a workload's name.

    ``patience`` has the seconds for each *phase*: a word that the process sends ahead of its answer, each time that
    something else begins.
    """

    def __init__(self, module: str, workload: str, patience: Mapping[str, float]) -> None:
        self._patience = patience
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        requests, ours = os.pipe()
        answers, theirs = os.pipe()
        self._pipes = Pipes(answers, ours)
        paths = [str(Path(entry).resolve()) for entry in sys.path if entry]
        # Only the main thread's end is the process's: another one may end earlier, and its children must not.
        parent = os.getpid() if threading.current_thread() is threading.main_thread() else 0
        arguments = [module, str(requests), str(theirs), str(parent), workload, *paths]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=(requests, theirs),
                start_new_session=True,  # Ctrl-C is for who asks
                env=environment(os.environ),
            )
        finally:
            os.close(requests)
            os.close(theirs)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, request: list[Any], phase: str) -> list[Any]:
        """Sends a request and returns the answer.

        Raises:
            Overdue, Ended: there is none; the process is of no more use.
        """
        try:
            self._pipes.send(request)
        except FrameError as error:
            raise Ended(self._last_words(error)) from None
        return self.answer(phase)

    def answer(self, phase: str) -> list[Any]:
        """Waits for an answer from ``phase`` on; raises as ``ask`` does."""
        while True:
            try:
                reply = self._pipes.receive(self._patience[phase])
            except Late:
                raise Overdue(phase, self._patience[phase]) from None
            except FrameError as error:
                raise Ended(self._last_words(error)) from None
            if reply[0] != "phase":
                return reply
            if len(reply) != 2 or reply[1] not in self._patience:
                raise Ended(f"it sent a phase that nobody knows: {reply[1:]}")
            phase = reply[1]

    def close(self) -> None:
        """Kills the process; the kernel takes back its memory, on the GPU too.

        Raises:
            GpuError: it does not even die.
        """
        self._process.kill()
        self._pipes.close()
        try:
            self._process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            raise GpuError(f"process {self.pid} hangs in the GPU's driver and cannot be killed; restart it") from None
        finally:
            self._errors.close()

    def _last_words(self, error: FrameError) -> str:
        """Returns why there will be no answer: how the process ended and the last line that it wrote."""
        try:
            status = self._process.wait(1.0)  # its pipe closes a moment before it can be reaped
        except subprocess.TimeoutExpired:
            return f"it sent {error}"
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"the process ended ({how}{': ' + said[:300] if said else ''})"


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a process that measures or compiles: without what would change the result."""
    return {name: value for name, value in variables.items() if name in _KEPT_VARIABLES}


def begin(module: str, incoming: int, outgoing: int, parent: int, workload: str) -> NoReturn:
    """The first thing in such a process: it ties its life to its parent's, then does its work."""
    if parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
    threading.Thread(target=_end_with, args=(incoming,), daemon=True).start()
    _free()
    importlib.import_module(module).main(Pipes(incoming, outgoing), workload)
    os._exit(0)


def _free() -> None:
    """Takes off what a judge's worker has put on: it is pinned to a core and may hold little memory."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # the kernel leaves out what we may not use
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _end_with(pipe: int) -> None:
    """Ends this process at once when the other end of a pipe is closed, whatever it is doing."""
    poll = select.poll()
    poll.register(pipe, 0)  # no events but the one that cannot be masked: it hung up
    poll.poll()
    os._exit(0)
