"""Mutations of one expression.  Each returns an edit, or None where it found nothing to do."""

import ast
import re

from evolve.proposers.anatomy import Site
from evolve.proposers.constants import number, written
from evolve.proposers.kinds import Kind
from evolve.proposers.material import Material, role_of
from evolve.proposers.splice import AND, NOT, OR, PRODUCT, SUM, Edit, change, floor, precedence, wrapped

_COMMENT = re.compile(rb"#[^\r\n]*")
_COMPARISON = re.compile(rb"<=|>=|==|!=|<|>|is\s+not\b|not\s+in\b|\bis\b|\bin\b")
_ARITHMETIC = re.compile(rb"//|\*\*|[-+*/%]")
_CONNECTIVE = re.compile(rb"\b(and|or)\b")
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
_OTHER_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "*"}
_SCALES = (0.5, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 2.0)


def constant(material: Material) -> Edit | None:
    """Changes a number a little."""
    rng, policy = material.rng, material.policy
    if not policy.numbers:
        return None
    site = rng.choice(policy.numbers)
    value = number(site.node)
    if value is None:
        return None
    text = written(_near(value, material))
    return policy.text.replaced(site.node, policy.fits(site, text, NOT if text[0] == "-" else precedence(site.node)))


def _near(value: float, material: Material) -> float:
    rng = material.rng
    if rng.random() < 0.05:
        return -value
    if value == 0:
        return rng.choice((1, -1, 0.1, -0.1, 2, 0.5))
    if isinstance(value, int):
        if rng.random() < 0.15:
            return value * rng.choice((0.5, 1.5))
        return value + rng.choice((-1, 1)) * rng.choice((1, 1, 2, max(1, abs(value) // 4)))
    return float(round(value)) if rng.random() < 0.1 else value * rng.choice(_SCALES)


def comparison(material: Material) -> Edit | None:
    """Changes one comparison operator."""
    site = _chosen(material, Kind.BOOLEAN, ast.Compare)
    if site is None:
        return None
    assert isinstance(site.node, ast.Compare)
    sides = [site.node.left, *site.node.comparators]
    index = material.rng.randrange(len(site.node.ops))
    return _swapped(material, _COMPARISON, sides[index], sides[index + 1], _OTHER_COMPARISONS)


def arithmetic(material: Material) -> Edit | None:
    """Changes one arithmetic operator into its opposite."""
    site = _chosen(material, Kind.NUMBER, ast.BinOp)
    if site is None:
        return None
    assert isinstance(site.node, ast.BinOp)
    others = {old: (new,) for old, new in _OTHER_ARITHMETIC.items()}
    return _swapped(material, _ARITHMETIC, site.node.left, site.node.right, others)


def _swapped(
    material: Material, pattern: re.Pattern[bytes], left: ast.expr, right: ast.expr, others: dict[str, tuple[str, ...]]
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


def connective(material: Material) -> Edit | None:
    """Turns one `and` into `or`, or the reverse."""
    site = _chosen(material, Kind.BOOLEAN, ast.BoolOp)
    if site is None:
        return None
    assert isinstance(site.node, ast.BoolOp)
    policy = material.policy
    new, word = (OR, "or") if isinstance(site.node.op, ast.And) else (AND, "and")
    parts = [policy.text.of(part) for part in site.node.values]
    loose = any(precedence(part) < new for part in site.node.values)
    if loose or any("\n" in part for part in parts) or len(parts) != 2:
        return None
    return policy.text.replaced(site.node, policy.fits(site, f" {word} ".join(parts), new))


def negate(material: Material) -> Edit | None:
    """Negates a condition, or takes a negation away."""
    site = _chosen(material, Kind.BOOLEAN, ast.expr)
    if site is None:
        return None
    policy, node = material.policy, site.node
    if isinstance(node, ast.UnaryOp):
        return _put(material, site, policy.text.of(node.operand), precedence(node.operand))
    return _put(material, site, f"not {wrapped(policy.text.of(node), precedence(node), NOT + 1)}", NOT)


def condition(material: Material) -> Edit | None:
    """Adds another condition with `and` or `or`."""
    site = _chosen(material, Kind.BOOLEAN, ast.expr)
    extra = None if site is None else material.condition(site)
    if site is None or extra is None:
        return None
    own, word = material.rng.choice(((AND, "and"), (OR, "or")))
    old = wrapped(material.policy.text.of(site.node), precedence(site.node), own)
    return _put(material, site, f"{old} {word} {material.wrapped(extra, own + 1)}", own)


def term(material: Material) -> Edit | None:
    """Adds a term to a number."""
    site = _quantity(material)
    extra = None if site is None else material.quantity(site)
    if site is None or extra is None:
        return None
    old = wrapped(material.policy.text.of(site.node), precedence(site.node), SUM)
    sign = material.rng.choice("+-")
    return _put(material, site, f"{old} {sign} {material.wrapped(extra, SUM + 1)}", SUM)


def scale(material: Material) -> Edit | None:
    """Multiplies a number by a factor."""
    site = _quantity(material)
    if site is None or number(site.node) is not None:
        return None
    old = wrapped(material.policy.text.of(site.node), precedence(site.node), PRODUCT + 1)
    factor = written(material.rng.choice((0.5, 0.8, 0.9, 0.95, 1.05, 1.1, 1.2, 1.5, 2)))
    return _put(material, site, f"{factor} * {old}", PRODUCT)


def limit(material: Material) -> Edit | None:
    """Keeps a number above or below another."""
    site = _quantity(material)
    other = None if site is None else material.quantity(site)
    if site is None or other is None:
        return None
    return _put(material, site, f"{material.rng.choice(('min', 'max'))}({material.policy.text.of(site.node)}, {other.text})")


def name(material: Material) -> Edit | None:
    """Replaces a name, attribute or item by another of its kind that is in scope."""
    known = (Kind.NUMBER, Kind.BOOLEAN, Kind.STRING)
    site = _chosen(material, material.rng.choice(known), ast.Name | ast.Attribute | ast.Subscript)
    other = None if site is None else material.reference(site, site.kind, besides=material.policy.text.of(site.node))
    return None if site is None or other is None else _put(material, site, other)


def string(material: Material) -> Edit | None:
    """Replaces a string constant by another that is used in the same role."""
    site = _chosen(material, Kind.STRING, ast.Constant)
    role = None if site is None else role_of(site)
    if site is None or role is None:
        return None
    old = material.policy.text.of(site.node)
    others = [text for text in material.strings(role) if text != old]
    return _put(material, site, material.rng.choice(others)) if others else None


def returned(material: Material) -> Edit | None:
    """Replaces a returned value by another value that the function returns somewhere."""
    sites = [site for function in material.policy.functions for site in function.returned]
    if not sites:
        return None
    site = material.rng.choice(sites)
    texts = {material.policy.text.of(other.node) for other in site.function.returned if other is not site}
    own = names_bound(site, material)
    others = sorted(text for text in texts - {material.policy.text.of(site.node)} if own(text))
    return _put(material, site, material.rng.choice(others)) if others else None


def graft(material: Material) -> Edit | None:
    """Replaces an expression by one of its kind from this or another policy."""
    site = _chosen(material, material.rng.choice((Kind.NUMBER, Kind.BOOLEAN, Kind.STRING)), ast.expr)
    found = None if site is None else material.borrowed(site, site.kind)
    return None if site is None or found is None else _put(material, site, found.text, found.binding)


def choice(material: Material) -> Edit | None:
    """Makes a value depend on a condition."""
    site = _chosen(material, material.rng.choice((Kind.NUMBER, Kind.STRING)), ast.expr)
    if site is None:
        return None
    test, other = material.condition(site), material.value(site, site.kind)
    if test is None or other is None:
        return None
    old = wrapped(material.policy.text.of(site.node), precedence(site.node), OR)
    return _put(material, site, f"{material.wrapped(other, OR)} if {material.wrapped(test, OR)} else {old}", 2)


def simplify(material: Material) -> Edit | None:
    """Replaces an expression by one of its operands."""
    site = _chosen(material, material.rng.choice((Kind.NUMBER, Kind.BOOLEAN, Kind.STRING)), ast.expr)
    if site is None:
        return None
    inner = [child for child in operands(site.node)]
    if not inner:
        return None
    kept = material.rng.choice(inner)
    return _put(material, site, material.policy.text.of(kept), precedence(kept))
