"""Entry points: what a policy offers to be called, found as the sandbox's host will, but without running it."""

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_Bound = ast.stmt | ast.expr
_CALLABLE = (ast.FunctionDef, ast.Lambda, ast.Name, ast.Attribute, ast.Call)
_PLAIN_DECORATORS = frozenset({"staticmethod", "classmethod"})
_MOST_LISTED = 5


def flaw(tree: ast.Module, entry_points: Sequence[str], like: ast.Module | None) -> str:
    """Returns why a policy cannot be called as another one is, or '' if it can.

    It may be a function where the other is a method of ``Policy``.  It must take as many arguments by
    position as the other; what a value takes that is computed, nobody knows before it runs.
    """
    policy, other = _Policy(tree), None if like is None else _Policy(like)
    lacking = [name for name in entry_points if not isinstance(policy.offered.get(name), _CALLABLE)]
    if lacking:
        return policy.lack(lacking)
    for name in entry_points:
        takes, given = policy.arity(name), None if other is None else other.arity(name)
        if takes is not None and given is not None and not takes.agrees(given):
            beside = "" if policy.methods is None else " besides `self`"
            return f"`{name}` takes {takes}{beside}, but is called with {given}; keep its parameters"
    return ""


@dataclass(frozen=True, slots=True)
class _Arity:
    """How many arguments a function takes by position, ``self`` not counted."""

    least: float
    most: float

    def agrees(self, other: "_Arity") -> bool:
        """Returns whether some number of arguments suits both."""
        return max(self.least, other.least) <= min(self.most, other.most)

    def __str__(self) -> str:
        if self.least == math.inf:
            return "arguments by name"
        if self.most == math.inf:
            return f"{self.least} or more arguments"
        if self.least < self.most:
            return f"{self.least} to {self.most} arguments"
        return "1 argument" if self.most == 1 else f"{self.most} arguments"


class _Policy:
    """What a module binds and, if it has a class ``Policy``, what that and its bases in the module bind."""

    def __init__(self, tree: ast.Module) -> None:
        self.names = _names(tree.body)
        self.methods = _methods(self.names)
        self.offered = self.names if self.methods is None else self.methods

    def lack(self, lacking: Sequence[str]) -> str:
        """Returns that some entry points are not offered, and what is there instead."""
        needed = " and ".join(f"`{name}`" for name in lacking)
        if any(isinstance(self.offered.get(name), ast.AsyncFunctionDef) for name in lacking):
            return f"{needed} is asynchronous, but must be a plain function"
        if self.methods is not None:
            return f"the class `Policy` has no method {needed}, but is asked for it"
        found = [name for name, node in self.names.items() if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        more = " and more" if len(found) > _MOST_LISTED else ""
        listed = ", ".join(f"`{name}`" for name in found[:_MOST_LISTED]) or "no function"
        return f"the code defines {listed}{more}, but {needed} is needed"

    def arity(self, name: str) -> _Arity | None:
        """Returns what an entry point takes; None if only running it would tell."""
        node = self.offered.get(name)
        if isinstance(node, ast.Lambda):
            return _arity(node.args, 0 if self.methods is None else 1)
        if not isinstance(node, ast.FunctionDef):
            return None
        decorators = {part.id if isinstance(part, ast.Name) else "" for part in node.decorator_list}
        if not decorators <= _PLAIN_DECORATORS:
            return None
        return _arity(node.args, 0 if self.methods is None or "staticmethod" in decorators else 1)


def _arity(arguments: ast.arguments, bound: int) -> _Arity:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    if any(default is None for default in arguments.kw_defaults):
        return _Arity(math.inf, math.inf)  # no call names an argument
    least = max(0, positional - len(arguments.defaults) - bound)
    return _Arity(least, max(0, positional - bound) if arguments.vararg is None else math.inf)


def _methods(names: dict[str, _Bound]) -> dict[str, _Bound] | None:
    if not isinstance(names.get("Policy"), ast.ClassDef):
        return None
    found: dict[str, _Bound] = {}
    waiting, seen = ["Policy"], set[str]()
    while waiting:
        name = waiting.pop()
        node = names.get(name)
        if isinstance(node, ast.ClassDef) and name not in seen:
            seen.add(name)
            for method, bound in _names(node.body).items():
                found.setdefault(method, bound)
            waiting += [base.id for base in reversed(node.bases) if isinstance(base, ast.Name)]
    return found


def _names(block: Sequence[ast.stmt]) -> dict[str, _Bound]:
    """Returns what a module or class binds by definition or assignment, in whatever branch; the last one counts."""
    found: dict[str, _Bound] = {}
    for node in _statements(block):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found[target.id] = node.value
    return found


def _statements(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields statements in their order and those within them, but for functions and classes."""
    waiting = list(reversed(block))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for child in reversed(list(ast.iter_child_nodes(node))):
                if isinstance(child, ast.stmt):
                    waiting.append(child)
                elif isinstance(child, ast.ExceptHandler | ast.match_case):
                    waiting.extend(reversed(child.body))
