"""Starts a zygote and has it fork children; the judge's end of their control socket."""

import contextlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack

from evolve.sandbox import seccomp, zygote
from evolve.sandbox.child import Child
from evolve.sandbox.failure import Usage
from evolve.sandbox.watchdog import Watchdog
from evolve.types import EvolveError, Limits

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_BOOT = (
    "import sys; control, imports, *paths = sys.argv[1:]; sys.path[:0] = paths; "
    "from evolve.sandbox import zygote; zygote.main(int(control), imports.split())"
)
_PATIENCE_SECONDS = 60.0
"""How long a zygote may take to start, to fork or to reap before it is taken for dead."""
