"""The closure of imports: all files of a package that the code of some files can reach.  Nothing is imported for it."""

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path


def closure(files: Iterable[Path], root: Path, packages: Iterable[str]) -> set[Path]:
    """Returns the files and whatever they import of ``packages`` in the folder ``root``, directly or not.

    Of a folder inside a package all files count once one is imported, for they may start each other as processes.
    """
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            for name in _imported(file):
                if name.split(".")[0] in packages:
                    waiting += _files(root, name.split("."))
    return found


def foreign(files: Iterable[Path], known: Collection[str]) -> set[str]:
    """Returns the packages that some files import, but for Python's own and those that are ``known``."""
    named = {name.split(".")[0] for file in files for name in _imported(file)}
    return named - sys.stdlib_module_names - set(known)


def _imported(file: Path) -> Iterator[str]:
    """Yields the full names of what a file imports; of ``from a import b`` also ``a.b``, which may be a module."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return  # whoever runs it will hear of it
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(root: Path, pieces: list[str]) -> list[Path]:
    """Returns the file of a module, or all files of the folder that it lies in where that is inside a package."""
    package = root / pieces[0]
    folder = package.joinpath(*pieces[1:2])
    if len(pieces) > 1 and folder.is_dir():
        return sorted(folder.glob("**/*.py"))
    return [file for file in (folder.with_suffix(".py"), package / "__init__.py") if file.is_file()]
