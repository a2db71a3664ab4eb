"""What in a verification or an explanation cannot be: it does not fit the run's journal, or itself.

Such files may come from anybody.  What a journal holds is recomputed from it, so that whoever changes a figure has to
change the journal as well.  Each function returns a sentence on the first thing that does not fit, or nothing.
"""

import math
import re
from collections.abc import Iterator, Sequence

from evolve.duel import Duel, paired
from evolve.explaining.base import start
from evolve.explaining.scores import Scores
from evolve.export.figures import Explanation, Lesser, Record, Stood
from evolve.journal import Journal
from evolve.statistics import EQUAL, Interval, geometric_mean, paired_bootstrap
from evolve.types import Evaluation, Layer, Verdict

_SECRET = re.compile(r"[0-9a-f]{32}")
_ROUNDING = 1e-6
"""Relative: other machines add up in another order."""

FRESH = "fresh"
_DIRECTIONS = {"minimize": 1, "maximize": -1}


def in_verification(found: Record, journal: Journal, *, again: bool) -> str:
    """Says what does not fit in a verification of the candidate that it names.

    ``again``: evaluations in the journal are of an earlier verification, and only what rests on none is looked at.
    """
    return _first(_in_verification(found, journal, again=again))


def in_explanation(found: Explanation, journal: Journal, *, again: bool) -> str:
    """Says what does not fit in an explanation of the candidate that it names.

    ``again``: what was measured is never twice the same, and scores are not compared.
    """
    return _first(_in_explanation(found, journal, again=again))


def _first(wrong: Iterator[str]) -> str:
    try:
        return next(wrong, "")
    except (ArithmeticError, ValueError):
        return "its figures, or those of the journal, are too large or too small for any policy"


def _in_verification(found: Record, journal: Journal, *, again: bool) -> Iterator[str]:
    baselines, seal = list(journal.baselines().items()), journal.seal()
    names, numbers = [name for name, _ in baselines], [*(number for _, number in baselines), found.number]
    judged = [journal.evaluation(number, "test") for number in numbers]
    if not names or [row.name for row in found.standings] != [*names, f"#{found.number}"]:
        yield "its baselines are not those of the journal"
        return
    evaluations = [evaluation for evaluation in judged if evaluation is not None]
    if len(evaluations) < len(judged) or seal.turns is None or found.uses > seal.uses:
        yield "it tells of a use of the sealed cases that the journal does not know"
        return
    if not _SECRET.fullmatch(found.secret) or found.direction not in _DIRECTIONS or found.cases < 1:
        yield "its secret, its direction or its number of cases is none"
    if found.baseline != next((name for name, number in baselines if number == found.number), None):
        yield f"it does not say which baseline candidate {found.number} is"
    if any(name not in names or evaluations[names.index(name)].verdict is not Verdict.INVALID for name in found.barred):
        yield "it bars a baseline that broke no rule"
    yield from (wrong for row in found.standings if (wrong := _of_row(row, found)))
    yield from _of_duels(found)
    if found.minimised is not None and (wrong := _of_lesser(found.minimised, found)):
        yield wrong
    if not again:
        for row, evaluation in zip(found.standings, evaluations, strict=True):
            yield from _beside_journal(row, evaluation, found)
        yield from _beside_cases(found, evaluations)


def _of_row(row: Stood, found: Record) -> str:
    """Says what is wrong with one standing by itself."""
    score, interval = row.evaluation.score, row.interval
    if row.evaluation.verdict not in set(Verdict) or not set(row.evaluation.layers) <= set(Layer):
        return "a verdict or a wall is none that there is"
    if (score is None) == (row.evaluation.verdict == Verdict.OK):
        return "a policy has a score without the verdict OK, or the other way round"
    if score is None:
        return "" if interval is None and row.mean is None and row.gap is None else "figures stand without a score"
    if interval is None or not _is_interval(interval, found.cases) or not _near(interval.mean, score):
        return "a score lies outside of its interval, or is not positive"
    if row.mean is None or (row.gap is not None and (found.mean_bound is None or row.gap > 1 + _ROUNDING)):
        return "a mean is missing, or more of the gap is closed than there is"
    if found.mean_bound is not None and _DIRECTIONS[found.direction] * (row.mean - found.mean_bound) < -_slack(
        row.mean
    ):
        return "a policy does better than the bound"
    return ""


def _of_duels(found: Record) -> Iterator[str]:
    scored = [row.name for row in found.standings[:-1] if row.evaluation.score is not None]
    if [duel.baseline for duel in found.duels] != (scored if found.found.evaluation.score is not None else []):
        yield "its duels are not those with every baseline that has a score"
    for duel in found.duels:
        counts = (duel.better, duel.equal, duel.worse)
        if min(counts) < 0 or sum(counts) != found.cases or not _is_interval(duel.interval, found.cases):
            yield "the counts of a duel do not add up to the cases, or its interval is none"


def _of_lesser(lesser: Lesser, found: Record) -> str:
    """Says what is wrong with the standing of the smallest diff, which is in no journal."""
    return wrong and f"of the smallest diff, {wrong}" if (wrong := _of_row(lesser.standing, found)) else ""


