"""What an audit of a problem found, in words a newcomer understands."""

import shutil
import textwrap
from typing import Self, TextIO

from evolve.conformance import Audit, Finding, Status
from evolve.text import brief, counted

_LONGEST = 600
_WIDTHS = 80, 120


class Progress:
    """A line on a terminal that says what is being tried; cleared at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._shown = stream, stream.isatty()

    def __call__(self, said: str) -> None:
        """Shows it, in place of what was shown before."""
        self._write(f"\r\x1b[Kchecking {brief(said, 60)} ...")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._shown:
            print(text, end="", file=self._stream, flush=True)


def describe(audit: Audit) -> str:
    """Returns the findings as text, each with what to do about it."""
    columns = max(len(finding.check) for finding in audit.findings)
    width = min(max(shutil.get_terminal_size((_WIDTHS[1], 24)).columns, _WIDTHS[0]), _WIDTHS[1])
    head = f"{audit.problem}: {counted(audit.cases, 'train case')}, {counted(audit.baselines, 'baseline')}"
    rows = [_row(finding, columns, width) for finding in audit.findings]
    return "\n".join([head, "", *rows, "", _sum(audit)])


def _row(finding: Finding, columns: int, width: int) -> str:
    head = f"{finding.status:4}  {finding.check:{columns}}  "
    lines = _wrapped(brief(finding.found, _LONGEST), head, width)
    if finding.todo:
        mark = "-> "
        lines += _wrapped(brief(finding.todo, _LONGEST), " " * len(head) + mark, width)
    return "\n".join(lines)


def _wrapped(text: str, head: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _sum(audit: Audit) -> str:
    wrong, odd = (sum(found.status is status for found in audit.findings) for status in (Status.FIX, Status.LOOK))
    looks = f"{counted(odd, 'thing')} to look at" if odd else "nothing to look at"
    if audit.passed:
        return f"passed: nothing to fix, {looks}"
    return f"NOT passed: {counted(wrong, 'thing')} to fix, {looks}; until then do not trust scores of this problem"
