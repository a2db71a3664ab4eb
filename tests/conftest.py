"""What many tests share."""

from collections.abc import Iterator

import pytest

from evolve.sandbox import Sandbox, seccomp


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests; what one child does must not matter to the next."""
    if not seccomp.supported():
        pytest.skip("the sandbox needs Linux on x86-64")
    with Sandbox() as shared:
        yield shared
