"""The ways in which a policy can fail, each with its verdict and a line of explanation.

Whatever a child reports is the word of a stranger: it can choose its own verdict among the failures,
and nothing else.
"""

import os
import re
import signal
from dataclasses import dataclass
from typing import Any

from evolve.types import EvolveError, Limits, Verdict

MAX_MESSAGE = 300
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}")
_CONFESSIONS = frozenset({Verdict.CRASHED, Verdict.INVALID, Verdict.OUT_OF_MEMORY, Verdict.FORBIDDEN})


class SandboxError(EvolveError):
    """The sandbox itself failed: a fault of ours or of the machine, never of a policy."""


class PolicyFailure(Exception):  # noqa: N818 - it carries a verdict
    """A policy did not answer as it should; ``case`` is the one it was answering, where known."""

    def __init__(self, verdict: Verdict, message: str, case: int | None = None) -> None:
        super().__init__(message)
        self.verdict, self.message, self.case = verdict, message, case


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended: its wait status, what CPU time the kernel charged, and whether nobody had killed it."""

    status: int
    cpu_seconds: float
    by_itself: bool


def reported(reply: Any) -> PolicyFailure:
    """Returns the failure that a child reports as ``[None, case, verdict, message]``, or that this is none."""
    if type(reply) is list and len(reply) == 4 and reply[0] is None:
        _, case, verdict, message = reply
        if type(verdict) is str and verdict in _CONFESSIONS and type(message) is str:
            return PolicyFailure(Verdict(verdict), printable(message), case if type(case) is int else None)
    return PolicyFailure(Verdict.FORBIDDEN, "the child answered a call that was not asked")


def death(ending: Ending, limits: Limits) -> PolicyFailure:
    """Returns why a child ended that nobody had a reason to kill but that it had closed its pipe."""
    status = ending.status
    if os.WIFEXITED(status):
        return PolicyFailure(Verdict.CRASHED, f"exited with status {os.WEXITSTATUS(status)} instead of answering")
    number = os.WTERMSIG(status)
    if number == signal.SIGSYS:
        return PolicyFailure(Verdict.FORBIDDEN, "made a system call that no policy needs, and was killed")
    if number == signal.SIGKILL and ending.by_itself:
        if ending.cpu_seconds > 0.5 * limits.cpu_seconds:  # the kernel counts ticks there, and time here
            return PolicyFailure(Verdict.TIMED_OUT, f"used up {limits.cpu_seconds:g} s of CPU")
        return PolicyFailure(Verdict.OUT_OF_MEMORY, "was killed from outside, most likely for lack of memory")
    if number == signal.SIGKILL:
        return PolicyFailure(Verdict.CRASHED, "closed its pipe instead of answering")
    return PolicyFailure(Verdict.CRASHED, f"was killed by {_signal_name(number)}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def printable(text: str) -> str:
    """Returns at most ``MAX_MESSAGE`` characters of a stranger's text, on one line, without control characters.

    Addresses in memory become ``0x...``: they differ from process to process, and a run must not.
    """
    line = "".join(c if c.isprintable() else " " for c in text[:MAX_MESSAGE]).strip()
    return _ADDRESS.sub("0x...", line)
