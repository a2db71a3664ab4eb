"""A question as a model would be asked it at the start of a run, made from the baselines of a problem."""

from pathlib import Path

from evolve.cases import cases_of
from evolve.judge import Judge
from evolve.models import estimated_tokens
from evolve.problem import Problem
from evolve.proposers import prompts
from evolve.proposers.brief import briefing
from evolve.proposers.prompts import Prompts, Situation
from evolve.sandbox import Sandbox
from evolve.text import inert
from evolve.types import Candidate, Evaluation, EvolveError, Proposal, Verdict

_FAILURE = "INVALID: case 3: an example of the message that a failing policy would have got"
_NOTES = "- rewrite: 12 tried; no new best; 5 CRASHED: an example of what a question tells of all that was tried"
_OF_A_PLATEAU = ("new_direction", "notes")


def question(problem: Problem, operator: str, cases: str, most_tokens: int, folder: Path | None) -> str:
    """Returns what would be asked to improve the best baseline, both parts of it.

    Raises:
        EvolveError: the problem, its baselines or the templates are at fault.
    """
    found = cases_of(problem, cases)
    asked = Prompts(prompts.load(folder), briefing(problem, found), most_tokens)
    with Sandbox(problem.imports) as sandbox:
        judge = Judge(found, sandbox)
        candidates = [
            Candidate(number, Proposal(baseline.source, "baseline", baseline.name), judge.evaluate(baseline.source))
            for number, baseline in enumerate(problem.baselines())
        ]
    parent, *others = sorted((c for c in candidates if c.evaluation.score is not None), key=lambda c: -c.score)
    situation = Situation(
        parent, others[:3], angle=prompts.ANGLES[0], notes=_NOTES if operator in _OF_A_PLATEAU else ""
    )
    if operator == "repair":
        broken = Evaluation(Verdict.INVALID, feedback=_FAILURE)
        situation = Situation(Candidate(parent.number, parent.proposal, broken), failure=_FAILURE)
    user = asked.user(operator, situation)
    if user is None:
        raise EvolveError(f"the question does not fit into {most_tokens} tokens; raise --prompt-tokens")
    size = estimated_tokens(asked.system), estimated_tokens(user)
    return (
        f"[system: at most {size[0]} tokens, the same for every question of a run]\n\n{inert(asked.system)}\n\n"
        f"[user: at most {size[1]} tokens]\n\n{inert(user)}"
    )
