"""A policy taken apart: names in scope, kinds of values, and what donors' parts become elsewhere."""

import ast
from random import Random

import pytest

from evolve import normal
from evolve.proposers.syntax import donors
from evolve.proposers.syntax.anatomy import Anatomy
from evolve.proposers.syntax.kinds import Kind
from evolve.proposers.syntax.material import Material

SCOPES = """
LIMIT = 3
def choose(seen, unused):
    before = 1
    if seen["a"]:
        both = one = 2
    else:
        both = 3
    if both:
        return before
    else:
        after = 4
    for item in seen["list"]:
        inside = item
    squares = [n * n for n in seen["list"] if n > 1]
    MARK
    later = 5
"""


def bound_at(source, text):
    anatomy = Anatomy(source)
    (site,) = [site for site in anatomy.sites if anatomy.text.of(site.node) == text]
    return site.bound | anatomy.module_names


def test_names_in_scope_are_those_certainly_bound():
    names = bound_at(SCOPES, "MARK")
    assert names >= {"seen", "unused", "before", "both", "after", "squares", "LIMIT"}
    assert not names & {"one", "item", "inside", "n", "later"}


def test_names_of_a_comprehension_are_in_scope_only_there():
    assert "n" in bound_at(SCOPES, "n * n")
    assert "n" in bound_at(SCOPES, "n > 1")


@pytest.mark.parametrize(
    ("code", "name", "kind"),
    [
        ("x = a + 1", "a", Kind.NUMBER),
        ("x = o['t'] < 3", 'o["t"]', Kind.NUMBER),
        ("x = a == 'spot'", "a", Kind.STRING),
        ("x = a in ('spot', 'none')", "a", Kind.STRING),
        ("if a: pass", "a", Kind.BOOLEAN),
        ("x = not a", "a", Kind.BOOLEAN),
        ("x = len(a)", "x", Kind.NUMBER),
        ("x = len(a)", "a", Kind.UNKNOWN),
        ("x = 'spot' if a else 'none'", "x", Kind.STRING),
        ("x, y = 1, a == 2", "y", Kind.BOOLEAN),
        ("x = y = a\nz = x + 1", "x", Kind.NUMBER),
        ("x = [a] + b", "b", Kind.UNKNOWN),
        ("x = min(o, key=lambda k: o[k][0])", "o[k][0]", Kind.NUMBER),
        ("x = f(a)", "x", Kind.BOOLEAN),
    ],
)
def test_kinds_follow_from_use(code, name, kind):
    body = code.replace("\n", "\n    ")
    anatomy = Anatomy(f"def f(p):\n    return p > 3\ndef choose(a, b, o):\n    {body}\n")
    assert anatomy.functions[-1].kinds.get(name, Kind.UNKNOWN) is kind


def test_signatures_docstrings_imports_keys_and_strings_in_f_strings_are_no_sites():
    anatomy = Anatomy(
        "import math\n@staticmethod\ndef choose(a: int = 3, *b) -> int:\n"
        "    'Doc.'\n    print(f'{a + 1}')\n    return a['k']\n"
    )
    assert {anatomy.text.of(site.node) for site in anatomy.sites} == {"print(f'{a + 1}')", "a['k']"}


DONOR = """
SHARE = 0.25
def choose(state):
    rest = state["deadline"] - state["time"]
    slack = rest - state["left"]
    total = 0
    for part in state["parts"]:
        total += part
    if slack < SHARE * rest:
        return "a"
    if total > rest:
        return "b"
    return "c"
"""


def expressed(text, recipient):
    donor, policy = Anatomy(DONOR), Anatomy(recipient)
    (site,) = [site for site in donor.sites if donor.text.of(site.node) == text]
    (place,) = [site for site in policy.sites if policy.text.of(site.node) == "HERE"]
    return donors.expression(donor, site, policy, place)


def test_a_part_takes_its_definitions_along_and_arguments_are_matched_by_position():
    found = expressed("slack < SHARE * rest", "def choose(o):\n    return HERE\n")
    assert found[0] == 'o["deadline"] - o["time"] - o["left"] < 0.25 * (o["deadline"] - o["time"])'


def test_a_name_that_is_in_scope_keeps_its_meaning_there():
    found = expressed("slack < SHARE * rest", "def choose(o):\n    rest = 3\n    return HERE\n")
    assert found[0] == 'rest - o["left"] < 0.25 * rest'


@pytest.mark.parametrize("recipient", ["def choose(o):\n    return HERE\n", "def other(state):\n    return HERE\n"])
def test_a_part_whose_names_have_no_meaning_stays_where_it_is(recipient):
    assert expressed("total > rest", recipient) is None


def test_arguments_that_only_others_use_and_neighbouring_fields_can_be_read():
    policy = Anatomy("def evict(cached, now):\n    return min(cached, key=lambda key: cached[key][0])\n")
    (site,) = [site for site in policy.sites if policy.text.of(site.node) == "cached[key][0]"]
    texts = {reference.text for reference in Material(policy, [], Random(0)).readable(site)}
    assert {"cached[key][0]", "cached[key][1]", "now"} <= texts


def test_a_source_that_is_too_deep_is_refused():
    for depth in (50, 100, 150, 250, 400, 900):
        source = f"def f(x):\n    return {'-' * depth}x\n"
        try:
            assert Anatomy(source).functions
        except normal.SourceError as refused:
            assert "nested" in str(refused)


def test_positions_of_sites_are_those_of_their_code():
    anatomy = Anatomy(SCOPES)
    for site in anatomy.sites:
        assert ast.dump(ast.parse(anatomy.text.of(site.node), mode="eval").body) == ast.dump(site.node)
