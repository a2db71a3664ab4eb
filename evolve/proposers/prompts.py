"""What a model is asked: templates that a user can read and replace, filled within a budget of tokens.

The system's part is the same for every question of a run and comes first, so that providers can cache
it.  Of the user's part, what helps least is left out first where it would be too long.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from evolve.models import estimated_tokens
from evolve.proposers.brief import Brief
from evolve.text import brief, inert, unified, visible
from evolve.types import Candidate, CaseResult, EvolveError

ANGLES = (
    "the cases that leave most to gain: what do they have in common?",
    "the decision that costs most when it is wrong, and what would tell beforehand that it is.",
    "what the policy could remember, count or estimate from what it has been asked so far.",
    "two regimes that want opposite decisions, and a signal that tells them apart.",
    "constants that should be functions of the input.",
    "looking one step further ahead before deciding.",
    "what another field does in this situation: control, queueing, caching, finance, or combinatorial optimisation.",
    "what can be left out, so that a simpler rule decides better on cases never seen.",
    "improving a finished decision in place: what small change of it would make it better?",
)
"""What a question may ask to think of first, so that two questions about one policy are not the same."""

OPERATORS = ("edit", "rewrite", "combine", "repair", "simplify", "new_direction", "notes")
NAMES = ("system", *OPERATORS)
_SYSTEM_FIELDS = frozenset({"name", "problem", "interface", "imports", "limits", "scoring"})
_USER_FIELDS = frozenset(
    {"number", "score", "policy", "results", "feedback", "inspirations", "history", "angle", "failure", "answer"}
) | {"notes", "hints"}
_SECTIONS = ("notes", "hints")
"""Fields that bring their own heading, or nothing at all; a template without them gets them at its end."""

_LEFT_OUT = "(left out for brevity)"
_NONE_YET = "(none yet)"
_MOST_FEEDBACK, _MOST_DIFF_LINES, _MOST_LINE = 1500, 60, 300
_MOST_TO_COMPARE = 250_000  # lines of one policy by lines of another; beyond, a diff could take minutes


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is to build on: the parent, other policies, what was tried, and what failed, if anything did.

    ``notes`` tell of all that was tried, ``hints`` are by the person who runs the search.
    """

    parent: Candidate
    inspirations: Sequence[Candidate] = ()
    history: Sequence[str] = ()
    angle: str = ""
    failure: str = ""
    answer: str = ""
    notes: str = ""
    hints: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of a situation is told; ``notes`` and ``hint`` (each of them) in characters."""

    history: int
    inspirations: int
    cases: int
    notes: int
    hint: int
    feedback: bool = True


_DETAILS = (
    _Detail(40, 3, 1000, 8000, 2000),
    _Detail(12, 3, 200, 8000, 2000),
    _Detail(6, 3, 60, 4000, 2000),
    _Detail(6, 2, 30, 4000, 1000),
    _Detail(4, 1, 20, 2000, 600),
    _Detail(2, 0, 10, 1000, 300),
    _Detail(0, 0, 5, 0, 100),
    _Detail(0, 0, 0, 0, 0, feedback=False),
)
"""From everything to the least that a question needs: the policy and the task."""


class Prompts:
    """The questions of one run about one problem, none longer than ``most_tokens``."""

    def __init__(self, templates: Mapping[str, Template], of: Brief, most_tokens: int) -> None:
        self._templates, self._brief, self._most_tokens = templates, of, most_tokens
        self.system = templates["system"].substitute(
            name=of.name,
            problem=of.text,
            interface=of.interface,
            imports=of.imports,
            limits=of.limits,
            scoring=of.scoring,
        )
        if self.room < most_tokens / 4:
            raise EvolveError(
                f"the text of {of.name} takes {estimated_tokens(self.system)} of the {most_tokens} tokens that a "
                "prompt may have; raise --prompt-tokens"
            )

    @property
    def call(self) -> str:
        """The function that a policy must offer."""
        return self._brief.call

    @property
    def room(self) -> int:
        """Tokens that are left for the user's part."""
        return self._most_tokens - estimated_tokens(self.system)

    @property
    def most_characters(self) -> int:
        """How long a policy may become, so that it can be shown again with what is to be said of it."""
        return self.room * 2

    def user(self, operator: str, situation: Situation) -> str | None:
        """Returns the user's part of a question; None if not even the least of it fits."""
        differences = [_difference(situation.parent, other) for other in situation.inspirations]
        for detail in _DETAILS:
            text = _filled(self._templates[operator], self._fields(situation, differences, detail))
            if estimated_tokens(text) <= self.room:
                return text
        return None

    def _fields(self, situation: Situation, differences: Sequence[str], detail: _Detail) -> dict[str, str]:
        parent = situation.parent
        score = parent.evaluation.score
        tried = list(situation.history)[len(situation.history) - min(detail.history, len(situation.history)) :]
        return {
            "number": str(parent.number),
            "score": "none" if score is None else f"{score:.4f}",
            "policy": fenced(parent.proposal.source, "python"),
            "results": self._results(parent.evaluation.cases, detail.cases),
            "feedback": _feedback(parent.evaluation.feedback) if detail.feedback else _LEFT_OUT,
            "inspirations": _listed(differences[: detail.inspirations], differences),
            "history": _listed([f"- {brief(line, _MOST_LINE)}" for line in tried], situation.history, "\n"),
            "angle": situation.angle,
            "failure": brief(situation.failure, 600),
            "answer": fenced(_cut(inert(situation.answer), 4000), "") if situation.answer else "",
            "notes": _notes(situation.notes, detail.notes),
            "hints": _hints(situation.hints, detail.hint),
        }

    def _results(self, cases: Sequence[CaseResult], most: int) -> str:
        """Lists the cases, those first that leave most to gain."""
        if not cases or not most:
            return _LEFT_OUT
        worst = sorted(cases, key=self._reached)[:most]
        lines = [self._line(case) for case in worst]
        more = len(cases) - len(worst)
        return "\n".join([*lines, f"- and {more} with less to gain"] if more else lines)

    def _reached(self, case: CaseResult) -> float:
        """Returns how near a case comes to its bound, or where there is none, to the reference."""
        bound, value = self._brief.bounds.get(case.case), case.metrics[self._brief.objective]
        if not bound or not value:
            return case.ratio
        return bound / value if self._brief.direction == "minimize" else value / bound

    def _line(self, case: CaseResult) -> str:
        sign = 1 if self._brief.direction == "minimize" else -1
        value = case.metrics[self._brief.objective]
        bound = self._brief.bounds.get(case.case)
        against = "" if bound is None else f", bound {bound:.5g}"
        return (
            f"- {brief(case.case, 80)}: {case.ratio:.3f} of the reference; {self._brief.objective} {value:.5g}, "
            f"reference {value * case.ratio**sign:.5g}{against}"
        )


