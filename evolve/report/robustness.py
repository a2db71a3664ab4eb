"""How a policy answers to load, skew and noise, as a table and in words."""

from collections.abc import Collection, Iterable, Sequence

from evolve.report import tables
from evolve.robustness import REFERENCE, Setting, Side
from evolve.statistics import Interval
from evolve.text import brief
from evolve.types import Verdict

_NAME = 60
_FEEDBACK = 300
_ALONE = "each interval is a 95% one by itself; what is said in words holds for all of them together"


def table(settings: Sequence[Setting]) -> list[str]:
    """Returns a line for each setting: scores, against the reference and each other rival, and share of the gap.

    Below is why the policy failed where it did; without settings, a line that says that there are none.
    """
    if not settings:
        return ["no conditions declared"]
    others = [name for name in _rivals(settings) if name != REFERENCE]
    heads = (
        "condition",
        "setting",
        "cases",
        "verdict",
        f"against {REFERENCE}",
        *(f"against {name}" for name in others),
    )
    rows = [_row(each, others) for each in settings]
    failed = [
        f"{_name(each.name)}: {brief(each.found.evaluation.feedback, _FEEDBACK)}"
        for each in settings
        if each.found.evaluation.score is None
    ]
    return [*tables.table((*heads, "gap closed"), rows, left=2).splitlines(), _ALONE, *failed]


def words(settings: Sequence[Setting]) -> list[str]:
    """Returns short phrases on where the policy fails, and on where it is worse or ahead, for each rival.

    What decides is a test that is corrected for the number of looks (``evolve.robustness.told``), no interval alone.
    """
    failures = [
        f"{verdict} under {_places({each.name for each in settings if _verdict(each) is verdict}, settings)}"
        for verdict in dict.fromkeys(map(_verdict, settings))
        if verdict is not Verdict.OK
    ]
    rivals = dict.fromkeys(rival for each in settings for rival in each.sides)
    return [*failures, *(_against(rival, settings) for rival in rivals)]


def _against(rival: str, settings: Sequence[Setting]) -> str:
    """Returns what may be said against one rival: where the policy is worse, where ahead, and what is left."""
    known = [each for each in settings if rival in each.sides]
    where = {side: [each for each in known if each.sides[rival] is side] for side in Side}
    parts = []
    if worse := where[Side.WORSE]:
        parts.append(f"worse than {_called(rival)} under {_listed(_with_interval(each, rival) for each in worse)}")
    if ahead := where[Side.BETTER]:
        parts.append(f"ahead of {_called(rival)} under {_places({each.name for each in ahead}, settings)}")
    if where[Side.NOT_TOLD_APART] and parts:
        return f"{'; '.join(parts)}; not told apart under the others"
    return "; ".join(parts) or f"not told apart from {_called(rival)} under any condition"


def _with_interval(each: Setting, rival: str) -> str:
    against = {duel.baseline: duel.interval for duel in each.duels}
    return f"{_name(each.name)} ({_figures(each.found.interval if rival == REFERENCE else against.get(rival))})"


def _row(each: Setting, others: Sequence[str]) -> tuple[str, ...]:
    against = {duel.baseline: duel.interval for duel in each.duels}
    return (
        brief(each.condition, _NAME),
        brief(each.setting, _NAME),
        str(each.cases),
        tables.verdict(each.found.evaluation),
        _figures(each.found.interval),
        *(_figures(against.get(name)) for name in others),
        tables.share(each.found.gap),
    )


def _figures(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.mean:.4f} {tables.interval(interval, 4)}"


def _rivals(settings: Sequence[Setting]) -> list[str]:
    return list(dict.fromkeys(duel.baseline for each in settings for duel in each.duels))


def _places(names: Collection[str], settings: Sequence[Setting]) -> str:
    """Names settings, those of a whole condition together: "noise=none and every setting of load"."""
    whole, others = _grouped(names, settings)
    return _listed([*others, *([f"every setting of {_listed(whole)}"] if whole else [])])


def _grouped(names: Collection[str], settings: Sequence[Setting]) -> tuple[list[str], list[str]]:
    """Returns the conditions all of whose settings are named, and the names of other conditions' settings."""
    broken = {each.condition for each in settings if each.name not in names}
    whole = dict.fromkeys(each.condition for each in settings if each.condition not in broken)
    others = [each.name for each in settings if each.name in names and each.condition in broken]
    return [*map(_name, whole)], [*map(_name, others)]


def _verdict(each: Setting) -> Verdict:
    return each.found.evaluation.verdict


def _called(rival: str) -> str:
    return f"the {REFERENCE}" if rival == REFERENCE else _name(rival)


def _name(name: str) -> str:
    return brief(name, _NAME)


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
