"""Compiles nothing, as the second number of a configuration says; each time it does, a line goes into a file."""

import os
import threading
from pathlib import Path


def main(pipes, workload):
    folder, _, capability = workload.partition("@")
    assert capability == "9.0"
    pipes.send(["opened"])
    while True:
        what, _, configuration = pipes.receive()
        if what == "variant":
            pipes.send([what, repr(configuration)])
            continue
        with (Path(folder) / "compiled").open("a") as log:
            log.write(f"{os.getpid()} {configuration}\n")
        match configuration[1:2]:
            case [1]:
                pipes.send([what, "needs 300,000 bytes of shared memory of 232,448"])
            case [2]:
                os._exit(-6)
            case [3]:
                threading.Event().wait()
            case _:
                pipes.send([what, ""])
