"""Audits a problem in a process of its own: what hangs inside C code can only be ended with its process."""

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from random import Random

from evolve import catalog
from evolve.conformance import Audit, audit
from evolve.conformance.finding import fix
from evolve.types import EvolveError

Message = tuple[str, Audit | str]


def audit_apart(spec: str, seed: int, tell: Callable[[str], None]) -> Audit:
    """Returns the audit of a problem, by its name, file or folder, and tells what is being tried.

    Raises:
        EvolveError: there is no such problem, or it could not be audited at all.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(spec, seed, theirs), daemon=True)
    worker.start()
    theirs.close()
    last = "the beginning"
    try:
        with contextlib.suppress(EOFError):
            while True:
                kind, said = _received(ours)
                if isinstance(said, Audit):
                    return said
                if kind == "error":
                    raise EvolveError(said)
                last = said
                tell(said)
        worker.join()
        return _ended(spec, worker.exitcode or 0, last)
    finally:
        worker.kill()
        worker.join()


def _received(connection: Connection) -> Message:
    message: Message = connection.recv()  # from our own process, which runs trusted code only
    return message


def _ended(spec: str, status: int, last: str) -> Audit:
    """Returns what there is to say of an audit that took its process down."""
    if -status != signal.SIGPROF:
        raise EvolveError(f"the audit's process ended with status {status} at: {last}")
    said = f"the simulator did not come back, from inside C code ({last})"
    todo = "have `simulate` refuse, with InvalidDecision, what would keep it busy without end, such as huge numbers"
    return Audit(spec, 0, 0, (fix("wrong decisions", said, todo),))


def _work(spec: str, seed: int, connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the other process says that it was interrupted
    try:
        found = audit(catalog.load(spec), Random(seed), time.monotonic, lambda said: connection.send(("tell", said)))
        connection.send(("audit", found))
    except EvolveError as error:
        connection.send(("error", str(error)))
    except Exception as error:  # noqa: BLE001 - the last place where it can be said in a line
        connection.send(("error", f"a bug, of evolve or of the problem's file: {type(error).__name__}: {error}"))
