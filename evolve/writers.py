"""Who writes the policies of a run: the embedded proposers, models, or both."""

import hashlib
import math
import random
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from string import Template

from evolve.budget import Limit
from evolve.cases import CaseSet
from evolve.loop import LAG
from evolve.models import Reply, Request, Writers, estimated_tokens, prices
from evolve.models.spec import MANUAL, ModelSpec, identity
from evolve.problem import Problem
from evolve.proposers import prompts
from evolve.proposers.brief import briefing
from evolve.proposers.llm import Llm
from evolve.proposers.prompts import Prompts
from evolve.search import Arm
from evolve.strategies import DEFAULT, Strategy
from evolve.types import NO_USAGE, EvolveError, Usage

TYPICAL_ANSWER_TOKENS = 1500
_REAL_TOKENS = 0.83  # of those that are estimated from above
FEW = 20
"""Proposals that are too few to learn anything."""


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes, and how it is asked.

    ``embedded`` is the share of turns that go to the embedded proposers while nothing is known of who leads to
    more; what becomes of it then is up to the strategy's chooser.  ``concurrency`` bounds the calls under way,
    ``answer_tokens`` an answer with its reasoning, ``prompt_tokens`` a question.  ``prompts`` is a folder of
    templates in place of ours.
    """

    models: tuple[ModelSpec, ...] = ()
    embedded: float = 1.0
    concurrency: int = 8
    timeout_seconds: float = 300.0
    answer_tokens: int = 16_000
    prompt_tokens: int = 12_000
    temperature: float | None = None
    prompts: Path | None = None
    record: Path | None = None
    replay: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.embedded <= 1:
            raise EvolveError(f"the share of the embedded proposers lies between 0 and 1; got {self.embedded}")
        if not self.models and self.embedded < 1:
            raise EvolveError("no model was named, so all proposals are by the embedded proposers; give --model")
        if self.models and self.embedded == 1:
            raise EvolveError("with --embedded 1 no model would be asked; leave out --model or lower it")
        names = [model.name for model in self.models]
        for name in names:
            if names.count(name) > 1:
                raise EvolveError(f"the model {name} is named twice; give it a weight instead")
        if self.record is not None and self.replay is not None:
            raise EvolveError("a run either records its answers or replays them; give --record or --replay")
        if not self.models and (self.record or self.replay or self.prompts):
            raise EvolveError("--record, --replay and --prompts are for models; give --model")

    @property
    def lag(self) -> int:
        """Turns under way, so that ``concurrency`` calls can be, some of which take twice as long as others.

        A person gets one question after the other, each with what came of those before.
        """
        if self.models and not self.embedded and all(model.manual for model in self.models):
            return self.concurrency
        return LAG + (math.ceil(2 * self.concurrency / (1 - self.embedded)) if self.models else 0)

    @property
    def most(self) -> Usage:
        """The most that one question can use, whichever model it goes to."""
        used = [prices.most(prices.of(model), self.prompt_tokens, self.answer_tokens) for model in self.models]
        if not used:
            return NO_USAGE
        dollars = [usage.dollars for usage in used]
        known = [amount for amount in dollars if amount is not None]
        return Usage(self.prompt_tokens, 0, self.answer_tokens, max(known) if len(known) == len(dollars) else None)

    def describe(self) -> str:
        """Returns what a run must have in common with itself when it is resumed."""
        parts = []
        if self.models:
            models = "; ".join(identity(model) for model in self.models)
            how = f"{self.prompt_tokens}+{self.answer_tokens} tokens, templates {_digest(prompts.load(self.prompts))}"
            how += "" if self.temperature is None else f", temperature {self.temperature:g}"
            how += ", replayed" if self.replay else ""
            parts.append(f"llm {1 - self.embedded:g} ({models}; {how})")
        if self.embedded:
            parts.append("embedded" if not self.models else f"embedded {self.embedded:g}")
        return ", ".join(parts)

    def arms(self, problem: Problem, cases: CaseSet, strategy: Strategy = DEFAULT) -> tuple[Arm, ...]:
        """Returns the proposers with their weights: their shares of the turns while nothing is known of them."""
        own = strategy.arms() if self.embedded else []
        whole = sum(arm.weight for arm in own)
        arms = [Arm(arm.proposer, self.embedded * arm.weight / whole) for arm in own]
        if self.models:
            arms.append(strategy.asking(Arm(self._llm(problem, cases), 1 - self.embedded)))
        return tuple(arms)

    def _llm(self, problem: Problem, cases: CaseSet) -> Llm:
        asked = Prompts(prompts.load(self.prompts), briefing(problem, cases), self.prompt_tokens)
        return Llm(self.models, asked, answer_tokens=self.answer_tokens, temperature=self.temperature)

    def open(
        self, folder: Path, seed: int, until: Callable[[], float], report: Callable[[str], None]
    ) -> AbstractContextManager[Writers]:
        """Returns the models, ready to be asked; ``until`` says how many seconds the run still has."""
        if not self.models:
            return nullcontext(_Nobody())
        from evolve.models.pool import open_models  # with asyncio, which a run without models does not need

        return open_models(
            self.models,
            concurrency=self.concurrency,
            rng=random.Random(seed),
            timeout_seconds=self.timeout_seconds,
            until=until,
            report=report,
            manual_folder=folder / MANUAL,
            record=self.record,
            replay=self.replay,
        )


class _Nobody:
    """The writers of a run without models."""

    unsent: tuple[int, ...] = ()

    def send(self, number: int, request: Request) -> Future[Reply]:
        raise EvolveError(f"turn {number} asks the model {request.model}, but the run has none")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a budget is likely to come to, before anything is asked.

    ``proposals`` is what it buys beyond the baselines (None: only time bounds it), ``dollars`` what they
    are likely to cost if every answer is of use; None where a price is not known.
    """

    proposals: int | None
    dollars: float | None

    @property
    def few(self) -> bool:
        """Whether it is too little to learn anything."""
        return self.proposals is not None and self.proposals < FEW


