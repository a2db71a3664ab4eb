"""Imports point one way, so that each part can be read, tested and replaced on its own."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("evolve", "evaluators", "seeds", "workloads", "results")

LEVELS = (
    {"types", "objective", "split"},
    {"problem", "source", "normal", "statistics", "text", "models", "patience", "closure", "fingerprint"},
    {"journal", "begun", "remembered", "strict"},
    {"proposers", "bandit", "archives", "sandbox", "folder", "budget", "cases", "catalog"},
    {"racing"},
    {"search", "judge", "executors"},
    {"turns", "listener"},
    {"loop"},
)
"""Each part of the engine imports from its own level and those before it; all others stand above."""


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """Yields the full name of everything of ours that a file imports, wherever it does so."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    checked = [
        node.body for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    only_types = {id(inner) for body in checked for statement in body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in OURS)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written in full"
            if node.module and node.module.split(".")[0] in OURS:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """Returns the part of the engine that a full name belongs to; empty for what ``evolve`` itself offers."""
    pieces = name.split(".")
    known = {path.stem for path in (ROOT / "evolve").iterdir()}
    return pieces[1] if len(pieces) > 1 and pieces[1] in known else ""


def level(name: str) -> int:
    return next((number for number, parts in enumerate(LEVELS) if name in parts), len(LEVELS))


def engine() -> Iterator[tuple[Path, str, str]]:
    """Yields each import of one part of the engine by another."""
    for file in files("evolve"):
        own = file.relative_to(ROOT / "evolve").with_suffix("").parts[0]
        for name in imported(file):
            if name.startswith("evolve.") and part(name) not in ("", own) and own != "__init__":
                yield file, own, part(name)


def test_every_part_on_a_level_exists():
    known = {path.stem for path in (ROOT / "evolve").iterdir()}
    assert set().union(*LEVELS) <= known


def test_no_part_of_the_engine_imports_from_above():
    wrong = [f"{file}: {own} imports {other}" for file, own, other in engine() if level(other) > level(own)]
    assert wrong == []


def test_no_parts_of_the_engine_import_each_other_in_a_circle():
    graph: dict[str, set[str]] = {}
    for _, own, other in engine():
        graph.setdefault(own, set()).add(other)
    TopologicalSorter(graph).prepare()


def test_the_engine_imports_no_problem_seed_workload_or_result():
    wrong = [f"{file}: {name}" for file in files("evolve") for name in imported(file) if not name.startswith("evolve")]
    assert wrong == []


def test_problems_import_the_problem_interface_and_workloads_only():
    allowed = ("evolve.problem.", "evolve.objective.", "evolve.types.", "workloads.", "evaluators.")
    offered = {f"evolve.{name}" for name in ("Call", "InvalidDecision", "Limits", "Problem", "Split", "Unready")}
    for file in files("evaluators"):
        for name in imported(file):
            assert name.startswith(allowed) or name in {*offered, "workloads"}, f"{file} imports {name}"


def test_workloads_import_nothing_of_ours_but_each_other():
    for file in files("workloads"):
        assert [name for name in imported(file) if not name.startswith("workloads.")] == [], file


@pytest.mark.parametrize("folder", ["seeds", "results"])
def test_policies_import_nothing_of_ours(folder):
    for file in files(folder):
        assert list(imported(file)) == [], file


@pytest.mark.parametrize("module", ["evolve", "evolve.problem", "evolve.objective", "evolve.types"])
def test_the_problem_interface_is_light_to_import(module):
    script = f"import sys, {module}; print(sorted(sys.modules.keys() & {{'numpy', 'optuna', 'msgpack', 'sqlite3'}}))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
