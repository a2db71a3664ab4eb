"""Sources made to harm whoever reads them: each is read in a second and little memory, or refused in a line."""

import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from random import Random

import pytest
import tiny

from evolve import normal
from evolve.archives.islands import Islands
from evolve.proposers import Proposer
from evolve.proposers.answers import edited, written
from evolve.proposers.crossover import Crossover
from evolve.proposers.layout import Unusable
from evolve.proposers.mutate import LEAP, SIMPLIFY, Mutate
from evolve.proposers.tune import Tune
from evolve.search import Search
from evolve.text import unified
from evolve.types import Proposal

SECONDS, MIB = 3.0, 300
"""Of one step, in CPU; each takes two seconds and 150 MiB at most."""

DEF = "def guess(x):\n"
RETURN = f"{DEF}    return "
CHARACTERS = 60_000


def full(unit: str) -> str:
    """Returns as many repetitions as a policy can hold."""
    return unit * (CHARACTERS // len(unit))


def nested(before: str, after: str = "", inside: str = "x", depth: int = 0) -> str:
    depth = depth or CHARACTERS // (len(before) + len(after))
    return f"{RETURN}{before * depth}{inside}{after * depth}\n"


def finally_in_finally(depth: int, inside: str = "x = 1") -> str:
    lines = []
    for level in range(1, depth + 1):
        lines += [" " * level + "try:", " " * level + f" {inside}", " " * level + "finally:"]
    return DEF + "\n".join([*lines, " " * (depth + 1) + "x = 2", " return 1", ""])


def try_in_finally(depth: int) -> str:
    lines = [
        f"{' ' * (2 * i + 1)}try:\n{' ' * (2 * i + 2)}return 1\n{' ' * (2 * i + 1)}finally:\n" for i in range(depth)
    ]
    return DEF + "".join(lines) + " " * (2 * depth + 1) + "x = 1\n"


HOSTILE = {
    "parentheses": nested("(", ")"),
    "parentheses that are allowed": nested("(", ")", depth=190),
    "lists": nested("[", "]"),
    "dicts": nested("{1:", "}"),
    "unary operators": nested("-"),
    "not not not": nested("not "),
    "lambdas": nested("lambda: ", depth=900),
    "powers": RETURN + full("x**") + "x\n",
    "attributes": RETURN + "x" + full(".a") + "\n",
    "calls": RETURN + "x" + full("()") + "\n",
    "a long sum": RETURN + full("x+") + "x\n",
    "comparisons": RETURN + full("x<") + "x\n",
    "f-strings": nested("f'{", "}'", depth=120),
    "an f-string of many parts": RETURN + "f'" + full("{x}") + "'\n",
    "a huge integer": RETURN + full("9") + "\n",
    "a huge hexadecimal integer": RETURN + "0x" + full("f") + "\n",
    "a text that a billion characters are made of": RETURN + "'a' * 10**9\n",
    "a power tower": RETURN + "9**9**9\n",
    "a tuple of a hundred million": RETURN + "(1,) * 10**8\n",
    "tuples of tuples": RETURN + "((((0,) * 256,) * 256,) * 256,) * 256\n",
    "a wide format": RETURN + "'%999999999d' % 1\n",
    "constants to fold": DEF + full("    a = ('a' * 4096)\n") + "    return 1\n",
    "finally in finally": finally_in_finally(90),
    "finally in finally that compiles": finally_in_finally(19),
    "return in try in finally": try_in_finally(17),
    "a long line": RETURN + full("x + ") + "x\n",
    "a line of a million": f"{RETURN}'{'a' * 10**6}'\n",
    "null bytes": RETURN + "1\0\n",
    "surrogates": RETURN + "'\ud800'\n",
    "a byte order mark": "\ufeff" + tiny.REFERENCE,
    "form feeds": "\f" + full("\f\n") + tiny.REFERENCE,
    "decorators": full("@x\n") + RETURN + "1\n",
    "cases": DEF + "    match x:\n" + full("        case 1: pass\n") + "    return 1\n",
    "cases in cases": DEF + "    match x:\n        case " + "[" * 95 + "y" + "]" * 95 + ": return 1\n",
    "alternatives": DEF + "    match x:\n        case " + full("1|") + "2: return 1\n",
    "functions": "".join(f"def f{i}(): pass\n" for i in range(3300)) + tiny.REFERENCE,
    "functions in functions": "".join(" " * i + DEF for i in range(95)) + " " * 96 + "return 1\n",
    "names": DEF + "".join(f"    v{i} = x\n" for i in range(4500)) + "    return 1\n",
    "constants": RETURN + "[" + ", ".join(map(str, range(9000))) + "]\n",
    "branches": DEF + "    if x: pass\n" + full("    elif x: pass\n") + "    return 1\n",
    "comprehensions": nested("[x for x in ", "]", depth=90),
    "a dotted import": "import " + full("a.") + "b\n" + tiny.REFERENCE,
    "a dotted import over many lines": "import " + full("a\\\n.") + "b\n" + tiny.REFERENCE,
    "a relative import": "from " + full(".") + " import a\n" + tiny.REFERENCE,
    "blanks": DEF + full("\t") + "return 1\n",
    "a foreign encoding": "# coding: utf-16\n" + tiny.REFERENCE,
    "colliding keys": RETURN + "{" + ",".join(str(i * (2**61 - 1)) for i in range(1, 2500)) + "}\n",
    "semicolons": DEF + "    " + full("x;") + "return 1\n",
}


def parts(source: str):
    """Yields each way in which the parent reads what a model wrote; the first three see it before it is judged."""
    answer = f"RATIONALE: better\n\n```python\n{source}```\n"
    whole = f"<<<<<<< SEARCH\n{tiny.REFERENCE}=======\n{source}>>>>>>> REPLACE\n"
    archive = Islands()
    for candidate in (hostile := tiny.judged(0, 1.1, source), tiny.judged(1, 1.0)):
        archive.add(candidate)
    yield lambda: written(answer, tiny.REFERENCE, ("guess",))
    yield lambda: edited(whole, tiny.REFERENCE, ("guess",))
    yield lambda: Search([], [], Islands(), 0).admit(1, Proposal(source, "llm", model="m"))
    yield lambda: Search([], [], Islands(), 0).tell(hostile)
    for proposer in (Mutate(), Mutate(SIMPLIFY), Mutate(LEAP), Crossover()):
        yield from (partial(bred, proposer, archive, source, seed) for seed in range(2))
    yield lambda: Tune().tell(hostile)
    yield lambda: [tiny.asked(Tune(), archive, Random(seed)) for seed in range(2)]
    yield lambda: unified(tiny.REFERENCE, source, "#0", "#1")


def bred(proposer: Proposer, archive: Islands, source: str, seed: int) -> None:
    proposer.tell(tiny.judged(0, 1.0, source, proposer="baseline"))
    tiny.asked(proposer, archive, Random(seed), idle=LEAP.patience)


def read_all(source: str) -> None:
    """Reads a source in every way; what is refused is refused in a line."""
    for number, part in enumerate(parts(source)):
        start = time.process_time()
        try:
            part()
        except Unusable as reason:
            assert number < 2
            assert str(reason).isprintable()
        seconds = time.process_time() - start
        assert seconds < SECONDS, f"way {number} took {seconds:.1f} s"


SLOW = ("semicolons", "an f-string of many parts", "comparisons", "alternatives", "decorators", "names", "functions")
"""What takes seconds to read; the others are of every kind as well."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak) if name in SLOW else name for name in HOSTILE]
)
def test_a_source_that_is_made_to_harm_its_reader_does_not(name):
    done = subprocess.run(
        [sys.executable, __file__, name],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < MIB


def test_a_source_that_only_looks_like_an_endless_import_is_read():
    table = "TABLE = '''\n" + "0.1 0.2 0.3\n" * 500 + "'''\n"
    prose = "'''" + "One sentence. Another one. " * 200 + "'''\n"
    comments = "# imported from " + "0.1 0.2 " * 300 + "\n"
    for text in (table, prose, comments, "import " + ".".join("a" * 90) + "\n"):
        normal.parse(text + tiny.REFERENCE)
    for begun in ("import ", "import os, ", "x = 1; from ", "if x: import "):
        with pytest.raises(normal.SourceError, match="a name of more than 100 parts"):
            normal.parse(f"{begun}{'.'.join('a' * 102)} import x\n")


def test_two_sources_made_to_be_hard_to_compare_are_shown_one_after_the_other():
    one = "".join(f"k{i % 100}\na{i}\n" for i in range(5000))
    other = "".join(f"k{i % 101}\nb{i}\n" for i in range(5000))
    start = time.process_time()
    lines = unified(one, other, "#0", "#1")
    assert time.process_time() - start < SECONDS
    assert lines[:4] == ["--- #0", "+++ #1", "@@ -1,10000 +1,10000 @@", "-k0"]
    assert len(lines) == 20_003
    assert unified(one, one, "#0", "#1") == []


if __name__ == "__main__":
    signal.alarm(100)
    import optuna  # noqa: F401 - large, and no fault of a source

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_all(HOSTILE[sys.argv[1]])
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
