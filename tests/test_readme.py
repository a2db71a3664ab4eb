"""What the README shows is run as it stands there."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import big_run
import pytest

from evolve import scaffold

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
OWN = README.partition("## Your own problem")[2].partition("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the project's wheel is unpacked to."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = (folder / "dist").glob("*.whl")
    zipfile.ZipFile(built).extractall(folder / "site")  # what an installer does with a wheel of pure Python
    return folder / "site"


def with_wheel(site: Path) -> dict[str, str]:
    """An environment in which the unpacked wheel comes before everything else that is installed."""
    return {**os.environ, "PYTHONPATH": str(site)}


def installed(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evolve", *arguments],
        cwd=folder,
        env=with_wheel(site),
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_the_problem_in_the_readme_has_at_most_25_lines_of_code_and_is_what_evolve_new_writes(tmp_path):
    (block,) = blocks(OWN, "python")
    assert sum(1 for line in block.splitlines() if line.strip()) <= 25
    assert scaffold.write("cache_eviction", tmp_path).read_text(encoding="utf-8") == block


def test_the_lines_of_python_in_the_readme_read_a_run(tmp_path):
    big_run.write(tmp_path / "runs" / "demo", 200, seed=3)
    (block,) = blocks(README.partition("## From a discovery")[2].partition("\n## ")[0], "python")
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("<Run of big in runs/demo: 200 candidates, best #")
    assert "\n@@ " in done.stdout


def test_the_problem_in_the_readme_runs_from_an_installed_wheel_with_the_commands_shown(wheel, tmp_path):
    (block,) = blocks(OWN, "python")
    (tmp_path / "cache_eviction.py").write_text(block, encoding="utf-8")
    (commands,) = blocks(OWN, "sh")
    where = "import evolve, evaluators; print(evolve.__file__, evaluators.__file__)"
    said = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=with_wheel(wheel), capture_output=True, text=True, check=True
    ).stdout.split()
    assert all(Path(file).is_relative_to(wheel) for file in said)  # and not the checkout that the tests run in
    outputs = []
    for line in commands.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "evolve"
        done = installed(wheel, tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert re.search(r"^reference +OK +1\.000", outputs[1], re.MULTILINE)
    assert "best found" in outputs[-1]


def test_the_wheel_brings_the_problems_and_their_baselines(wheel, tmp_path):
    done = installed(wheel, tmp_path, "score", "spot", "--cases", "quick")
    assert done.returncode == 0, done.stderr
    assert "uniform_progress_no_hysteresis" in done.stdout


def test_every_command_in_the_readme_exists():
    known = subprocess.run(
        [sys.executable, "-m", "evolve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in set(re.findall(r"\bevolve ([a-z]+)\b", "\n".join(blocks(README, "sh")))):
        assert re.search(rf"^    {command} ", known, re.MULTILINE), command


def test_every_link_in_the_readme_leads_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
