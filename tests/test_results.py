"""Every published result is sound and is judged again, each on a few quick cases; and so is one that is made here."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tiny

from evolve import catalog
from evolve.cli import main
from evolve.executors.local import LocalExecutor
from evolve.problem import Unready
from evolve.publication import provenance, rejudge, result, shelf
from evolve.report.result import score_table

ROOT = Path(__file__).parent.parent
PUBLISHED = sorted(file.parent for file in (ROOT / "results").glob("*/*/record.json"))


def insist_on_sound(path: Path, named: str | None = None) -> None:
    """Fails where a result is not what it says of itself."""
    published = result.read(path)
    problem = provenance.problem_of(published, named)
    readme = (path / result.README).read_text(encoding="utf-8")
    assert readme.startswith(f"# {problem.name}: {path.name}\n")
    assert score_table(published.result) in readme
    with LocalExecutor(problem, 1) as executor:
        assert rejudge.on_quick(published, problem, executor) == ""


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_published_result_is_sound_and_has_the_score_that_it_was_published_with(path):
    assert path.parent.name == result.record(path).problem
    try:
        insist_on_sound(path)
    except Unready as lack:
        pytest.skip(str(lack))


def test_results_lie_where_they_are_looked_for_and_nothing_else_does():
    assert shelf.home() == ROOT / "results"
    known = {path.name for path in (ROOT / "results").iterdir()} - {"README.md"}
    assert known <= set(catalog.names())
    inside = {path.parent for path in (ROOT / "results").glob("*/*/*")}
    assert inside == set(PUBLISHED)
    assert all({item.name for item in path.iterdir()} == set(result.FILES) for path in PUBLISHED)


@pytest.fixture
def made(tmp_path):
    """A result of a problem with quick cases."""
    quick = ("    def bound", "    def case_sets(self):\n        return {'quick': [3, 50, 90]}\n\n    def bound")
    problem = tiny.write(tmp_path, changes=[quick])
    run = ["run", str(problem), "--evaluations", "20", "--out", str(tmp_path / "run"), "--workers", "1"]
    assert main(run) == 0
    assert main(["publish", str(tmp_path / "run"), "--to", str(tmp_path / "results"), "--workers", "1"]) == 0
    return tmp_path / "results" / "tiny" / "seed-0"


def test_what_is_published_passes_and_what_is_altered_does_not(made, tmp_path):
    problem = str(tmp_path / "tiny.py")
    insist_on_sound(made, problem)
    (found,) = shelf.of("tiny", tmp_path / "results")
    assert (found.name, found.result) == ("seed-0", result.record(made))
    record = json.loads((made / "record.json").read_text())
    record["quick"]["score"] *= 1 + 1e-6
    (made / "record.json").write_text(json.dumps(record))
    with pytest.raises(AssertionError, match="its score on the quick cases is"):
        insist_on_sound(made, problem)
    (made / "policy.py").write_text(tiny.REFERENCE)
    with pytest.raises(result.ResultError, match="is not the policy that was published"):
        insist_on_sound(made, problem)
    assert shelf.of("tiny", tmp_path / "results") == []


def test_a_score_on_other_quick_cases_is_not_taken_for_the_one_that_was_published(made, tmp_path):
    for quick, said in (("[3, 50]", "its score on the quick"), (None, "has no cases quick any more")):
        change = ("    def bound", f"    def case_sets(self):\n        return {{'quick': {quick}}}\n\n    def bound")
        problem = catalog.load(str(tiny.write(tmp_path, changes=[change] if quick else [])))
        with LocalExecutor(problem, 1) as executor:
            assert said in rejudge.on_quick(result.read(made), problem, executor)


def test_the_wheel_brings_the_results(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(built).namelist())
    expected = {
        "results/README.md",
        *(f"{path.relative_to(ROOT)}/{name}" for path in PUBLISHED for name in result.FILES),
    }
    assert expected <= names
