"""A problem under audit in the sandbox that all tests share."""

from collections.abc import Callable
from random import Random

import pytest
from conformance import problems

from evolve import catalog
from evolve.cases import split_cases
from evolve.conformance.subject import Subject


@pytest.fixture
def subject(tmp_path, sandbox) -> Callable[..., Subject]:
    """Makes the subject of a problem's text with changes to it."""

    def make(source, *changes, seeds=()):
        path = problems.write(tmp_path, source, *changes, seeds=seeds)
        problem = catalog.load(str(path.parent))
        ticks = iter(range(10**9))
        return Subject(problem, split_cases(problem, "train"), sandbox, Random(0), lambda: 0.001 * next(ticks))

    return make
