"""What a policy was shown to be worth, in the first line of a commit: whatever qualifies it stands before it."""

from collections.abc import Sequence

from evolve.export.figures import Stood
from evolve.export.found import LATE, Found
from evolve.export.verified import Verified
from evolve.report import tables


def subject(found: Found) -> str:
    """Returns in one line what the policy is, and what it was shown to be worth, what qualifies that first."""
    which = f"smallest diff of {found.name}" if found.explained else "policy"
    what, known = f"{found.problem}: {which} found by evolve", found.verified
    if found.candidate.evaluation.score is None:
        return f"{what}, {found.candidate.evaluation.verdict} on {found.searched}"
    if known is None or (found.explained and found.lesser is None):
        return f"{what}, {'itself ' if found.explained else ''}not judged on {found.cases}"
    qualifiers = ["figures not judged here"] if found.foreign else []
    said = _worth_of_lesser(found, known, found.lesser) if found.lesser else _worth(found, known)
    *more, worth = said
    qualifiers += more
    return f"{what}, {', '.join(qualifiers)}: {worth}" if qualifiers else f"{what}, {worth}"


def _worth(found: Found, known: Verified) -> tuple[str, ...]:
    """Returns what a policy is worth, after what qualifies that."""
    if known.unsafe:
        return ("judged where the sandbox does not stand",)
    if known.baseline is not None:
        return (f"no other than the baseline {known.baseline}",)
    if known.found.evaluation.score is None:
        return (f"{known.found.evaluation.verdict} on {found.cases}",)
    if known.unbeaten or not known.duels:
        return (f"not shown to beat {_few(known.unbeaten)} on {found.cases}",)
    least = min(known.duels, key=lambda duel: duel.interval.mean)
    ahead = f"{least.interval.mean - 1:.2%} better than {least.baseline} on {found.cases}"
    return (ahead,) if known.proved else ("no proof", ahead)


def _worth_of_lesser(found: Found, known: Verified, own: Stood) -> tuple[str, ...]:
    """Returns the same of a smallest diff; it had no duel with a baseline, so that nothing is proved of it."""
    if known.unsafe:
        return ("judged where the sandbox does not stand",)
    late = (LATE,) if found.late else ()
    score = own.evaluation.score
    if score is None:
        return (*late, f"{own.evaluation.verdict} on {found.cases}")
    best = tables.number(known.rival.evaluation.score, 4)
    return (*late, f"score {tables.number(score, 4)} on {found.cases}, where the best baseline has {best}")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else "any baseline"
