"""Mutations of one expression.  Each returns an edit, or None where it found nothing to do."""

import ast
import re
from collections.abc import Mapping, Sequence
from types import UnionType

from evolve.proposers.syntax.anatomy import Site
from evolve.proposers.syntax.constants import is_power_of_two, number, written
from evolve.proposers.syntax.kinds import Kind, kind, label
from evolve.proposers.syntax.material import Expression, Material, role_of
from evolve.proposers.syntax.splice import (
    AND,
    ATOM,
    CONDITIONAL,
    LOWEST,
    NOT,
    OR,
    PRODUCT,
    SIGN,
    SUM,
    Edit,
    precedence,
    wrapped,
)

_COMMENT = re.compile(rb"#[^\r\n]*")
_COMPARISON = re.compile(rb"<=|>=|==|!=|<|>|is\s+not\b|not\s+in\b|\bis\b|\bin\b")
_ARITHMETIC = re.compile(rb"//|\*\*|[-+*/%]")
_OTHER_COMPARISONS = {
    "<": ("<=", "<=", ">"),
    "<=": ("<", "<", ">="),
    ">": (">=", ">=", "<"),
    ">=": (">", ">", "<="),
    "==": ("!=",),
    "!=": ("==",),
    "in": ("not in",),
    "is": ("is not",),
}
_OTHER_ARITHMETIC = {"+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "//": ("*",)}
_TO_A_POWER = 0.7  # how often a power of two becomes another one
_SCALES = (0.5, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 2.0)


def constant(material: Material) -> Edit | None:
    """Changes a number a little."""
    if not material.policy.numbers:
        return None
    site = material.rng.choice(material.policy.numbers)
    value = number(site.node)
    if value is None:
        return None
    text = written(_near(value, material))
    return _put(material, site, text, SIGN if text.startswith("-") else ATOM)


def _near(value: float, material: Material) -> float:
    rng = material.rng
    if rng.random() < 0.05:
        return -value
    if value == 0:
        return rng.choice((1, -1, 0.1, -0.1, 2, 0.5))
    if is_power_of_two(value) and rng.random() < _TO_A_POWER:
        return rng.choice((value // 2, value * 2, value * 2, value * 4))
    if isinstance(value, int):
        if rng.random() < 0.15:
            half = value * rng.choice((0.5, 1.5))
            return int(half) if half == int(half) else half
        return value + rng.choice((-1, 1)) * rng.choice((1, 1, 2, max(1, abs(value) // 4)))
    return float(round(value)) if rng.random() < 0.1 else value * rng.choice(_SCALES)


def comparison(material: Material) -> Edit | None:
    """Changes one comparison operator."""
    site = _chosen(material, (Kind.BOOLEAN, Kind.ARRAY), ast.Compare)
    if site is None:
        return None
    assert isinstance(site.node, ast.Compare)
    sides = [site.node.left, *site.node.comparators]
    index = material.rng.randrange(len(site.node.ops))
    return _swapped(material, _COMPARISON, sides[index], sides[index + 1], _OTHER_COMPARISONS)


def arithmetic(material: Material) -> Edit | None:
    """Changes one arithmetic operator into its opposite."""
    site = _chosen(material, _QUANTITIES, ast.BinOp)
    if site is None:
        return None
    assert isinstance(site.node, ast.BinOp)
    return _swapped(material, _ARITHMETIC, site.node.left, site.node.right, _OTHER_ARITHMETIC)


def _swapped(
    material: Material,
    pattern: re.Pattern[bytes],
    left: ast.expr,
    right: ast.expr,
    others: Mapping[str, tuple[str, ...]],
) -> Edit | None:
    text = material.policy.text
    begin, stop = text.end(left), text.start(right)
    gap = _COMMENT.sub(lambda comment: b" " * len(comment[0]), text.data[begin:stop])
    found = pattern.search(gap)
    old = "" if found is None else " ".join(found[0].decode().split())
    if found is None or old not in others:
        return None
    new = material.rng.choice(others[old])
    line = f"line {left.end_lineno}: `{old}` becomes `{new}`"
    return Edit(begin + found.start(), begin + found.end(), new, line)


def negate(material: Material) -> Edit | None:
    """Negates a condition, or takes a negation away."""
    site = _chosen(material, (Kind.BOOLEAN,), ast.expr)
    if site is None:
        return None
    if isinstance(site.node, ast.UnaryOp):
        return _put(material, site, *_part(material, site.node.operand))
    return _put(material, site, f"not {_old(material, site, NOT + 1)}", NOT)


def condition(material: Material) -> Edit | None:
    """Adds another condition with `and` or `or`."""
    site = _chosen(material, (Kind.BOOLEAN,), ast.expr)
    extra = None if site is None else material.condition(site)
    if site is None or extra is None or extra.text in material.policy.text.of(site.node):
        return None
    own, word = material.rng.choice(((AND, "and"), (OR, "or")))
    return _put(material, site, f"{_old(material, site, own)} {word} {extra.within(own + 1)}", own)


def term(material: Material) -> Edit | None:
    """Adds a term to a number."""
    site = _quantity(material)
    if site is None:
        return None
    extra, sign = material.quantity(site), material.rng.choice("+-")
    if extra.text == "0":
        return None
    return _put(material, site, f"{_old(material, site, SUM)} {sign} {extra.within(SUM + 1)}", SUM)


def scale(material: Material) -> Edit | None:
    """Multiplies a number by a factor."""
    site = _quantity(material)
    if site is None or number(site.node) is not None:
        return None
    factor = written(material.rng.choice((0.5, 0.8, 0.9, 0.95, 1.05, 1.1, 1.2, 1.5, 2)))
    return _put(material, site, f"{factor} * {_old(material, site, PRODUCT + 1)}", PRODUCT)


def limit(material: Material) -> Edit | None:
    """Keeps a number above or below another."""
    site = _chosen(material, (Kind.NUMBER,), ast.expr)
    if site is None:
        return None
    function, other = material.rng.choice(("min", "max")), material.quantity(site)
    if other.text == material.policy.text.of(site.node) or (number(site.node) is not None and _is_literal(other)):
        return None
    return _put(material, site, f"{function}({_old(material, site)}, {other.text})")


def _is_literal(value: Expression) -> bool:
    return value.text.replace(".", "").isdigit()


def name(material: Material) -> Edit | None:
    """Replaces a name, attribute or item by another of its kind that is in scope."""
    site = _chosen(material, (_some_kind(material),), ast.Name | ast.Attribute | ast.Subscript)
    other = None if site is None else material.reference(site, site.kind, besides=label(site.node))
    return None if site is None or other is None else _put(material, site, other)


def string(material: Material) -> Edit | None:
    """Replaces a string constant by another that is used in the same role."""
    site = _chosen(material, (Kind.STRING,), ast.Constant)
    role = None if site is None else role_of(site)
    if site is None or role is None:
        return None
    others = [text for text in material.strings(role) if text != material.policy.text.of(site.node)]
    return _put(material, site, material.rng.choice(others)) if others else None


def graft(material: Material) -> Edit | None:
    """Replaces an expression by one of its kind from this or another policy."""
    site = _chosen(material, (_some_kind(material),), ast.expr)
    found = None if site is None else material.borrowed(site, site.kind)
    return None if site is None or found is None else _put(material, site, *found)


def choice(material: Material) -> Edit | None:
    """Makes a value depend on a condition."""
    site = _chosen(material, (material.rng.choice((Kind.NUMBER, Kind.STRING)),), ast.expr)
    if site is None:
        return None
    test, other = material.condition(site), material.value(site, site.kind)
    if test is None or other is None:
        return None
    text = f"{other.within(OR)} if {test.within(OR)} else {_old(material, site, OR)}"
    return _put(material, site, text, CONDITIONAL)


def simplify(material: Material) -> Edit | None:
    """Replaces an expression by one of its operands."""
    site = _chosen(material, (_some_kind(material),), ast.BinOp | ast.BoolOp | ast.Call | ast.IfExp)
    parts = [] if site is None else _like(site, _operands(site.node))
    return None if site is None or not parts else _put(material, site, *_part(material, material.rng.choice(parts)))


def _like(site: Site, nodes: list[ast.expr]) -> list[ast.expr]:
    return [node for node in nodes if kind(node, site.function.kinds) is site.kind]


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    return [part for part in node.args if not isinstance(part, ast.GeneratorExp)] if isinstance(node, ast.Call) else []


_QUANTITIES = (Kind.NUMBER, Kind.ARRAY)
_KNOWN = (Kind.NUMBER, Kind.BOOLEAN, Kind.STRING, Kind.ARRAY, Kind.INDICES)


def _some_kind(material: Material) -> Kind:
    there = [known for known in _KNOWN if material.policy.by_kind[known]]
    return material.rng.choice(there or _KNOWN)


def _chosen(material: Material, wanted: Sequence[Kind], types: type[ast.expr] | UnionType) -> Site | None:
    sites = [site for known in wanted for site in material.policy.by_kind[known] if isinstance(site.node, types)]
    return material.rng.choice(sites) if sites else None


def _quantity(material: Material) -> Site | None:
    """Returns a number, or an array of numbers and no conditions."""
    site = _chosen(material, _QUANTITIES, ast.expr)
    return None if site is None or isinstance(site.node, ast.Compare) else site


def _old(material: Material, site: Site, least: int = 0) -> str:
    """Returns what stands at a site, to be used again there within an operator that needs a binding."""
    return wrapped(material.policy.text.of(site.node), precedence(site.node), least)


def _part(material: Material, node: ast.expr) -> Expression:
    """Returns what stands inside an expression, to be used outside it; several lines need parentheses."""
    text = material.policy.text.of(node)
    return Expression(text, LOWEST if "\n" in text else precedence(node))


def _put(material: Material, site: Site, text: str, binding: int = ATOM) -> Edit | None:
    return material.policy.put(site, text, binding)