def _beside_journal(row: Stood, judged: Evaluation, found: Record) -> Iterator[str]:
    """Says where a standing differs from the evaluation in the journal."""
    said, score = row.evaluation, judged.score
    if (said.verdict, said.layers) != (str(judged.verdict), tuple(map(str, judged.layers))):
        yield "a verdict or a wall is not that of the journal"
    if (said.score is None) != (score is None) or (said.score is not None and not _near(said.score, score or 0.0)):
        yield "a score is not that of the journal"
    elif score is not None:
        yield from _beside_results(row, judged, found)


def _beside_results(row: Stood, judged: Evaluation, found: Record) -> Iterator[str]:
    """Says where the figures of a policy with a score do not follow from its cases in the journal."""
    ratios = [result.ratio for result in judged.cases]
    own = [result.metrics.get(found.objective, math.nan) for result in judged.cases]
    if len(ratios) != found.cases or not all(0 < ratio < math.inf for ratio in ratios):
        yield "the journal has another number of cases"
        return
    assert row.interval is not None
    assert row.mean is not None
    if not _near(geometric_mean(ratios), row.interval.mean) or not _is_drawn(row.interval, ratios):
        yield "a score or its interval does not follow from the cases in the journal"
    raw = math.fsum(own) / len(own)
    if not raw - _slack(raw) <= row.mean <= max(own) + _slack(raw):  # a floor of the problem can raise it; NaN fails
        yield "a mean does not follow from the cases in the journal"
    elif found.mean_bound is not None and _near(raw, row.mean):
        yield from _of_gap(row, own, ratios, found)


def _of_gap(row: Stood, own: Sequence[float], ratios: Sequence[float], found: Record) -> Iterator[str]:
    assert found.mean_bound is not None
    sign = _DIRECTIONS[found.direction]
    reference = math.fsum(value * ratio**sign for value, ratio in zip(own, ratios, strict=True)) / len(own)
    distance, closed = reference - found.mean_bound, reference - math.fsum(own) / len(own)
    if (row.gap is None) != (distance == 0) or (
        row.gap is not None and not _near(row.gap * distance, closed, reference)
    ):
        yield "the gap that is closed does not follow from the cases in the journal"


def _beside_cases(found: Record, evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """Says where a duel does not follow from the cases in the journal."""
    by_name = dict(zip((row.name for row in found.standings), evaluations, strict=True))
    for duel in found.duels:
        ratios = paired(evaluations[-1], by_name[duel.baseline])
        if not _is_of(duel, ratios) or not _is_drawn(duel.interval, ratios):
            yield "a duel does not follow from the cases in the journal"


def _is_of(duel: Duel, ratios: Sequence[float]) -> bool:
    better, equal = sum(ratio > 1 + EQUAL for ratio in ratios), sum(abs(ratio - 1) < EQUAL for ratio in ratios)
    return (duel.better, duel.equal) == (better, equal) and _near(geometric_mean(ratios), duel.interval.mean)


def _is_drawn(interval: Interval, ratios: Sequence[float]) -> bool:
    """Says whether an interval is the bootstrap's, where that is known: of cases that are independent."""
    if interval.stretches < len(ratios):
        return True
    drawn = paired_bootstrap(ratios, range(len(ratios)))
    return _near(drawn.low, interval.low) and _near(drawn.high, interval.high)


def _is_interval(interval: Interval, cases: int) -> bool:
    ordered = 0 < interval.low <= interval.mean * (1 + _ROUNDING) <= interval.high * (1 + 2 * _ROUNDING)
    return ordered and 1 <= interval.stretches <= cases


def _in_explanation(found: Explanation, journal: Journal, *, again: bool) -> Iterator[str]:
    searched, baselines = journal.header.cases, journal.baselines()
    grown = start(journal, found.number).name
    allowed = {"validation", "train", FRESH} if searched == "train" else {searched, FRESH}
    if {found.base, found.rival} - {*baselines, grown}:
        yield "it compares with what is no baseline of the journal"
        return
    if found.cases not in found.scores or not set(found.scores) <= allowed:
        yield "its scores are on cases that this run has none of"
        return
    if not all(_is_positive(scores) for scores in found.scores.values()) or not 0 <= found.tolerance <= 1:
        yield "a score is not positive, or the tolerance is no share"
        return
    if (found.lead_kept is None) != (found.kept is None) or not _near(found.lead_kept or 0.0, found.kept or 0.0):
        yield "the share of the lead that it keeps does not follow from its scores"
    numbers = {"base": baselines.get(found.base), "rival": baselines.get(found.rival), "policy": found.number}
    for cases, scores in found.scores.items():
        if not again and cases != FRESH and _differs(scores, numbers, "train" if cases == searched else cases, journal):
            yield "a score is not that of the journal"


def _is_positive(scores: Scores) -> bool:
    four = (scores.base, scores.rival, scores.policy, scores.minimised)
    return all(score is None or 0 < score < math.inf for score in four)


def _differs(scores: Scores, numbers: dict[str, int | None], cases: str, journal: Journal) -> bool:
    """Says whether a score is not the one that the journal has, where it has one."""
    for name, number in numbers.items():
        known = None if number is None else journal.evaluation(number, cases)
        score = getattr(scores, name)
        if known is not None and (
            (known.score is None) != (score is None) or not _near(known.score or 0.0, score or 0.0)
        ):
            return True
    return False


def _near(one: float, other: float, scale: float = 0.0) -> bool:
    return abs(one - other) <= _ROUNDING * max(abs(one), abs(other), abs(scale), 1e-9)


def _slack(value: float) -> float:
    return _ROUNDING * abs(value)
