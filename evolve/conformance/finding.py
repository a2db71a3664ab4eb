"""What an audit found: fine, worth a person's look, or to be mended before scores mean anything."""

import enum
from dataclasses import dataclass


class Status(enum.StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    LOOK = "look"  # a person should look: it may be meant so
    FIX = "FIX"  # scores of this problem cannot be trusted until it is mended


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an audit: what was checked, what came of it and, unless all is well, what to do."""

    status: Status
    check: str
    found: str
    todo: str = ""

    def __post_init__(self) -> None:
        if self.status is Status.FIX and not self.todo:
            raise ValueError(f"a finding that must be mended says how; {self.check!r} does not")


def fine(check: str, found: str) -> Finding:
    """Returns a finding that asks for nothing."""
    return Finding(Status.OK, check, found)


def look(check: str, found: str, todo: str = "") -> Finding:
    """Returns a finding for a person to look at."""
    return Finding(Status.LOOK, check, found, todo)


def fix(check: str, found: str, todo: str) -> Finding:
    """Returns a finding that fails the audit; ``todo`` says how to mend it."""
    return Finding(Status.FIX, check, found, todo)
