"""Serves a bench without a GPU: the first number of a configuration says what happens, the shape is what it takes.

The workload's name is the folder of the lock.  Run by ``test_owner`` in a process of its own.
"""

import os
import threading
import time
from pathlib import Path

from evaluators.gpu.bench import Device, GpuError, Status, Timing
from evaluators.gpu.harness import Lost
from evaluators.gpu.lock import GpuLock
from evaluators.gpu.server import Owned, serve

TIMES, HANGS, EXITS, LOSES, GARBLES, FAILS, NONSENSE, MEETS, LIES = range(9)
DEVICE = Device("scripted", "9.0", 2, 1 << 17, 1 << 20, 1 << 30, 1.0, 2.0, "driver", "cuda", "torch", "triton")


class Script:
    def __init__(self, pipes, folder):
        self.pipes, self.folder = pipes, folder

    def compile(self, shape):
        pass

    def set_up(self, shape):
        if shape == (0,):
            threading.Event().wait()

    def outside(self, shape):
        if shape == (13,):
            os.write(2, b"CUDA error: the last words\n")
            os._exit(7)
        return Timing(Status.OK, 7.0, 0.0, 3)

    def time(self, shape, configuration):
        match configuration[0]:
            case 1:
                self.tell_that_it_hangs()
                threading.Event().wait()
            case 2:
                os.write(2, b"Traceback\nCUDA error: the last words\n")
                os._exit(7)
            case 3:
                raise Lost("an illegal memory access was encountered")
            case 4:
                os.write(self.pipes._outgoing, b"\x05\0\0\0\xc1\xc1\xc1\xc1\xc1")
            case 5:
                raise GpuError("the scripted GPU is full")
            case 6:
                os.write(self.pipes._outgoing, b"CUDA warning, printed where frames go")
            case 7:
                return self.meet()
            case 8:
                self.pipes.send(["timing", "fast"])
        return Timing(Status.OK, float(shape[0]), 0.01, 5)

    def tell_that_it_hangs(self):
        fifo = Path(self.folder) / "hangs"
        if fifo.exists():
            fifo.write_text("now")  # once somebody reads

    def meet(self):
        """Takes two milliseconds in which nobody else may be here."""
        here = Path(self.folder) / "here"
        try:
            here.touch(exist_ok=False)
        except FileExistsError:
            return Timing(Status.WRONG, message="two measure at once")
        until = time.perf_counter() + 0.002
        while time.perf_counter() < until:
            pass
        here.unlink()
        return Timing(Status.OK, 1.0, 0.0, 3)


def main(pipes, workload):
    def opened(tell):
        if workload.endswith("no-gpu"):
            raise GpuError("there is no GPU")
        if workload.endswith("dies"):
            os.write(2, b"ImportError: libcuda.so\n")
            os._exit(3)
        owned = Owned(GpuLock("GPU-scripted", Path(workload)), tell)
        with owned.alone("starting"):
            pass
        return owned, Script(pipes, workload), DEVICE

    serve(pipes, opened)
