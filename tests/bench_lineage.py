"""The lineage of a long run as a git repository, against a ``git commit`` for each candidate."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from evolve import lineage
from evolve.folder import RunFolder
from tests.bench_rows import Row
from tests.big_run import write


def lineage_time(candidates: int = 10_000, commits: int = 50) -> Row:
    """Candidates made into a repository, and as many commits of the same policies extrapolated from a few."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder, "run"))
        write(run.path, candidates, seed=0)
        with run.open(read_only=True) as journal:
            ours = _timed(lambda: lineage.write(run, journal))
            sources = [found.proposal.source for found, _, _ in islice(journal.told(), commits)]
        bare = _timed(lambda: _committed(Path(folder, "commits"), sources)) * candidates / commits
    return Row(
        f"{candidates:,} candidates as a git repository",
        f"{ours:.1f} s",
        f"a git commit each {bare:.0f} s",
        f"{bare / ours:.0f}",
        "20 s",
        ours <= 20,
    )


def _committed(path: Path, sources: list[str]) -> None:
    """Commits one policy after the other."""
    nobody = {f"GIT_{role}_{what}": "evolve" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **nobody}
    subprocess.run(["git", "init", "--quiet", "--template=", path], check=True, env=environment)
    for source in sources:
        (path / "policy.py").write_text(source)
        for words in (["add", "policy.py"], ["commit", "--quiet", "--allow-empty", "--message", "candidate"]):
            subprocess.run(["git", "-C", path, *words], check=True, env=environment)


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
