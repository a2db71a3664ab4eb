"""git, the program, in a repository that we have just made or in one of the user's."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from evolve.text import brief
from evolve.types import EvolveError

_OF_A_REPOSITORY = (
    "ALTERNATE_OBJECT_DIRECTORIES COMMON_DIR CONFIG CONFIG_COUNT CONFIG_PARAMETERS DIR GRAFT_FILE IMPLICIT_WORK_TREE "
    "INDEX_FILE INTERNAL_SUPER_PREFIX NAMESPACE NO_REPLACE_OBJECTS OBJECT_DIRECTORY PREFIX QUARANTINE_PATH "
    "REPLACE_REF_BASE SHALLOW_FILE WORK_TREE "
    "GLOB_PATHSPECS ICASE_PATHSPECS LITERAL_PATHSPECS NOGLOB_PATHSPECS"
)
"""Variables of git that speak of one repository (``git rev-parse --local-env-vars``): a hook that calls us has them.

And those that say how paths are to be read, which is ours to say."""

_NO_FETCHING = ("-c", "protocol.allow=never")


class GitError(EvolveError):
    """git is missing, or would not do what it was asked to."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of git; ``place`` are git's options that say where it lies."""

    place: tuple[str, ...]
    environment: Mapping[str, str]

    @classmethod
    def made(cls, path: Path) -> Self:
        """Makes a repository in a new folder.

        Nothing but git itself counts in it: no configuration, template or hook of the user or of the machine, and no
        variable of git's in our environment.

        Raises:
            GitError: it cannot be made.
        """
        nowhere = {"HOME": os.devnull, "XDG_CONFIG_HOME": os.devnull}
        ours = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C", **nowhere}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | ours
        cls(("-c", "init.defaultBranch=main"), environment).git("init", "--quiet", "--template=", "--", str(path))
        quiet = ("-c", "core.logAllRefUpdates=false")  # a log of refs would name this machine
        return cls((f"--git-dir={path / '.git'}", f"--work-tree={path}", *quiet), environment)

    @classmethod
    def of_user(cls, path: Path) -> Self:
        """Returns the repository that a folder of the user belongs to, whatever it is configured to.

        Nothing is fetched for it, for which a remote could name a program.
        """
        of_another = {f"GIT_{name}" for name in _OF_A_REPOSITORY.split()}
        environment = {name: value for name, value in os.environ.items() if name not in of_another}
        quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
        return cls((*_NO_FETCHING, "--literal-pathspecs", "-C", str(path)), environment | quiet)

    def pinned(self, folder: str) -> "Repository":
        """Returns the same, whose own folder this is: git does not look for it any more."""
        return Repository((*self.place, f"--git-dir={folder}"), self.environment)

    def having(self, *settings: str, **variables: str) -> "Repository":
        """Returns the same repository, for calls of git with more settings and more in their environment."""
        more = [word for setting in settings for word in ("-c", setting)]
        return Repository((*self.place, *more), {**self.environment, **variables})

    def git(self, *words: str, given: bytes | BinaryIO = b"") -> str:
        """Has git do something and returns what it prints, without the last line's end.

        Raises:
            GitError: it failed; the message is git's.
        """
        done = self._done(words, given)
        if done.returncode:
            raise GitError(f"git {words[0]}: {self._reason(done)}")
        return os.fsdecode(done.stdout).removesuffix("\n")

    def asked(self, *words: str) -> str | None:
        """Asks git something and returns the answer, or None where it says no by its status."""
        done = self._done(words, b"")
        return None if done.returncode else os.fsdecode(done.stdout).removesuffix("\n")

    def _done(self, words: tuple[str, ...], given: bytes | BinaryIO) -> subprocess.CompletedProcess[bytes]:
        command = ["git", *self.place, *words]
        data, file = (given, None) if isinstance(given, bytes) else (None, given)
        try:
            return subprocess.run(
                command, env=self.environment, input=data, stdin=file, capture_output=True, check=False
            )
        except FileNotFoundError:
            raise GitError("git was not found; install it (on Debian: apt install git) and call again") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in a name
            raise GitError(f"git cannot be called: {brief(str(error), 200)}") from error

    @staticmethod
    def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
        said = brief(os.fsdecode(done.stderr), 600)
        return said or f"it ended with status {done.returncode} and said nothing"
