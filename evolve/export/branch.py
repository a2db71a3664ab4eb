"""A new branch with one file in a repository of the user, of which nothing else is touched.

It is made with git's plumbing and an index of its own, so that working tree, index, HEAD and every other branch stay
as they are, whatever state they are in.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from evolve.export import gitdir
from evolve.export.gitdir import GitDir
from evolve.export.reviewable import insist_on_readable
from evolve.repository import GitError, Repository
from evolve.text import brief
from evolve.types import EvolveError

IDENTITY = ("evolve", "evolve@localhost")
"""Who commits where the user has not told git a name."""

_PLAIN, _RUNNABLE = "100644", "100755"
_KINDS = {"040000": "a folder", "120000": "a symbolic link", "160000": "a submodule"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file goes: a free branch and a path in it.

    ``root`` is the top folder of the repository, or the repository itself where that is bare; ``head`` the commit
    that the branch starts at, None where there is none yet.
    """

    repository: Repository
    root: str
    head: str | None
    branch: str
    path: str
    mode: str
    bare: bool
    detached: bool
    shallow: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A commit on a new branch; ``parent`` is None where it is the first one.

    ``named`` says that its ``author`` is the user, and not a stand-in; ``subject`` is the first line of its message.
    """

    repository: str
    branch: str
    subject: str
    commit: str
    path: str
    parent: str | None
    author: str
    named: bool
    bare: bool
    detached: bool
    shallow: bool


def place(to: Path, path: str, branch: str) -> Place:
    """Returns where in a repository a file can go; ``to`` is the repository or a folder in it.

    Raises:
        EvolveError: it is no repository, the path or the branch cannot be, or is something else already.
    """
    _insist_on_path(path)
    repository, root = _opened(to)
    bare = repository.git("rev-parse", "--is-bare-repository") == "true"
    _insist_on_branch(repository, root, branch)
    head = repository.asked("rev-parse", "--verify", "--quiet", "HEAD")
    mode = _PLAIN if head is None else _mode(repository, root, head, path)
    detached = repository.asked("symbolic-ref", "--quiet", "HEAD") is None
    shallow = repository.git("rev-parse", "--is-shallow-repository") == "true"
    return Place(repository, root, head, branch, path, mode, bare, detached, shallow)


def commit(at: Place, text: str, message: str) -> Made:
    """Makes the branch, with the text as a file there.

    Raises:
        EvolveError: git cannot write in the repository, or the branch has come to be meanwhile.
    """
    insist_on_readable(text)
    data = text.encode("utf-8")
    try:
        blob = at.repository.git("hash-object", "-w", "--stdin", given=data)
        tree = _tree(at, blob)
        made, named = _commit(at, tree, message)
        at.repository.git("update-ref", "--no-deref", "-m", "evolve export", f"refs/heads/{at.branch}", made, "")
    except GitError as error:
        raise GitError(f"cannot make the branch {at.branch} in {at.root}: {error}") from error
    author = at.repository.git("show", "--no-patch", "--no-show-signature", "--format=%an <%ae>", made)
    subject = message.partition("\n")[0]
    return Made(at.root, at.branch, subject, made, at.path, at.head, author, named, at.bare, at.detached, at.shallow)


def _opened(to: Path) -> tuple[Repository, str]:
    """Returns the repository that a folder belongs to, and where it lies.

    git is asked once which one it takes, for it knows whom that belongs to; from then on it is told.
    """
    if not to.is_dir():
        what = "is a file" if to.exists() else "is not there"
        raise EvolveError(f"--to {to}: expected a folder with a git repository, and it {what}")
    near, seen = Repository.of_user(to), gitdir.found(to)
    try:
        folder = near.git("rev-parse", "--absolute-git-dir")
    except GitError as error:
        raise EvolveError(_unopened(to, error)) from error
    if seen is None or Path(folder).resolve() != seen.path:
        where = "none" if seen is None else seen.path
        raise EvolveError(f"git takes {folder} for the repository of {to}, where {where} was seen; name it with --to")
    return near.pinned(folder), _shown(near.asked("rev-parse", "--show-toplevel"), seen)


def _shown(top: str | None, seen: GitDir) -> str:
    """Returns the folder by which a user names the repository: the top, unless git finds another one from there."""
    back = gitdir.found(Path(top)) if top else None
    return top if top and back is not None and back.path == seen.path else str(seen.path)


def _unopened(to: Path, error: GitError) -> str:
    said = str(error)
    if "dubious ownership" in said:
        return f"git does not open {to}, which belongs to another user; if you trust it, do as git says ({said})"
    if "not a git repository" in said:
        return f"{to} is no git repository, and lies in none; `git init` makes one, or give another with --to"
    return f"git does not open {to} ({said})"


def _insist_on_path(path: str) -> None:
    """Refuses a path that would lie outside of the repository, or in git's own folder, or that nobody could read."""
    parts = path.split("/")
    if not path or not path.isprintable() or "\\" in path:
        raise EvolveError(f"--path: expected a file's path in the repository, such as policies/spot.py, got {path!r}")
    if path.startswith("/") or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise EvolveError(
            f"--path {brief(path, 200)!r}: expected a path below the top of the repository, such as policies/spot.py, "
            "without `..`, `.git` or an empty part"
        )