def load(folder: Path | None = None) -> dict[str, Template]:
    """Returns the templates, those of ``folder`` in place of ours.

    Raises:
        EvolveError: a file is no template of ours, cannot be read, or has an unknown field.
    """
    texts = {name: files("evolve.proposers").joinpath("templates", f"{name}.md").read_text("utf-8") for name in NAMES}
    texts |= {} if folder is None else _overrides(folder)
    return {name: _checked(name, text) for name, text in texts.items()}


def write(folder: Path) -> list[Path]:
    """Writes the templates to a folder, for a user to change; returns their files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, template in load().items():
        path = folder / f"{name}.md"
        if path.exists():
            raise EvolveError(f"{path} is there already; give another folder")
        path.write_text(template.template, encoding="utf-8")
        written.append(path)
    return written


def fenced(text: str, language: str) -> str:
    """Returns text, without control characters, in a code block that nothing in it can end."""
    text = visible(text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _overrides(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise EvolveError(f"no folder {folder} with templates; `evolve prompt PROBLEM --write {folder}` makes one")
    found = {}
    for file in sorted(folder.glob("*.md")):
        if file.stem not in NAMES:
            close = difflib.get_close_matches(file.stem, NAMES, 1)
            hint = f"did you mean {close[0]}.md?" if close else f"there are {', '.join(NAMES)}"
            raise EvolveError(f"{file} is no template; {hint}")
        try:
            found[file.stem] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EvolveError(f"cannot read the template {file}: {error}") from error
    return found


def _checked(name: str, text: str) -> Template:
    template, known = Template(text), _SYSTEM_FIELDS if name == "system" else _USER_FIELDS
    if not template.is_valid():
        raise EvolveError(f"the template {name}.md has a $ that begins no field; write $$ for a dollar sign")
    for field in template.get_identifiers():
        if field not in known:
            close = difflib.get_close_matches(field, known, 1)
            hint = f"did you mean ${close[0]}?" if close else f"there are {', '.join(sorted(known))}"
            raise EvolveError(f"the template {name}.md has an unknown field ${field}; {hint}")
    return template


def _filled(template: Template, fields: Mapping[str, str]) -> str:
    """Returns a question; an empty section leaves no gap, and one that the template does not name comes last."""
    text = template.template
    for name in _SECTIONS:
        if not fields[name]:
            text = re.sub(rf"^\$(?:{name}|{{{name}}})[ \t]*\n\n?", "", text, flags=re.MULTILINE)
    more = [fields[name] for name in _SECTIONS if fields[name] and name not in template.get_identifiers()]
    filled = Template(text).substitute(fields)
    return "\n\n".join([filled.rstrip("\n"), *more]) + "\n" if more else filled


def _notes(notes: str, most: int) -> str:
    return f"# Notes of what was tried so far\n\n{fenced(_cut(inert(notes), most), '')}" if notes and most else ""


def _hints(hints: Sequence[str], most: int) -> str:
    """Returns what a person said, a line each, so that nothing in it is taken for a heading."""
    said = [f"- {brief(hint, most)}" for hint in hints] if most else []
    return "\n".join(["# From the person who runs this search\n", *said]) if said else ""


def _difference(parent: Candidate, other: Candidate) -> str:
    title = f"candidate {other.number}, score {other.score:.4f}"
    old, new = parent.proposal.source, other.proposal.source
    if old.count("\n") * new.count("\n") > _MOST_TO_COMPARE:
        lines = None
    else:
        lines = unified(old, new, f"candidate {parent.number}", title, context=1)
    if lines is None or len(lines) > _MOST_DIFF_LINES:  # another design: it is told better whole
        return f"{title}:\n{fenced(new, 'python')}"
    return f"{title}:\n{fenced(chr(10).join(lines), 'diff')}"


def _listed(shown: Sequence[str], whole: Sequence[object], between: str = "\n\n") -> str:
    return between.join(shown) or (_LEFT_OUT if whole else _NONE_YET)


def _feedback(text: str) -> str:
    said = _cut(inert(text), _MOST_FEEDBACK).strip()
    return fenced(said, "") if said else "(the problem says nothing of them)"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} [cut]"
