"""An explanation on paper: the conclusion, what each hunk is worth, the smallest difference, wins and losses."""

import shlex
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Self, TextIO

from evolve.explaining.by_case import Against, ByCase
from evolve.explaining.explanation import Explanation, Size
from evolve.explaining.judged import FRESH
from evolve.explaining.trim import Idle
from evolve.explaining.worth import Effect, Worth
from evolve.folder import RunFolder
from evolve.problem import Problem
from evolve.publication.losses import Group
from evolve.report import paint, robustness, tables
from evolve.report.diffs import unified
from evolve.text import brief, counted, inert

_WIDTH = 110
_UNSEEN = (
    "the search pressed on train and validation chose its best, so gains there flatter; the fresh cases, drawn as "
    "sealed ones are, had no part in anything"
)
_NO_FRESH = "no cases are left that had no part in that: those of the test split are recorded and public"
_MOST_LINES = 12
"""Of one hunk that are shown, and of what has no effect."""


class Progress:
    """A line on a terminal that says how far an explanation has come, cleared at the end; elsewhere a line a step."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._shown = stream, stream.isatty()

    def __call__(self, said: str) -> None:
        """Shows it, in place of what was shown before; figures only on a terminal."""
        if not self._shown and not said[:1].isdigit():
            print(brief(said, 200), "...", file=self._stream, flush=True)
        self._write(f"\r\x1b[K{brief(said, 75)} ...")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._shown:
            print(text, end="", file=self._stream, flush=True)


def describe(found: Explanation, problem: Problem, folder: RunFolder, *, colour: bool) -> str:
    """Returns all that was found out, the conclusion first."""
    parts = [
        [inert(conclusion(found)), *_marks(found)],
        _scores(found),
        _hunks(found, colour=colour),
        _smallest(found, colour=colour),
        _idle(found),
        _by_case(found.by_case, _called(found), problem),
        _conditions(found),
        _files(found, folder),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def conclusion(found: Explanation) -> str:
    """Returns in a sentence or two what the policy is worth, to what it owes that, and how little of it is enough."""
    needed = sum(worth.needed for worth in found.hunks)
    cases, hunks = f"the {_called(found)} cases", counted(len(found.hunks), "hunk")
    parts = f"against {found.base} it is {hunks}"
    if found.lead_kept is None:
        why = f"{found.base} has no score" if found.gain is None else f"no better than {found.base}"
        return f"{found.problem} #{found.number}: {why} on {cases}; {parts}; what does as well has {_sizes(found)}"
    if found.rival != found.base and found.gain is not None:
        parts += f" ({found.gain - 1:+.2%})"
    share = f"{1 - found.tolerance:.0%} of the lead"
    kept = f"the smallest diff that keeps {_kept(found.lead_kept)} of the lead has {_sizes(found)}"
    return f"{found.problem} #{found.number}: {_lead(found)} on {cases}{_fresh(found)}; {parts}, {needed} of which " + (
        f"{'is' if needed == 1 else 'are'} needed to keep {share}; {kept}"
    )


def _sizes(found: Explanation) -> str:
    if found.smallest == found.whole:
        return f"all of its {_sized(found.whole)}"
    return f"{_sized(found.smallest)} instead of {_sized(found.whole)}"


def _lead(found: Explanation) -> str:
    """Returns what the smallest difference has to keep: how much better the policy is, and than what."""
    lead = "better" if found.lead is None else f"{found.lead - 1:+.2%}"
    return f"{lead} over {brief(found.rival, 60)}"


def _fresh(found: Explanation) -> str:
    """Returns what is left of the lead on cases that neither the search nor the choice of its best has seen."""
    fresh = found.scores.get(FRESH)
    if fresh is None or fresh.policy is None or fresh.rival is None:
        return ""
    return f", {fresh.policy / fresh.rival - 1:+.2%} on fresh ones"


def _kept(share: float | None) -> str:
    """Returns a share of the lead in percent; of one that is next to nothing it says little."""
    if share is None:
        return "no lead"
    return "over 200%" if share > 2 else tables.share(share)


def _marks(found: Explanation) -> list[str]:
    """Returns what has to be known before any figure is believed."""
    marks = [tables.UNSAFE] if found.unsafe else []
    if found.searched:
        marks.append(f"judged on the {_called(found)} cases, which the search saw: what fits only them shows as gain")
    if found.noisy:
        marks.append("the objective is measured and noisy: where only times differ, small effects are not told apart")
    if found.exhausted:
        variants = counted(found.most, "variant")
        marks.append(
            f"not everything was tried with {variants}; with more (--evaluations N) the diff may become smaller"
        )
    return [*marks, found.note] if found.note else marks


def _scores(found: Explanation) -> list[str]:
    headings = [each for name in found.scores for each in (f"{brief(name, 30)} score", "kept")]
    scores = found.scores.values()
    rows = [_scored(found.base, "0", [each.base for each in scores])]
    if found.rival != found.base:
        rows.append(_scored(found.rival, "", [each.rival for each in scores]))
    rows += [
        _scored(f"#{found.number}", _size(found.whole), [each.policy for each in scores]),
        _scored(
            "smallest diff",
            _size(found.smallest),
            [each.minimised for each in scores],
            [_kept(each.kept) for each in scores],
        ),
    ]
    chosen = brief(" and on ".join(name for name in found.scores if name != FRESH), 80)
    kept = f"it had to keep at least {1 - found.tolerance:.0%} of that on {chosen}, where it was chosen"
    if found.lead_kept is None:
        kept = f"the smallest diff had to do as well on {chosen}"
    unseen = _UNSEEN if found.fresh else _NO_FRESH
    return [
        tables.table(("policy", "lines", *headings), rows),
        f"lines: removed and added; kept: of the lead over {brief(found.rival, 60)}, of logarithms",
        kept,
        unseen,
    ]


def _scored(name: str, size: str, scores: Sequence[float | None], kept: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns a line on a policy: its score on each set of cases, and what it keeps there."""
    pairs = zip_longest((tables.number(score, 4) for score in scores), kept, fillvalue="")
    return brief(name, 60), size, *(cell for pair in pairs for cell in pair)