def _insist_on_branch(repository: Repository, root: str, branch: str) -> None:
    shown = brief(branch, 100)
    odd = branch.startswith(("-", "refs/")) or branch in ("HEAD", "@") or not branch.isprintable()
    if odd or repository.asked("check-ref-format", f"refs/heads/{branch}") is None:
        raise EvolveError(f"git takes no branch of the name {shown!r}; give another with --branch")
    if repository.asked("show-ref", "--verify", "--quiet", f"refs/heads/{branch}") is not None:
        raise EvolveError(f"{root} has a branch {shown} already, which is left alone; give another name with --branch")
    if repository.asked("symbolic-ref", "--quiet", f"refs/heads/{branch}") is not None:
        raise EvolveError(f"{root} has a branch {shown} that stands for another one; give another name with --branch")
    if f"branch refs/heads/{branch}" in repository.git("worktree", "list", "--porcelain").split("\n"):
        raise EvolveError(f"{root} has {shown} checked out, without a commit yet; give another name with --branch")
    for above in _above(branch):
        if repository.asked("show-ref", "--verify", "--quiet", f"refs/heads/{above}") is not None:
            raise EvolveError(
                f"{root} has a branch {above}, and git keeps none below it; give another name with --branch"
            )


def _mode(repository: Repository, root: str, head: str, path: str) -> str:
    """Returns the mode of the file that is there, or of a plain one."""
    for part in [*_above(path), path]:
        mode = repository.git("ls-tree", "-z", "--full-tree", head, "--", part).partition(" ")[0]
        if not mode:
            return _PLAIN
        if part == path and mode in (_PLAIN, _RUNNABLE):
            return mode
        if part == path or mode != "040000":
            what = _KINDS.get(mode, "a file")
            raise EvolveError(f"{brief(part, 200)} is {what} in {root}; give another file with --path")
    return _PLAIN


def _above(path: str) -> list[str]:
    """Returns the folders that a path leads through, the first one first."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _tree(at: Place, blob: str) -> str:
    """Writes what the branch's commit holds: all that HEAD's does, and the file."""
    with tempfile.TemporaryDirectory(prefix="evolve-") as apart:
        alone = ("core.splitIndex=false", "core.fsmonitor=false")  # which would leave something in the repository
        repository = at.repository.having(*alone, GIT_INDEX_FILE=str(Path(apart, "index")))
        repository.git("read-tree", *(["--empty"] if at.head is None else [at.head]))
        repository.git("update-index", "--add", "--cacheinfo", f"{at.mode},{blob},{at.path}")
        return repository.git("write-tree", "--missing-ok")  # a partial clone need not fetch the rest


def _commit(at: Place, tree: str, message: str) -> tuple[str, bool]:
    """Writes the commit; returns it, and whether its author is one that the user has told git."""
    parents = [] if at.head is None else ["-p", at.head]
    sign = ["-S"] if at.repository.asked("config", "--type=bool", "commit.gpgSign") == "true" else []
    author, committer = _stand_in(at.repository, "AUTHOR"), _stand_in(at.repository, "COMMITTER")
    repository = at.repository.having("i18n.commitEncoding=UTF-8", **author, **committer)
    words = ("commit-tree", *sign, *parents, "-F", "-", tree)
    return repository.git(*words, given=message.encode("utf-8", "replace")), not author


def _stand_in(repository: Repository, role: str) -> dict[str, str]:
    """Returns variables that give a name to an author or committer whom the user has not told git."""
    if repository.having("user.useConfigOnly=true").asked("var", f"GIT_{role}_IDENT") is not None:
        return {}
    name, email = IDENTITY
    return {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": email}
