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
    """One line of an audit: what came of a check and, unless all is well, what to do; the audit names the check."""

    status: Status
    found: str
    todo: str = ""
    check: str = ""

    def __post_init__(self) -> None:
        if self.status is Status.FIX and not self.todo:
            raise ValueError(f"a finding that must be mended says how; {self.found!r} does not")


def fine(found: str) -> Finding:
    """Returns a finding that asks for nothing."""
    return Finding(Status.OK, found)


def look(found: str, todo: str = "") -> Finding:
    """Returns a finding for a person to look at."""
    return Finding(Status.LOOK, found, todo)


def fix(found: str, todo: str) -> Finding:
    """Returns a finding that fails the audit; ``todo`` says how to mend it."""
    return Finding(Status.FIX, found, todo)


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found; ``cases`` and ``baselines`` are those it played with."""

    problem: str
    cases: int
    baselines: int
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Says whether nothing has to be mended."""
        return all(finding.status is not Status.FIX for finding in self.findings)
