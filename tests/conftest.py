"""What many tests share."""

import fcntl
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from evolve.sandbox import Sandbox, SandboxError


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests; what one child does must not matter to the next."""
    try:
        shared = Sandbox()
    except SandboxError as error:
        pytest.skip(str(error))
    with shared:
        yield shared


@pytest.fixture(scope="session", autouse=True)
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the notes of runs that tests begin, and what is remembered of problems, out of the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@contextmanager
def _locked(file: Path, how: int) -> Iterator[None]:
    with file.open() as handle:
        fcntl.flock(handle, how)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)  # closing it is not enough: processes forked by a test have it, too


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lets no test of another process run beside one that is marked `alone`.

    All pass a turnstile before they come in; who wants to be alone waits in it, so that nobody overtakes.
    """
    alone = item.get_closest_marker("alone") is not None
    turnstile, room = Path(__file__), Path(__file__).with_name("tiny.py")  # any two files that are there
    with ExitStack() as inside:
        with _locked(turnstile, fcntl.LOCK_EX):
            inside.enter_context(_locked(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        return (yield)
