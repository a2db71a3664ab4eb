"""Where the repository lies that a folder belongs to: found by looking, before git reads a line of its settings.

Settings of a repository can name programs that git then runs; so one that may have come from somebody else is to be
known before git is called in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evolve import plainfile


@dataclass(frozen=True, slots=True)
class GitDir:
    """A repository: ``path`` is git's own folder of it, ``common`` the one that all its working trees share.

    ``tops`` are the folders that its settings may count for: its working trees as far as their place is known without
    git, those of a repository that it is a submodule of, and its own folders.
    """

    path: Path
    common: Path
    tops: tuple[Path, ...]


def found(folder: Path) -> GitDir | None:
    """Returns the repository that a folder belongs to; None where there is none.

    Raises:
        EvolveError: a file says where it lies, and cannot be read.
    """
    near = folder.resolve()
    for top in (near, *near.parents):
        for path in _dirs(top):
            if _is_one(path):
                common = _named(path / "commondir", path, "") or path
                return GitDir(path, common, tuple(dict.fromkeys((top, path, common, *_above(path), *_above(common)))))
    return None


def _dirs(top: Path) -> Iterator[Path]:
    """Yields what may be git's folder of a working tree, or is one itself."""
    inner = top / ".git"
    yield (_named(inner, top, "gitdir: ") if inner.is_file() else inner.resolve()) or inner
    yield top


def _is_one(path: Path) -> bool:
    """Says whether git takes a folder for a repository's."""
    shared = (path / "commondir").exists()
    whole = (path / "objects").is_dir() and (path / "refs").is_dir()
    return (path / "HEAD").is_file() and (shared or whole)


def _named(file: Path, beside: Path, key: str) -> Path | None:
    """Returns the folder that a file names, relative to another; None where it names none."""
    if not file.is_file():
        return None
    text = plainfile.read(file.resolve(), 1, "file of git's")
    return (beside / text.removeprefix(key).rstrip("\r\n")).resolve() if text.startswith(key) else None


def _above(path: Path) -> list[Path]:
    """Returns the working trees that a folder of git's lies in: of a submodule all of them."""
    return [above.parent for above in (path, *path.parents) if above.name == ".git"]
