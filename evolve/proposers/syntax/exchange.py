"""Exchanges between two policies.  Each returns the edits that put parts of theirs into ours; none where none fit."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from random import Random

from evolve.proposers.syntax import donors
from evolve.proposers.syntax.anatomy import Anatomy, Place, Site
from evolve.proposers.syntax.kinds import Kind
from evolve.proposers.syntax.scope import form
from evolve.proposers.syntax.signatures import named_functions
from evolve.proposers.syntax.splice import Edit, Text, short
from evolve.proposers.syntax.statements import is_idle

_MOST_CHUNKS = 2_000
_MOST_SITES = 3
_COMPOUND = (ast.If, ast.For, ast.While)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two policies: ours, which is edited, and theirs, which lends."""

    ours: Anatomy
    theirs: Anatomy
    rng: Random


def uniform(pair: Pair) -> list[Edit]:
    """Takes some of the differences between two policies from theirs, statement by statement.

    It suits descendants of one ancestor, each of which has changed other lines of it.
    """
    ours, theirs = _chunks(pair.ours), _chunks(pair.theirs)
    if max(len(ours), len(theirs)) > _MOST_CHUNKS:
        return []
    differences = list(_differences(ours, theirs))
    if len(differences) < 2:
        return []
    share = pair.rng.choice((0.5, 0.8))
    taken = [edit for edit in differences if pair.rng.random() < share] or [pair.rng.choice(differences)]
    if len(taken) == len(differences):
        taken.remove(pair.rng.choice(taken))
    return taken


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The lines from one statement to the next, as they are and without layout, blank lines and whole-line comments."""

    start: int
    end: int
    text: str
    normal: str
    line: int


def _chunks(policy: Anatomy) -> list[_Chunk]:
    text = policy.text
    first = {text.line(place.node): place.node.lineno for place in policy.places if text.indent(place.node) is not None}
    starts = sorted(first)
    found = []
    for start, end in pairwise([*starts, len(text.data)]):
        lines = text.slice(start, end)
        found.append(_Chunk(start, end, lines, _normal(lines), first[start]))
    return found


def _normal(lines: str) -> str:
    kept = [line.rstrip() for line in lines.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join(kept)


def _differences(ours: Sequence[_Chunk], theirs: Sequence[_Chunk]) -> Iterator[Edit]:
    """Yields edits of ours that do not overlap and, all together, make theirs of it."""
    matcher = SequenceMatcher(None, [one.normal for one in ours], [one.normal for one in theirs], autojunk=False)
    for what, low, high, their_low, their_high in matcher.get_opcodes():
        if what == "equal":
            continue
        if high - low == their_high - their_low:
            pairs = zip(ours[low:high], theirs[their_low:their_high], strict=True)
            yield from (_replaced([one], [other]) for one, other in pairs)
        elif ours[low:high] or low < len(ours):
            yield _replaced(ours[low:high], theirs[their_low:their_high], ours[min(low, len(ours) - 1)])


def _replaced(ours: Sequence[_Chunk], theirs: Sequence[_Chunk], before: _Chunk | None = None) -> Edit:
    text = "".join(other.text for other in theirs)
    head = f"`{short(text)}`" if theirs else "nothing"
    if not ours:
        assert before is not None
        return Edit(before.start, before.start, text, f"line {before.line}: {head} before it")
    old = short("".join(one.text for one in ours))
    return Edit(ours[0].start, ours[-1].end, text, f"line {ours[0].line}: `{old}` becomes {head}")


def expression(pair: Pair) -> list[Edit]:
    """Puts up to three of their expressions in the places of ours that play the same role."""
    roles = _by_role(pair.theirs)
    matches = [
        (site, other) for site in pair.ours.sites for other in roles.get(_role(site), ()) if _differ(pair, site, other)
    ]
    edits: list[Edit] = []
    for _ in range(pair.rng.randint(1, _MOST_SITES) if matches else 0):
        site, other = pair.rng.choice(matches)
        found = donors.expression(pair.theirs, other, pair.ours, site)
        edit = None if found is None else pair.ours.put(site, *found)
        if edit is not None and not any(edit.overlaps(known) for known in edits):
            edits.append(edit)
    return edits


def _by_role(policy: Anatomy) -> dict[object, list[Site]]:
    roles: dict[object, list[Site]] = {}
    for site in policy.sites:
        if _role(site) is not None:
            roles.setdefault(_role(site), []).append(site)
    return roles


def _role(site: Site) -> object | None:
    """Returns what an expression is for: its function, its kind, and what it is assigned to or part of; None: unknown.

    Arrays, and what is of no known kind, only fit where they come to stand under the same name.
    """
    parent, name = site.parent, site.function.call
    if isinstance(parent, ast.Assign):
        return name, site.kind, form(parent.targets[0])
    simple = site.kind in (Kind.NUMBER, Kind.BOOLEAN, Kind.STRING)
    return (name, site.kind, type(parent)) if simple or isinstance(parent, ast.Return) else None


def _differ(pair: Pair, site: Site, other: Site) -> bool:
    return pair.ours.text.of(site.node) != pair.theirs.text.of(other.node)


def branch(pair: Pair) -> list[Edit]:
    """Puts one of their branches or loops in the place of one of ours of its type, or inserts it."""
    lent = [place for place in pair.theirs.places if isinstance(place.node, _COMPOUND) and place.function.call]
    if not lent:
        return []
    taken = pair.rng.choice(lent)
    places = [place for place in pair.ours.places if _takes(pair, place, taken)]
    if not places:
        return []
    place = pair.rng.choice(places)
    code = donors.statement(pair.theirs, taken, pair.ours, place)
    edit = None if code is None or is_idle(pair.ours, place, code) else _placed(pair, place, taken, code)
    return [] if edit is None else [edit]


def _takes(pair: Pair, place: Place, taken: Place) -> bool:
    text = pair.ours.text
    same = place.function.call == taken.function.call and text.lines(place.node) is not None
    return same and not text.of(place.node).startswith("elif") and not _is_docstring(place.node)


def _placed(pair: Pair, place: Place, taken: Place, code: str) -> Edit | None:
    text = pair.ours.text
    span, indent = text.lines(place.node), text.indent(place.node)
    if span is None or indent is None:
        return None
    lines = "".join(f"{indent}{line}\n" for line in code.splitlines())
    if isinstance(place.node, type(taken.node)):
        old = short(text.of(place.node))
        return Edit(*span, lines, f"line {place.node.lineno}: `{old}` becomes `{short(lines)}`")
    return Edit(span[0], span[0], lines, f"line {place.node.lineno}: `{short(lines)}` before it")


def function(pair: Pair) -> list[Edit]:
    """Takes the body of one of their functions that we have too, and the definitions that it needs."""
    ours, theirs = dict(named_functions(pair.ours.tree)), dict(named_functions(pair.theirs.tree))
    shared = [name for name in ours if name in theirs and _exchangeable(pair, ours[name], theirs[name])]
    if not shared:
        return []
    name = pair.rng.choice(shared)
    span, lent = pair.ours.text.lines(ours[name]), pair.theirs.text.lines(theirs[name])
    if span is None or lent is None:
        return []
    body = Edit(
        *span, _ended(pair.theirs.text.slice(*lent)), f"line {ours[name].lineno}: `{name}` as another policy has it"
    )
    needed = _needed(pair, theirs[name])
    if needed and needed[0].start == body.start:
        return [Edit(body.start, body.end, needed[0].text + body.text, body.why)]
    return [body, *needed]


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _exchangeable(pair: Pair, ours: _Function, theirs: _Function) -> bool:
    if form(ours.args) != form(theirs.args) or ours.col_offset != theirs.col_offset:
        return False
    return pair.ours.text.of(ours) != pair.theirs.text.of(theirs)


def _needed(pair: Pair, lent: _Function) -> list[Edit]:
    """Returns the edit that adds the definitions of their module that a function needs and that we lack."""
    known, wanted = {name for node in pair.ours.tree.body for name in _defines(node)}, _reads(lent)
    lines: list[str] = []
    for node in reversed(pair.theirs.tree.body):
        names, span = set(_defines(node)), pair.theirs.text.lines(node)
        if names & wanted - known and span is not None and not isinstance(node, ast.ClassDef):
            lines.insert(0, _ended(pair.theirs.text.slice(*span)))
            wanted |= _reads(node)
    at = _after_imports(pair.ours)
    return [Edit(at, at, "".join(lines), f"and {len(lines)} definitions that it needs")] if lines else []


def _after_imports(policy: Anatomy) -> int:
    """Returns where the first statement of a module begins that is neither its docstring nor an import."""
    rest = [
        node
        for node in policy.tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom) and not _is_docstring(node)
    ]
    return _top(policy.text, rest[0]) if rest else len(policy.text.data)


def _top(text: Text, node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return text.start(decorators[0]) - 1 if decorators else text.line(node)


def _defines(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    else:
        yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _reads(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)}


def _ended(lines: str) -> str:
    return lines if lines.endswith("\n") else f"{lines}\n"


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