def estimate(writing: Writing, problem: Problem, cases: CaseSet, limit: Limit) -> Estimate:
    """Returns what a run is likely to cost.

    Raises:
        EvolveError: the budget cannot be kept, never ends, or does not pay for a single question.
    """
    most = writing.most
    _insist_on_end(writing, limit, most)
    _insist_on_price(writing, limit, most)
    each = _typical(writing, problem, cases)
    bought = [] if limit.evaluations is None else [max(limit.evaluations - len(problem.baselines()), 0)]
    share = 1 - writing.embedded if writing.models else 0.0
    for amount, one, highest in (
        (limit.dollars, each.dollars, most.dollars),
        (limit.tokens, each.tokens, most.tokens),
    ):
        if amount is not None and one and highest and share:  # it ends when less is left than one can use
            bought.append(int((int((amount - highest) / one) + 1) / share))
    proposals = min(bought, default=None)
    questions = None if proposals is None else math.ceil(proposals * share)
    return Estimate(proposals, None if questions is None or each.dollars is None else questions * each.dollars)


def _insist_on_end(writing: Writing, limit: Limit, most: Usage) -> None:
    """Refuses a run that would go on for ever."""
    if limit.evaluations is not None or limit.seconds is not None:
        return
    if not writing.models:
        raise EvolveError("--dollars and --tokens bound what models use; give --model, or --evaluations or --minutes")
    if limit.tokens is None and most.dollars == 0:
        raise EvolveError("these models cost nothing, so --dollars would never end the run; give --evaluations")


def _insist_on_price(writing: Writing, limit: Limit, most: Usage) -> None:
    if limit.dollars is not None:
        unknown = [model.name for model in writing.models if prices.of(model) is None]
        if unknown:
            raise EvolveError(
                f"the price of {', '.join(unknown)} is not known, so a budget in dollars cannot be kept; give --price "
                "IN/OUT in dollars per million tokens (0/0 for a server of your own), or --tokens in place of --dollars"
            )
        if most.dollars is not None and most.dollars > limit.dollars:
            raise EvolveError(
                f"one question can cost up to ${most.dollars:.3f} ({most.input_tokens} tokens in, {most.output_tokens} "
                f"out), more than --dollars {limit.dollars:g}; raise it, or lower --answer-tokens"
            )
    if limit.tokens is not None and writing.models and most.tokens > limit.tokens:
        raise EvolveError(
            f"one question can use up to {most.tokens} tokens, more than --tokens {limit.tokens}; raise it, or lower "
            "--answer-tokens"
        )


def _typical(writing: Writing, problem: Problem, cases: CaseSet) -> Usage:
    """Returns what a question is likely to use, on average over the models as they are weighed."""
    if not writing.models:
        return NO_USAGE
    system = Prompts(prompts.load(writing.prompts), briefing(problem, cases), writing.prompt_tokens).system
    policy = max(estimated_tokens(baseline.source) for baseline in problem.baselines())
    asked = min(round(_REAL_TOKENS * (estimated_tokens(system) + 3 * policy) + 30 * len(cases)), writing.prompt_tokens)
    answered = min(TYPICAL_ANSWER_TOKENS, writing.answer_tokens)
    total = sum(model.weight for model in writing.models)
    dollars: float | None = 0.0
    for model in writing.models:
        cost = prices.dollars(prices.of(model), Usage(asked, 0, answered))
        dollars = None if cost is None or dollars is None else dollars + cost * model.weight / total
    return Usage(asked, 0, answered, dollars)


def _digest(templates: Mapping[str, Template]) -> str:
    text = "\0".join(f"{name}\0{template.template}" for name, template in sorted(templates.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
