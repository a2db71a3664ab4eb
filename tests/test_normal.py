"""The normal form: what makes two policies the same, and what any text does to it."""

import time

import pytest

from evolve import normal

POLICY = '''"""A policy."""

MARGIN = 2


def pace(time, deadline):
    """The line."""
    return time / deadline  # a share


def choose(observation, history=None):
    now = observation["time"]
    late = [x for x in (1, 2) if x > now]
    if now > MARGIN and late:
        return pace(now, 3.5)
    return 0
'''


def same(one, other):
    return normal.key(one) == normal.key(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    return 0\n", "\n    # nothing else helps\n    return (0)\n"),
        ('"""The line."""', '"""Another docstring."""'),
        ('    """The line."""\n', ""),
        ("observation", "what_is_seen"),
        ("now", "t"),
        ("late", "é"),
        ("x for x in (1, 2) if x > now", "y for y in (1, 2) if y > now"),
        ("    return 0\n", "    pass\n    return 0\n"),
        ('"time"', "'time'"),
        ("(time, deadline):", "(a, b):\n    time, deadline = 0, 0"),
    ],
)
def test_looks_and_names_of_locals_make_no_difference(old, new):
    changed = POLICY.replace(old, new)
    if new.startswith("(a, b)"):
        changed = POLICY.replace("pace(time, deadline)", "pace(a, b)").replace("time / deadline", "a / b")
    assert changed != POLICY
    assert same(POLICY, changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return 0", "return 1"),
        ("return 0", "return 0.0"),
        ("return 0", "return False"),
        ("return 0", 'return "0"'),
        ("3.5", "-3.5"),
        (">", ">="),
        ('"time"', '"deadline"'),
        ("MARGIN and", "MARGIN or"),
        ("MARGIN", "LIMIT"),
        ("pace", "speed"),
        ("time / deadline", "deadline / time"),
        ("history=None", "history=0"),
        ("x > now", "x > x"),
    ],
)
def test_everything_else_makes_a_difference(old, new):
    changed = POLICY.replace(old, new)
    assert changed != POLICY
    assert not same(POLICY, changed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a):\n return a.x", "def f(a):\n return a.y"),
        ("import math\ndef f(a):\n return math.e", "import cmath\ndef f(a):\n return cmath.e"),
        ("def f(a): return a\ndef g(): return f(a=1)", "def f(b): return b\ndef g(): return f(a=1)"),
        ("def f():\n global a\n a = 1", "def f():\n global b\n b = 1"),
        ("def f(max): return 1\ndef g(): return max(1, 2)", "def f(min): return 1\ndef g(): return min(1, 2)"),
        ("class P:\n def f(self): self.a = 1", "class P:\n def f(self): self.b = 1"),
        ("class P:\n a = 1\n def f(self): return 1", "class P:\n b = 1\n def f(self): return 1"),
        ("class P:\n def f(self): pass", "class P:\n def g(self): pass"),
        ("def f(a, b): return a", "def f(a, b): return b"),
        ("def f(a):\n def g(b): return a\n return g", "def f(a):\n def g(b): return b\n return g"),
        ("def f(a): return lambda b: a", "def f(a): return lambda b: b"),
        (
            "def f(a, b):\n class C:\n  def g(self): return a\n return C",
            "def f(a, b):\n class C:\n  def g(self): return b\n return C",
        ),
    ],
)
def test_names_that_others_can_see_make_a_difference(one, other):
    assert not same(one, other)


def test_closures_are_renamed_together_with_their_function():
    one = "def f(a):\n    def g(b):\n        return a + b\n    return g"
    assert same(one, one.replace("a", "long").replace("b", "x").replace("g", "inner"))


def test_ignored_expressions_count_as_equal():
    def digest(source):
        tree = normal.parse(source)
        return normal.digest(tree, [tree.body[0].value])

    assert digest("x = 1") == digest("x = -2.5")
    assert digest("x = 1") != digest("y = 1")


HOSTILE = {
    "null": "x = '\0'",
    "surrogate": "x = '\ud800'",
    "brackets": "(" * 500 + ")" * 500,
    "signs": "-" * 50_000 + "1",
    "sums": "+".join(["1"] * 30_000),
    "attributes": "a" + ".b" * 40_000,
    "nots": "not " * 20_000 + "1",
    "digits": "x = " + "9" * 50_000,
    "indents": "".join(" " * i + "if 1:\n" for i in range(105)) + " " * 105 + "x",
    "lambdas": "lambda: " * 5_000 + "1",
    "long": "x = 1\n" * 30_000,
    "text": "make the cache better, please",
    "unfinished": "def f(:",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_that_is_no_policy_is_refused_in_one_line(name):
    with pytest.raises(normal.SourceError) as refused:
        normal.key(HOSTILE[name])
    assert "\n" not in str(refused.value)


def test_a_syntax_error_is_told_with_its_line():
    with pytest.raises(normal.SourceError, match="line 2"):
        normal.parse("x = 1\ny = (\n")


@pytest.mark.parametrize("source", ["", "x = 0x" + "f" * 9_000, "x = '\\ud800'", "x = '\\d'", "x = 1e999", "1 is 1"])
def test_odd_but_legal_texts_have_a_key(source):
    assert normal.key(source)


def test_a_key_of_fifty_lines_takes_little_time():
    source = POLICY * 3
    normal.key(source)
    start = time.process_time()
    for _ in range(50):
        normal.key(source)
    assert (time.process_time() - start) / 50 < 0.005


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x):\n    return len([-x])\n", "def f(x):\n    return len([UnaryOp, USub, x])\n"),
        ("def f(a: b):\n    pass\n", "def f(a, b):\n    pass\n"),
    ],
)
def test_what_is_written_down_can_be_read_in_one_way_only(one, other):
    assert not same(one, other)


def test_where_a_module_gives_all_its_names_no_name_counts_as_a_local():
    policy = "from math import *\n\n\ndef choose(x):\n    return {}(x)\n\n\ndef pair(floor, ceil):\n    return 0\n"
    assert not same(policy.format("floor"), policy.format("ceil"))
