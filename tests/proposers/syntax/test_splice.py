"""Edits of source text: parentheses where they are needed, only there, and nothing else changed."""

import ast
import contextlib
import itertools

import pytest

from evolve.proposers.syntax.anatomy import Anatomy
from evolve.proposers.syntax.splice import Text, precedence

PARTS = [
    *("x", "-x", "x + y", "x * y", "x ** y", "x < y", "not x", "x and y", "x or y", "x if y else z", "f(x)", "x | y"),
    *("lambda: x", "x << y", "(x, y)", "[x, y]", "x.y", "x[0]", "x // y", "x - y"),
]
FRAMES = [
    *("{} + b", "a + {}", "a - {}", "{} * b", "a / {}", "{} ** b", "a ** {}", "-{}", "not {}", "{} < b", "a < {}"),
    *("{} and b", "a and {}", "{} or b", "a or {}", "{} if b else c", "a if {} else c", "a if b else {}"),
    *("f({})", "f(k={})", "[{}, b]", "({} + a) * b", "a * ({} + b)", "[q for q in {}]", "[q for q in a if {}]"),
    *("a * ({})", "a if({})else b", "f(({}))", "{} | b", "a | {}", "a << {}", "{}"),
]


class Flat(ast.NodeTransformer):
    """Makes `a and (b and c)` what it means: `a and b and c`."""

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        nested = [
            value.values if isinstance(value, ast.BoolOp) and type(value.op) is type(node.op) else [value]
            for value in node.values
        ]
        return ast.BoolOp(node.op, list(itertools.chain(*nested)))


def meaning(source):
    return ast.dump(Flat().visit(ast.parse(source)))


def spliced(frame, part):
    """Returns a source with a part put in the hole of a frame, and the same source with the bare hole."""
    anatomy = Anatomy(f"def é(a, b, c):\n    ü = 'ß'; return {frame.format('hole')}\n")
    (hole,) = [site for site in anatomy.sites if anatomy.text.of(site.node) == "hole"]
    edit = anatomy.put(hole, part, precedence(ast.parse(part, mode="eval").body))
    return anatomy.text.apply([edit]), anatomy.source


@pytest.mark.parametrize("frame", FRAMES)
def test_an_expression_keeps_its_meaning_in_every_place(frame):
    for part in PARTS:
        source, before = spliced(frame, part)
        assert meaning(source) == meaning(before.replace("hole", f"({part})"))


@pytest.mark.parametrize("frame", FRAMES)
def test_parentheses_are_not_added_without_need(frame):
    for part in PARTS:
        source, before = spliced(frame, part)
        bare = before.replace("hole", part)
        if source.count("(") > bare.count("(") and "lambda" not in part:  # a lambda always gets them
            with contextlib.suppress(SyntaxError):
                assert meaning(bare) != meaning(source)


def test_offsets_are_bytes_and_every_kind_of_line_end_counts():
    source = 'naïve = "ß"; x = 1\r\ny = "ü"; z = 2\rw = 3\n'
    text = Text(source)
    assert [text.of(node) for node in ast.parse(source).body] == ['naïve = "ß"', "x = 1", 'y = "ü"', "z = 2", "w = 3"]


def test_lines_of_a_statement_are_its_own_or_none():
    text = Text("a = 1\nif a: b = 2\nc = 3; d = 4\ne = (\n  5\n)  # five\n")
    first, branch, third, fourth, last = ast.parse(text.data).body
    assert text.slice(*text.lines(first)) == "a = 1\n"
    assert text.slice(*text.lines(last)) == "e = (\n  5\n)  # five\n"
    assert [text.lines(node) for node in (third, fourth, branch.body[0])] == [None, None, None]
