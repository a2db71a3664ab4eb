"""What ``git fast-import`` reads (git-scm.com/docs/git-fast-import): commits of one file, and branches."""

from collections.abc import Sequence
from typing import BinaryIO

COMMITTER = "evolve <evolve@localhost>"


class Stream:
    """Commits on their way to a repository; marks, which are above zero, stand for them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._line("feature done")  # without its end git takes nothing

    def commit(
        self, tag: str, mark: int, parents: Sequence[int], *, by: str, at: str, message: str, name: str, text: str
    ) -> None:
        """Adds a commit with a tag; ``parents`` are marks, ``at`` seconds since 1970 and a time zone.

        The commit holds a file of this name and text, and nothing else.
        """
        self._line(f"commit refs/tags/{tag}")
        self._line(f"mark :{mark}")
        self._line(f"author {by} {at}")
        self._line(f"committer {COMMITTER} {at}")
        self._data(message)
        for index, parent in enumerate(parents):
            self._line(f"{'merge' if index else 'from'} :{parent}")
        self._line(f"M 100644 inline {name}")
        self._data(text)

    def branch(self, name: str, mark: int) -> None:
        """Has a branch point to a commit."""
        self._line(f"reset refs/heads/{name}")
        self._line(f"from :{mark}")

    def end(self) -> None:
        """Says that this is all."""
        self._line("done")

    def _data(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        self._line(f"data {len(data)}")
        self._file.write(data + b"\n")

    def _line(self, line: str) -> None:
        self._file.write(line.encode("utf-8", "replace") + b"\n")
