"""Commands that end in git: ``lineage`` and ``export``."""

import argparse
import shlex
from typing import TYPE_CHECKING

from evolve import commands
from evolve.text import brief, counted

if TYPE_CHECKING:
    from evolve.export.branch import Made
    from evolve.lineage import Lineage


def lineage(options: argparse.Namespace) -> int:
    from evolve import lineage
    from evolve.report import runs

    with runs.opened(options.run) as (folder, journal):
        made = lineage.write(folder, journal, options.to)
    commands.show(options, made, lambda: _describe_lineage(made))
    return 0


def export(options: argparse.Namespace) -> int:
    from evolve.export import export
    from evolve.report import runs

    with runs.opened(options.run) as (folder, journal):
        where = {"path": options.path, "on": options.branch}
        made = export(folder, journal, options.to, options.id, minimised=options.minimised, **where)
    commands.show(options, made, lambda: _describe_export(made))
    return 0


def _describe_lineage(made: "Lineage") -> str:
    git = f"git -C {shlex.quote(made.path)}"
    merges = f", {counted(made.merges, 'merge')}" if made.merges else ""
    lines = [
        f"lineage   {made.path}: {counted(made.candidates, 'candidate')}, a commit each{merges}; best is #{made.best}"
    ]
    if made.unjudged:
        lines.append(
            f"          {counted(made.unjudged, 'proposal')} not judged yet, and not in it: does the run go on?"
        )
    return "\n".join(
        [
            *lines,
            f"branches  {brief(', '.join(made.branches), 1000)}; tags such as c{made.best} for every candidate",
            f"try       {git} log --graph --oneline best",
            f"          {git} diff {made.reference} best",
            f"          {git} blame best -- policy.py",
        ]
    )


def _describe_export(made: "Made") -> str:
    git, branch = f"git -C {shlex.quote(made.repository)}", shlex.quote(made.branch)
    start = "the first commit there" if made.parent is None else f"starts at {made.parent[:12]}"
    notes = [
        note
        for holds, note in (
            (made.parent is None, "the repository has no commit yet, so that the branch begins with this one"),
            (made.detached, "HEAD is detached: the branch starts at that commit"),
            (made.shallow, "the repository is shallow: the branch starts at its newest commit"),
            (not made.named, f"git knows no name of yours here: the commit is by {made.author}"),
        )
        if holds
    ]
    after = f"git clone --branch {branch} {shlex.quote(made.repository)}" if made.bare else f"{git} merge {branch}"
    return "\n".join(
        [
            f"exported  {made.path} on the branch {made.branch} of {made.repository}",
            f"says      {brief(made.subject, 300)}",
            f"commit    {made.commit} ({start}); nothing else there was touched",
            *(f"note      {note}" for note in notes),
            f"next      {git} show {branch}",
            f"          {after}",
        ]
    )
