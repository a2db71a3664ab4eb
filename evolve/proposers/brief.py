"""What a model is told of a problem: its text, the interface with types, the rules and how scores are made."""

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evolve.cases import CaseSet, blaming
from evolve.problem import Call, Problem, ProblemError
from evolve.sandbox.imports import NUMPY, STANDARD
from evolve.text import brief

_MOST_KEYS, _MOST_CHARACTERS, _DEEPEST = 30, 200, 3


@dataclass(frozen=True, slots=True)
class Brief:
    """A problem in words.  ``bounds`` are by case; ``call`` names what a policy must offer."""

    name: str
    text: str
    objective: str
    direction: str
    interface: str
    imports: str
    limits: str
    scoring: str
    call: str
    bounds: Mapping[str, float]


def briefing(problem: Problem, cases: CaseSet) -> Brief:
    """Returns what a model may know: the problem and the cases it is searched on, nothing of other splits.

    Raises:
        ProblemError: the simulator fails before its first question.
    """
    call = _first_call(problem, cases)
    limits = problem.limits.over(len(cases), proving=False)
    return Brief(
        name=problem.name,
        text=inspect.cleandoc(type(problem).__doc__ or ""),
        objective=problem.objective,
        direction=problem.direction,
        interface=_interface(call, problem.baselines()[0].source),
        imports=", ".join([*STANDARD, *(name for name in NUMPY if name.count(".") == 0), *problem.imports]),
        limits=(
            f"Limits for all {len(cases)} cases together: {limits.cpu_seconds:g} s of CPU and "
            f"{limits.wall_seconds:g} s of waiting; {limits.call_seconds:g} s for a call; {limits.memory_mib} MiB"
        ),
        scoring=_scoring(problem, cases),
        call=call.name,
        bounds={} if cases.bounds is None else dict(zip(cases.labels, cases.bounds, strict=True)),
    )


def _first_call(problem: Problem, cases: CaseSet) -> Call:
    with blaming(problem, "simulate"):
        simulation = problem.simulate(cases.cases[0])
        call = next(simulation, None)
        simulation.close()
    if not isinstance(call, Call):
        raise ProblemError(f"{problem.name}: the simulator asks nothing on {cases.labels[0]}, so no model can help")
    return call


def _scoring(problem: Problem, cases: CaseSet) -> str:
    better = "lower" if problem.direction == "minimize" else "higher"
    bound = " Where a bound is shown, no policy at all can do better than it." if cases.bounds is not None else ""
    goal = f"What counts here is the objective `{problem.chosen}`. " if problem.chosen else ""
    return (
        f"{goal}A {better} `{problem.objective}` is better. On each case the score is the ratio to a reference policy "
        "on that case, turned so that larger is better; the policy's score is the geometric mean over the cases: 1.00 "
        f"is the reference, 1.30 is 30% better.{bound}{_kept(problem)}"
    )


def _kept(problem: Problem) -> str:
    """Returns in words what a policy must keep to besides."""
    return "".join(
        f" A policy is INVALID if its `{constraint.metric}` ({constraint.direction} it) comes to less than "
        f"{constraint.least:g} of the reference's, on the geometric mean over the cases of that ratio."
        for constraint in problem.constraints
    )


def _interface(call: Call, reference: str) -> str:
    names = _parameters(call, reference)
    lines = [f"`{call.name}({', '.join(names)})`, asked for example with:", ""]
    lines += [f"- `{name}`: {kind_of(value)}" for name, value in zip(names, call.arguments, strict=True)]
    if call.returns is not Any:
        lines += ["", f"It must return: `{inspect.formatannotation(call.returns)}`"]
    return "\n".join(lines)


def _parameters(call: Call, reference: str) -> list[str]:
    """Returns the names that the reference gives to what it is called with."""
    for node in ast.walk(ast.parse(reference)):
        if isinstance(node, ast.FunctionDef) and node.name == call.name:
            names = [argument.arg for argument in node.args.args if argument.arg != "self"]
            if len(names) == len(call.arguments):
                return names
    return [f"argument_{number}" for number in range(1, len(call.arguments) + 1)]


def kind_of(value: Any, deep: int = 0) -> str:
    """Returns the type of a value of the wire, with its shape and an example."""
    if isinstance(value, np.ndarray):
        return f"numpy array of {value.dtype}, shape {value.shape}"
    if deep == _DEEPEST:
        return type(value).__name__
    if isinstance(value, dict):
        return _kind_of_dict(value, deep)
    if isinstance(value, (list, tuple)):
        return f"list of {len(value)}, each like: {kind_of(value[0], deep + 1)}" if value else "list"
    return f"{type(value).__name__} (such as {brief(repr(value), _MOST_CHARACTERS)})"


def _kind_of_dict(value: Mapping[Any, Any], deep: int) -> str:
    if not value:
        return "dict"
    items = list(value.items())
    if len(items) > _MOST_KEYS or not all(isinstance(key, str) for key in value):
        key, item = items[0]
        return f"dict of {len(items)}, such as {key!r}: {kind_of(item, deep + 1)}"
    inner = "; ".join(f"{key!r}: {kind_of(item, deep + 1)}" for key, item in items)
    return f"dict with {inner}"
