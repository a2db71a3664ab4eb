"""Audits a problem in a process of its own: what hangs inside C code can only be ended with its process."""

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from random import Random

from evolve import catalog
from evolve.conformance import Audit, Stage, stages
from evolve.conformance.finding import fix
from evolve.types import EvolveError

_REFUSE = "have `simulate` refuse, with InvalidDecision, what would keep it busy without end, such as huge numbers"
_SHORTEN = "find out what the problem's code is busy with there: a step may take `limits.step_seconds`"


def audit_apart(spec: str, seed: int, tell: Callable[[str], None], objective: str = "") -> Audit:
    """Returns the audit of a problem, by its name, file or folder, and tells what is being tried.

    ``objective`` names one where the problem has several.

    Where it takes its process down, that is a finding, and what was found before stands.

    Raises:
        EvolveError: there is no such problem, or it could not be audited at all.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(spec, objective, seed, theirs), daemon=True)
    worker.start()
    theirs.close()
    try:
        stage, tried = _followed(ours, tell)
        if stage is not None and not stage.waiting:
            return stage.so_far
        worker.join()
        return _cut_short(stage, tried, worker.exitcode or 0)
    finally:
        worker.kill()
        worker.join()


def _followed(connection: Connection, tell: Callable[[str], None]) -> tuple[Stage | None, str]:
    """Returns how far an audit came before it, or its process, ended, and what it tried last."""
    stage: Stage | None = None
    tried = ""
    with contextlib.suppress(EOFError):
        while stage is None or stage.waiting:
            said = connection.recv()  # from our own process, which runs trusted code only
            if isinstance(said, EvolveError):
                raise said
            stage, tried = (said, "") if isinstance(said, Stage) else (stage, said)
            tell(said.check if isinstance(said, Stage) else said)
    return stage, tried


def _cut_short(stage: Stage | None, tried: str, status: int) -> Audit:
    """Returns what there is to say of an audit that took its process down."""
    if stage is None:
        raise EvolveError(f"the audit's process ended with status {status} while it loaded the problem")
    hung = -status == signal.SIGPROF
    said = "the simulator did not come back, from inside C code" if hung else f"the process ended with status {status}"
    todo = _REFUSE if stage.check == "wrong decisions" else _SHORTEN
    return stage.after([fix(f"{said} ({tried})" if tried else said, todo)], stage.waiting).so_far


def _work(spec: str, objective: str, seed: int, connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the other process says that it was interrupted
    try:
        for stage in stages(catalog.load(spec, objective), Random(seed), time.monotonic, connection.send):
            connection.send(stage)
    except EvolveError as error:
        connection.send(EvolveError(str(error)))
    except Exception as error:  # noqa: BLE001 - the last place where it can be said in a line
        connection.send(EvolveError(f"a bug, of evolve or of the problem's file: {type(error).__name__}: {error}"))
