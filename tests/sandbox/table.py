"""What the suite measured as ``evolve/sandbox/ATTACKS.md``, and that file read back."""

import os
import platform
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from evolve.sandbox import kernel
from evolve.types import Layer
from tests.sandbox.forgeries import Forgery
from tests.sandbox.suite import ATTACKS, COLUMNS, FORGERIES, JUDGING, Findings, Measured, Outcome

FILE = Path(__file__).parents[2] / "evolve" / "sandbox" / "ATTACKS.md"

MARKS = {Outcome.STOPPED: "+", Outcome.WORKED: "-", Outcome.NOT_RUN: "?", Outcome.BROKEN: "!"}

NAIVE = "naive judge"
"""The column of the judge that believes everything; its cells are words."""

_INTRODUCTION = """\
# What was tried against the sandbox

Made by `python -m tests.sandbox.suite --markdown`; a test compares it with what the machine shows that runs the tests.
The code of every attack is in [tests/sandbox](../../tests/sandbox/suite.py): `reach.py`, `havoc.py`, `depths.py`,
`forgeries.py`, `bombs.py`. Without an option the same command says what your machine stops; other kernels lack other
system calls.

{machine}.

A policy is given everything that it could find by itself: `os`, `ctypes`, every loaded module and every system call. It
then attacks what was planted around it for that purpose. Each attack was first tried without any layer, where it must
work; what does not work there is listed below the tables and counted nowhere, for it shows nothing.

| mark | meaning |
|---|---|
| + | stopped |
| - | it works: what the layer misses when it stands alone |
| ? | not run: the machine itself forbids it, or it is for another processor |

| column | layers |
|---|---|
{columns}

With no layer a policy still has a process of its own, without the judge's descriptors and from which no program can
gain rights, and whatever it answers is checked; what comes of that is the second table.

## Attacks on the machine

| attack | {names} |
|---|{dashes}|
{attacks}

## Forgeries, and other attacks on the judge

A *naive judge* does what others do: it imports the policy, calls it, takes the time and writes a JSON file; or it has
the policy in a process of its own and believes its pickles. It is fooled (it reports a score that the policy's
decisions do not have), it crashes, or it hangs. Ours gives a verdict or exactly the score of the decisions.

| attack | {judges} | ours |
|---|---|{more_dashes}|
{forgeries}

## Not run

{not_run}
"""


def markdown(measured: Measured) -> str:
    """Returns the file."""
    names, judges = list(COLUMNS), [NAIVE, *JUDGING]
    return _INTRODUCTION.format(
        machine=machine(),
        columns="\n".join(f"| {name} | {_named(layers)} |" for name, layers in COLUMNS.items()),
        names=" | ".join(names),
        dashes="|".join(":-:" for _ in names),
        attacks="\n".join(_attack_rows(measured)),
        judges=" | ".join(judges),
        more_dashes="|".join(":-:" for _ in judges),
        forgeries="\n".join(_forgery_rows(measured)),
        not_run="\n".join(_not_run(measured.live)) or "Everything was run.",
    )


def machine() -> str:
    """Returns the kernel and the privileges that matter to a column, in one line."""
    release = ".".join(platform.release().split(".")[:2])
    landlock = kernel.landlock_version()
    return f"Linux {release} on {platform.machine()}, {privileges()}, Landlock version {landlock or 'none'}"


def privileges() -> str:
    """Returns who runs the tests, and with what powers if it is root."""
    return f"root with the capabilities {kernel.capabilities():x}" if os.geteuid() == 0 else "an ordinary user"


def _named(layers: Iterable[Layer]) -> str:
    chosen = [layer for layer in Layer if layer in set(layers)]
    return ", ".join(chosen) if chosen else "no layer"


def _attack_rows(measured: Measured) -> Iterable[str]:
    totals = [_total(measured.attacks[name]) for name in COLUMNS]
    yield f"| **stopped** | {' | '.join(totals)} |"
    for kind, attacks in groupby(ATTACKS, key=lambda attack: attack.kind):
        yield f"| *{kind}* |{' |' * len(COLUMNS)}"
        for attack in attacks:
            marks = [MARKS[measured.attacks[name][attack.name].outcome] for name in COLUMNS]
            yield f"| {attack.name} | {' | '.join(marks)} |"


