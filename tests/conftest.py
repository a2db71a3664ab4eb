"""What many tests share."""

from collections.abc import Iterator

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
    """Keeps the notes of runs that tests begin out of the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