def _hunks(found: Explanation, *, colour: bool) -> list[str]:
    rows = [
        (
            str(worth.number),
            str(worth.line),
            _lines(len(worth.old), len(worth.new)),
            *_effect(worth.policy),
            *_effect(worth.alone),
            _note(worth),
        )
        for worth in found.hunks
    ]
    if not rows:
        return []
    headings = ("hunk", "line", "lines", "worth", "95% interval", "alone", "95% interval", "")
    table = _ragged(headings, rows)
    comments = found.comments.removed + found.comments.added
    return [
        table,
        "worth: the policy with the hunk against the policy without it; alone: the base with only the hunk against it",
        *([f"not among them: comments, docstrings and layout ({_size(found.comments)} lines)"] if comments else []),
        "",
        *(line for worth in found.hunks for line in _text(worth, colour=colour)),
    ]


def _ragged(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table whose last column is words."""
    left = tables.table(headings[:-1], [row[:-1] for row in rows], left=0).splitlines()
    words = ["", "", *(row[-1] for row in rows)]
    return "\n".join(f"{line}  {word}".rstrip() for line, word in zip(left, words, strict=True))


def _effect(effect: Effect) -> tuple[str, str]:
    factor = effect.factor
    return ("-", "-") if factor is None else (tables.number(factor.mean, 4), tables.interval(factor, 4))


def _note(worth: Worth) -> str:
    notes = [worth.policy.note, worth.alone.note]
    if worth.policy.none:
        notes.insert(0, "no effect")
    elif worth.alone.none:
        notes.append("alone it changes no case")
    return "; ".join(brief(note, 60) for note in notes if note)


def _text(worth: Worth, *, colour: bool) -> Iterator[str]:
    lines = [*(("-", line) for line in worth.old), *(("+", line) for line in worth.new)]
    yield f"hunk {worth.number}, line {worth.line}:"
    for mark, line in lines[:_MOST_LINES]:
        text = f"{mark}{brief_line(line)}"
        yield paint.painted(text, paint.ADDED if mark == "+" else paint.REMOVED) if colour else text
    if len(lines) > _MOST_LINES:
        yield f"  ... and {counted(len(lines) - _MOST_LINES, 'more line')}"


def brief_line(line: str) -> str:
    """Returns a line of code as it is indented, cut to what fits."""
    shown = inert(line[: 2 * _WIDTH])
    return shown if len(line) <= _WIDTH else f"{shown[: _WIDTH - 3]}..."


def _smallest(found: Explanation, *, colour: bool) -> list[str]:
    diff = unified(found.base_source, found.minimised, found.base, f"minimised-{found.number}.py", colour=colour)
    return [f"the smallest diff found that is enough, {_sized(found.smallest)}:", diff] if diff else []


def _idle(found: Explanation) -> list[str]:
    cases = f"no {_called(found)} case"
    parts = [
        *_named(
            found.dead,
            f"dead code: each can be taken out, with those before it, and {cases} changes; others may need it",
        ),
        *_named(found.constants, f"constants without effect: other numbers in their place change {cases}"),
    ]
    return parts or ["no dead code and no constants without effect were found in the lines that differ"]


def _named(idle: Sequence[Idle], head: str) -> list[str]:
    lines = [f"  line {each.line}: {each.kind} `{brief(each.text, 80)}`" for each in idle[:_MOST_LINES]]
    more = [f"  ... and {len(idle) - _MOST_LINES} more"] if len(idle) > _MOST_LINES else []
    return [head, *lines, *more] if idle else []


def _by_case(found: ByCase, cases: str, problem: Problem) -> list[str]:
    rows = [
        (
            brief(duel.baseline, 60),
            tables.number(duel.interval.mean, 4),
            tables.interval(duel.interval, 4),
            *map(str, (duel.better, duel.equal, duel.worse)),
            tables.number(small.interval.mean, 4),
            tables.interval(small.interval, 4),
        )
        for duel, small in zip(found.duels, found.minimised, strict=True)
    ]
    headings = (
        f"by {cases} case, against",
        "ratio",
        "95% interval",
        "better",
        "equal",
        "worse",
        "smallest diff",
        "95% interval",
    )
    failed = [f"{brief(name, 60)} is {brief(why, 300)}" for name, why in found.failed.items()]
    details = [line for against in found.against for line in _against(against)]
    return [tables.table(headings, rows), *failed, "", *details, *_farthest(found, problem)]


def _against(against: Against) -> list[str]:
    lost, name = against.losses, brief(against.losses.against, 60)
    rows = [("best", brief(case.case, 50), f"{case.ratio:.3f}") for case in against.best]
    rows += [("worst", brief(case.case, 50), f"{case.ratio:.3f}") for case in lost.worst]
    groups = [_group(group) for group in lost.groups]
    head = f"against {name}"
    table = [tables.table((head, "case", "ratio"), rows, left=2)] if rows else [f"{head}: no case differs"]
    apart = ["", tables.table((f"{head}, cases", "number", "ratio", "worse on"), groups)] if groups else []
    return [*table, *apart, ""]


def _group(group: Group) -> tuple[str, ...]:
    return brief(group.word, 50), str(group.cases), f"{group.ratio:.3f}", str(group.worse)


def _farthest(found: ByCase, problem: Problem) -> list[str]:
    if found.gap is None:
        return [f"no bound is known for {problem.objective} on these cases"]
    rows = [(brief(case.case, 50), f"{case.ratio:.3f}") for case in found.farthest]
    closed = f"gap to the bound closed: {tables.share(found.gap)}"
    return [tables.table(("farthest from the bound", "reached of it"), rows), closed] if rows else [closed]


def _conditions(found: Explanation) -> list[str]:
    if not found.conditions:
        return ["no conditions declared: the problem does not say how to try a policy under load, skew or noise"]
    settings = found.conditions
    return [f"under conditions, #{found.number}:", *robustness.table(settings), *robustness.words(settings)]


def _files(found: Explanation, folder: RunFolder) -> list[str]:
    run, number = shlex.quote(str(folder.path)), found.number
    return [
        f"judged     {counted(found.evaluations, 'variant')} on {counted(found.number_of_cases, 'case')} each "
        f"(at most {found.most:,}); sealed cases were not touched",
        inert(f"minimised  {folder.minimised(number)}"),
        inert(f"record     {folder.explanation(number)}"),
        inert(f"next       evolve verify {run}    on sealed cases, with the smallest diff of the best beside it"),
        inert(f"           evolve export {run} {number} --minimised --to REPO    a branch in your repository"),
    ]


def _called(found: Explanation) -> str:
    return brief(found.cases, 40)


def _size(size: Size) -> str:
    return _lines(size.removed, size.added)


def _sized(size: Size) -> str:
    """Returns lines and words: a line may be changed more or less."""
    return f"{_size(size)} lines ({counted(size.words, 'word')})"


def _lines(removed: int, added: int) -> str:
    return f"-{removed} +{added}" if removed or added else "0"