def _total(findings: Findings) -> str:
    counts = Counter(finding.outcome for finding in findings.values())
    return f"{counts[Outcome.STOPPED]} of {counts[Outcome.STOPPED] + counts[Outcome.WORKED]}"


def _forgery_rows(measured: Measured) -> Iterable[str]:
    totals = [_total(measured.forgeries[name]) for name in JUDGING]
    yield f"| **stopped** | {_total(measured.naive)} | {' | '.join(totals)} | |"
    for kind, kindred in groupby(FORGERIES, key=lambda forgery: forgery.kind):
        yield f"| *{kind}* | |{' |' * len(JUDGING)} |"
        for forgery in kindred:
            marks = [MARKS[measured.forgeries[name][forgery.name].outcome] for name in JUDGING]
            yield f"| {forgery.name} | {measured.naive[forgery.name].detail} | {' | '.join(marks)} | {_ours(forgery)} |"


def _ours(forgery: Forgery) -> str:
    return " or ".join(sorted(forgery.verdicts)) or "the score of its decisions"


def _not_run(live: Findings) -> list[str]:
    return [f"- {name}: {found.detail}" for name, found in live.items() if found.outcome is not Outcome.WORKED]


def cells(text: str) -> dict[str, dict[str, str]]:
    """Returns by column and row what the tables of a file say."""
    found: dict[str, dict[str, str]] = {}
    header: list[str] = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")] if line.startswith("|") else []
        if parts[:1] == ["attack"]:
            header = parts[1:]
        elif parts and header and not parts[0].startswith(("*", "-", ":")):
            for name, mark in zip(header, parts[1:], strict=True):
                found.setdefault(f"{name} (forgeries)" if NAIVE in header else name, {})[parts[0]] = mark
        elif not parts:
            header = []
    return found


def marks(findings: Findings) -> dict[str, str]:
    return {name: MARKS[finding.outcome] for name, finding in findings.items()}


def differing(written: Mapping[str, str], seen: Mapping[str, str]) -> list[str]:
    """Returns the attacks of which a table says another thing than is seen; not run is neither."""
    not_run = MARKS[Outcome.NOT_RUN]
    return [
        name
        for name in sorted(written.keys() | seen.keys())
        if written.get(name) != seen.get(name) and not_run not in (written.get(name), seen.get(name))
    ]


def made_on(text: str) -> tuple[str, str]:
    """Returns the privileges and the version of Landlock that a file was made with."""
    said = re.search(r"^Linux .*?, (.*), Landlock version (\w+)\.$", text, re.MULTILINE)
    assert said is not None, "no line says what the table was made on"
    return said[1], said[2]


def incomparable(text: str, column: str, standing: Mapping[str, frozenset[Layer]]) -> str:
    """Returns why what a file says of a column cannot be compared with this machine, or nothing."""
    layers, (theirs, landlock) = COLUMNS[column], made_on(text)
    if standing[column] != layers:
        return f"this machine lacks {_named(layers - standing[column])}"
    if Layer.SECCOMP not in layers and theirs != privileges():
        return f"the table was made by {theirs}, this is {privileges()}"
    if Layer.LANDLOCK in layers and Layer.SECCOMP not in layers and landlock != str(kernel.landlock_version()):
        return f"the table was made with version {landlock} of Landlock, this is {kernel.landlock_version()}"
    return ""


def plain(measured: Measured) -> str:
    """Returns how many attacks each column stops, and all that needs a look."""
    lines = [f"{name:18}{_total(measured.attacks[name]):>12}" for name in COLUMNS]
    lines += [f"{name + ', forgeries':18}{_total(measured.forgeries[name]):>12}" for name in JUDGING]
    lines += ["", "not run:", *_not_run(measured.live)]
    known = {"naive judge": measured.naive, **{f"{n}, forgeries": measured.forgeries[n] for n in JUDGING}}
    known |= {name: measured.attacks[name] for name in JUDGING}
    worth = [
        f"{column}: {name}: {finding.outcome}: {finding.detail}"
        for column, findings in known.items()
        for name, finding in findings.items()
        if finding.outcome is Outcome.BROKEN or (finding.outcome is Outcome.WORKED and column != NAIVE)
    ]
    return "\n".join([*lines, "", *worth]) + "\n"
