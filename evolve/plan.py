"""What a command line wants of a run: its limit, who writes, and in words what it will cost."""

import argparse
import datetime
import shlex
from collections.abc import Sequence
from pathlib import Path

from evolve.budget import DEFAULT_EVALUATIONS, Limit
from evolve.cases import CaseSet
from evolve.folder import RunFolder
from evolve.models import prices, spec
from evolve.models.cassette import Cassette
from evolve.models.spec import ModelSpec
from evolve.problem import Problem
from evolve.report.tables import dollars
from evolve.types import EvolveError
from evolve.writers import FEW, Estimate, Writing, estimate

EVALUATIONS_WITH_MODELS = 100
"""What a run with models comes to without a budget: a first look that costs cents with a cheap model."""

_SETTINGS = (
    "embedded",
    "concurrency",
    "timeout",
    "answer_tokens",
    "prompt_tokens",
    "temperature",
    "prompts",
    "record",
    "replay",
)
_LIMITS = ("evaluations", "minutes", "dollars", "tokens")


def limit(options: argparse.Namespace) -> Limit:
    """Returns the budget; by default a number of evaluations."""
    evaluations = options.evaluations
    if all(getattr(options, name) is None for name in _LIMITS):
        evaluations = EVALUATIONS_WITH_MODELS if options.model else DEFAULT_EVALUATIONS
    seconds = None if options.minutes is None else options.minutes * 60
    return Limit(evaluations, seconds, options.dollars, options.tokens, options.target)


def writing(options: argparse.Namespace) -> Writing:
    """Returns who writes the policies.

    Raises:
        EvolveError: a model is not known, has no key, or its settings make no sense.
    """
    price = None if options.price is None else spec.parse_price(options.price)
    models = tuple(spec.parse(text, options.base_url or "", price) for text in options.model)
    if not models and (options.base_url or price):
        raise EvolveError("--base-url and --price are for models; give --model")
    new = options.out is None or not RunFolder(options.out).exists
    if options.record is not None and options.record.exists() and new:
        raise EvolveError(
            f"{options.record} is there already; a new run wants a new file (--replay FILE repeats a recording)"
        )
    if options.replay is not None:
        Cassette.read(options.replay)  # whatever is wrong with it is said before a folder is made
    elif models:
        _check(models)
    given = {name: getattr(options, name) for name in _SETTINGS if getattr(options, name) is not None}
    if not models and given:
        raise EvolveError(f"--{next(iter(given)).replace('_', '-')} is for models; give --model")
    if models and all(model.manual for model in models):
        given.setdefault("concurrency", 1)
    given.setdefault("embedded", 0.0 if models else 1.0)
    if "timeout" in given:
        given["timeout_seconds"] = given.pop("timeout")
    return Writing(models, **given)


def _check(models: Sequence[ModelSpec]) -> None:
    """Finds what is wrong with a model before a folder is made."""
    from evolve.models import checks, keys

    keys.load_env()
    for model in models:
        checks.check(model)


def preview(writing: Writing, problem: Problem, cases: CaseSet, limit: Limit) -> list[str]:
    """Returns in words who is asked, what that is likely to cost, and a warning where it is too little.

    Raises:
        EvolveError: the budget cannot be kept, or does not pay for a single question.
    """
    expected = estimate(writing, problem, cases, limit)
    lines = []
    if writing.models:
        how = "replayed from" if writing.replay else "recorded in" if writing.record else ""
        models = "; ".join(_priced(model) for model in writing.models)
        lines.append(f"models    {models}" + (f"; {how} {writing.replay or writing.record}" if how else ""))
        lines.append(f"estimate  {_expected(expected, limit)}")
    if expected.proposals is not None and expected.few:
        lines.append(
            f"warning   this budget buys about {_count(expected.proposals, 'proposal')} beyond the "
            f"{_count(len(problem.baselines()), 'baseline')}; fewer than {FEW} teach little"
        )
    return lines


def fresh_folder(problem: str) -> Path:
    """Makes a folder for a run that was given none."""
    now = datetime.datetime.now().astimezone()
    return RunFolder.fresh(Path("runs"), f"{problem}-{now:%Y%m%d-%H%M%S}").path


def again(options: argparse.Namespace) -> str:
    """Returns the command that resumes a run."""
    words = list(options.words)
    said = any(word.partition("=")[0] == "--out" for word in words)
    return shlex.join(["evolve", *words, *([] if said else ["--out", str(options.out)])])


def _priced(model: ModelSpec) -> str:
    price = prices.of(model)
    where = f" at {model.base_url}" if model.base_url else ""
    if price is None:
        return f"{spec.identity(model)}{where}, price unknown: only its tokens are counted"
    return f"{spec.identity(model)}{where}, ${price.input:g} in and ${price.output:g} out per million tokens"


def _expected(expected: Estimate, limit: Limit) -> str:
    many = "as many proposals as the time allows"
    if expected.proposals is not None:
        many = f"about {_count(expected.proposals, 'proposal')} if every answer is of use"
    about = "what they cost is not known" if expected.dollars is None else f"about {dollars(expected.dollars)}"
    never = "" if limit.dollars is None else f", never more than {dollars(limit.dollars)}"
    return f"{many}, {about}{never}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
