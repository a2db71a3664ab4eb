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
