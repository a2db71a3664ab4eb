"""How a policy answers to load, skew and noise, as a table and in words."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from evolve.report import tables
from evolve.robustness import Setting, Side, side
from evolve.statistics import Interval
from evolve.text import brief
from evolve.types import Verdict

REFERENCE = "reference"
_NAME = 60
_FEEDBACK = 300
_ALONE = "each interval is a 95% one by itself: of twenty about one is off by chance"
Intervals = Mapping[str, Mapping[str, Interval]]
"""What a policy reached against each rival, and there under each setting."""


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
    """Returns short phrases on where the policy fails, is worse, cannot be told apart, or is ahead throughout.

    What decides is the 95% interval of a setting: all of it below one is worse, all of it above one is ahead.
    """
    known = _intervals(settings)
    phrases = [
        f"{verdict} under {_places({each.name for each in settings if _verdict(each) is verdict}, settings)}"
        for verdict in dict.fromkeys(map(_verdict, settings))
        if verdict is not Verdict.OK
    ]
    phrases += [phrase for rival, found in known.items() for phrase in _worse(rival, found)]
    phrases += [phrase for rival, found in known.items() for phrase in _alike(rival, found, settings)]
    return phrases + [phrase for rival, found in known.items() for phrase in _ahead(rival, found, settings)]


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
    return "-" if interval is None else f"{interval.mean:.3f} {tables.interval(interval)}"


def _rivals(settings: Sequence[Setting]) -> list[str]:
    return list(dict.fromkeys(duel.baseline for each in settings for duel in each.duels))


def _intervals(settings: Sequence[Setting]) -> Intervals:
    """Returns the intervals against the reference, then those against every other rival."""
    found: dict[str, dict[str, Interval]] = {}
    for each in settings:
        if each.found.interval is not None:
            found.setdefault(REFERENCE, {})[each.name] = each.found.interval
    for each in settings:
        for duel in each.duels:
            found.setdefault(duel.baseline, {})[each.name] = duel.interval
    return found


def _worse(rival: str, found: Mapping[str, Interval]) -> list[str]:
    where = [
        f"{_name(name)} ({_figures(interval)})" for name, interval in found.items() if side(interval) is Side.WORSE
    ]
    return [f"worse than {_called(rival)} under {_listed(where)}"] if where else []


def _alike(rival: str, found: Mapping[str, Interval], settings: Sequence[Setting]) -> list[str]:
    where = {name for name, interval in found.items() if side(interval) is Side.NOT_TOLD_APART}
    return [f"not told apart from {_called(rival)} under {_places(where, settings)}"] if where else []


def _ahead(rival: str, found: Mapping[str, Interval], settings: Sequence[Setting]) -> list[str]:
    """Names the conditions under every setting of which the policy is ahead."""
    whole, _ = _grouped({name for name, interval in found.items() if side(interval) is Side.BETTER}, settings)
    return [f"ahead of {_called(rival)} under every setting of {_listed(whole)}"] if whole else []


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
