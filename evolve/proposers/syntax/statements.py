"""Mutations of whole statements.  Each returns an edit, or None where it found nothing to do."""

import ast
from collections.abc import Callable

from evolve.proposers.syntax import donors
from evolve.proposers.syntax.anatomy import Anatomy, Place
from evolve.proposers.syntax.kinds import Kind
from evolve.proposers.syntax.material import Expression, Material
from evolve.proposers.syntax.scope import form, is_overwritten, leaves, names_in, stored
from evolve.proposers.syntax.splice import ATOM, OR, Edit, short

_FIXED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)
_STEP = "    "


def drop(material: Material) -> Edit | None:
    """Removes a statement whose names are bound elsewhere too."""
    policy = material.policy
    place = _chosen(material, _dispensable)
    span = None if place is None else policy.text.lines(place.node)
    if place is None or span is None:
        return None
    text = f"{policy.text.indent(place.node)}pass\n" if len(place.block) == 1 else ""
    return Edit(*span, text, f"line {place.node.lineno}: without `{_head(material, place)}`")


def _dispensable(place: Place, policy: Anatomy) -> bool:
    last = place.index == len(place.block) - 1
    if not _free(place, policy) or isinstance(place.node, ast.Return) or (last and leaves([place.node])):
        return False
    return set(stored([place.node])) <= place.bound | policy.module_names


def flatten(material: Material) -> Edit | None:
    """Puts the body of an `if` without `else` in the place of the whole."""
    place = _chosen(material, _flattened)
    if place is None or not isinstance(place.node, ast.If) or _is_elif(material.policy, place):
        return None
    text, first, last = material.policy.text, place.node.body[0], place.node.body[-1]
    span, outer, inner = text.lines(place.node), text.indent(place.node), text.indent(first)
    if span is None or outer is None or inner is None or text.lines(last) is None:
        return None
    body = text.slice(text.line(first), span[1]).splitlines(keepends=True)
    if not all(line.startswith(inner) or not line.strip() for line in body):
        return None
    lines = "".join(line.replace(inner, outer, 1) for line in body)
    return Edit(*span, lines, f"line {place.node.lineno}: always, not only under `{_head(material, place)}`")


def _flattened(place: Place, policy: Anatomy) -> bool:
    return _free(place, policy) and isinstance(place.node, ast.If) and not place.node.orelse


def swap(material: Material) -> Edit | None:
    """Exchanges two neighbouring statements."""
    place = _chosen(material, _swappable)
    if place is None:
        return None
    text, first, second = material.policy.text, place.node, place.block[place.index + 1]
    between = text.slice(text.end(first), text.start(second))
    why = f"line {first.lineno}: `{_head(material, place)}` after line {second.lineno}"
    return Edit(text.start(first), text.end(second), f"{text.of(second)}{between}{text.of(first)}", why)


def _swappable(place: Place, policy: Anatomy) -> bool:
    """Returns whether a statement and the next may change places, and whether that could matter."""
    if not _free(place, policy) or place.index + 1 == len(place.block):
        return False
    first, second = place.node, place.block[place.index + 1]
    if isinstance(second, _FIXED) or leaves([first]) or leaves([second]):
        return False
    if policy.text.lines(first) is None or policy.text.indent(second) != policy.text.indent(first):
        return False
    changed, read = set(stored([first])), names_in(second)
    other_way = set(stored([second])) & (names_in(first) | changed)
    return changed & read <= place.bound and bool(changed & read or other_way or isinstance(first, ast.If))


def guard(material: Material) -> Edit | None:
    """Inserts a guard: under some condition, return another value or assign one, before a statement."""
    place = _chosen(material)
    indent = None if place is None else material.policy.text.indent(place.node)
    if place is None or indent is None or _is_elif(material.policy, place):
        return None
    test, action = material.condition(place), _action(material, place)
    if test is None or action is None:
        return None
    why = f"line {place.node.lineno}: `if {short(test.within(OR))}: {short(action)}` before it"
    line = material.policy.text.line(place.node)
    return Edit(line, line, f"{indent}if {test.text}:\n{indent}{_STEP}{action}\n", why)


