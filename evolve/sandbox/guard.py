"""The process between the judge and its zygote: when either ends, however it does, so does the other's work.

It enters the namespaces that the zygote is to live in, forks it, and waits.  Killed at any instant, the judge
leaves nothing behind: this process sees it and kills the zygote, with which the kernel kills its children.
"""

import os
import select
import signal
import socket
from typing import NoReturn

import msgpack

from evolve.sandbox import kernel, namespaces, zygote
from evolve.types import Layer


def main(control_descriptor: int, judge: int, wanted: str, extra_imports: str) -> NoReturn:
    """Starts a zygote for the process ``judge``; the names of layers and modules are parted by spaces."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the judge
    control = socket.socket(fileno=control_descriptor)
    layers = frozenset(map(Layer, wanted.split()))
    try:
        watched = _judge(judge)
        alone = _enter_namespaces() if Layer.NAMESPACES in layers else zygote.LEFT_OUT
        child = os.fork()
    except OSError as error:
        control.send(msgpack.packb(["broken", f"it needs Linux 5.3 or later ({error})"]))
        os._exit(1)
    if child == 0:
        os.close(watched)
        zygote.main(control, tuple(extra_imports.split()), layers, alone)
    control.send(msgpack.packb(["forked", child]))
    control.close()
    _wait(watched, child)


def _judge(pid: int) -> int:
    """Returns a descriptor of the judge, if it is still there."""
    watched = kernel.pidfd_open(pid)
    kernel.pidfd_send_signal(watched, 0)  # whether the kernel can; it also must when the watchdog calls
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 0)  # which watches a thread of the judge's, and that may end before the judge
    if os.getppid() != pid:
        os._exit(0)
    return watched


def _enter_namespaces() -> str:
    """Returns why there are none to enter, or nothing once they are entered."""
    why = namespaces.missing()
    if not why:
        namespaces.enter()
    return why


def _wait(judge: int, child: int) -> NoReturn:
    """Ends with the zygote, and ends it with the judge."""
    zygote_ended, poll = kernel.pidfd_open(child), select.poll()
    poll.register(judge, select.POLLIN)
    poll.register(zygote_ended, select.POLLIN)
    if zygote_ended not in dict(poll.poll()):
        kernel.pidfd_send_signal(zygote_ended, signal.SIGKILL)
    os.waitpid(child, 0)
    os._exit(0)