_RETURNS = 0.6
_RETURNS_EARLY = 0.1  # where what is returned is put together on the way


def _action(material: Material, place: Place) -> str | None:
    sites = place.function.returned
    simple = all(site.kind in (Kind.STRING, Kind.NUMBER, Kind.BOOLEAN) for site in sites)
    if sites and material.rng.random() < (_RETURNS if simple else _RETURNS_EARLY):
        site = material.rng.choice(sites)
        value = material.fitted(material.policy, site, place)
        return None if value is None else f"return {value.text}"
    return _assignment(material, place)


def _assignment(material: Material, place: Place) -> str | None:
    """Returns an assignment to a name that is bound at a place and assigned somewhere in its function."""
    kinds, local = place.function.kinds, place.bound - material.policy.module_names - set(place.function.parameters)
    after = place.block[place.index :]
    names = [name for name in sorted(local) if name in kinds and not is_overwritten(name, after)]
    if not names:
        return None
    name = material.rng.choice(names)
    value = _new_value(material, place, kinds[name])
    return None if value is None or value.text == name else f"{name} = {value.text}"


def _new_value(material: Material, place: Place, wanted: Kind) -> Expression | None:
    if wanted is Kind.STRING:
        constants = material.strings("=")
        return Expression(material.rng.choice(constants), ATOM) if constants else None
    return None if wanted is Kind.UNKNOWN else material.value(place, wanted)


def transplant(material: Material) -> Edit | None:
    """Inserts a statement from this or another policy, or puts it in the place of a statement of its type."""
    place = _chosen(material)
    indent = None if place is None else material.policy.text.indent(place.node)
    if place is None or indent is None or _is_elif(material.policy, place):
        return None
    code = _taken(material, place)
    if code is None or is_idle(material.policy, place, code):
        return None
    lines = "".join(f"{indent}{line}\n" for line in code.splitlines())
    return _placed(material, place, lines)


def is_idle(policy: Anatomy, place: Place, code: str) -> bool:
    """Returns whether a statement stands before a place already, or binds what is bound anew there."""
    node = ast.parse(code).body[0]
    known, names = form(node), set(stored([node]))
    before = (other for other in policy.places if other.function is place.function)
    if any(other.node.lineno <= place.node.lineno and form(other.node) == known for other in before):
        return True
    rest = place.block[place.index :]
    return isinstance(node, ast.Assign) and bool(names) and all(is_overwritten(name, rest) for name in names)


def _taken(material: Material, place: Place) -> str | None:
    donor = material.rng.choice(material.donors)
    fitting = [
        other
        for other in donor.places
        if other.function.call == place.function.call
        and isinstance(other.node, ast.If | ast.Assign | ast.AugAssign | ast.For)
        and other.node is not place.node
    ]
    return donors.statement(donor, material.rng.choice(fitting), material.policy, place) if fitting else None


def _placed(material: Material, place: Place, lines: str) -> Edit:
    text, head = material.policy.text, short(lines)
    span = text.lines(place.node)
    if span is not None and material.rng.random() < 0.4 and _dispensable(place, material.policy):
        why = f"line {place.node.lineno}: `{_head(material, place)}` becomes `{head}`"
        return Edit(*span, lines, why)
    start = text.line(place.node)
    return Edit(start, start, lines, f"line {place.node.lineno}: `{head}` before it")


def _free(place: Place, _: Anatomy) -> bool:
    docstring = isinstance(place.node, ast.Expr) and isinstance(place.node.value, ast.Constant)
    return bool(place.function.call) and not docstring and not isinstance(place.node, _FIXED)


def _chosen(material: Material, suits: Callable[[Place, Anatomy], bool] = _free) -> Place | None:
    places = material.places(suits)
    return material.rng.choice(places) if places else None


def _is_elif(policy: Anatomy, place: Place) -> bool:
    return policy.text.of(place.node).startswith("elif")


def _head(material: Material, place: Place) -> str:
    return short(material.policy.text.of(place.node).partition("\n")[0])
