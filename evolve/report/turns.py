"""One turn of a run on paper: a candidate, or what kept it from one."""

from collections.abc import Sequence

from evolve.journal import Journal
from evolve.report import tables
from evolve.text import brief, clipped, counted
from evolve.types import Candidate, EvolveError, Miss, Proposal

_MORE_THAN_ANY = 1 << 63  # turns, in SQLite
_MOST_CHARACTERS, _MOST_LINES = 1 << 20, 100_000
"""Of a policy, a prompt or an answer that is shown: more than any has that is made here."""

_FEEDBACK = 20_000, 200
"""The same of feedback."""


def candidate(journal: Journal, number: int) -> Candidate:
    """Returns one candidate.

    Raises:
        EvolveError: the run has none of that number.
    """
    found = turn(journal, number)
    if isinstance(found, Miss):
        raise EvolveError(f"turn {number} of the run led to no candidate: {found.outcome}: {brief(found.message, 400)}")
    return found


def turn(journal: Journal, number: int) -> Candidate | Miss:
    """Returns what one turn led to.

    Raises:
        EvolveError: the run has none of that number.
    """
    made = journal.made(number) if 0 <= number < _MORE_THAN_ANY else None
    if isinstance(made, Miss):
        return made
    if made is None:
        count = journal.turns()
        known = f"it has 0 to {count - 1}" if count else "it has none yet"
        raise EvolveError(f"the run has no candidate {number}; {known}")
    evaluation = journal.evaluation(number)
    if evaluation is None:
        raise EvolveError(f"candidate {number} is not judged yet; ask again when it is")
    return Candidate(number, made, evaluation)


def describe_turn(journal: Journal, number: int) -> str:
    """Returns what one turn led to, as text."""
    found = turn(journal, number)
    return describe_miss(found) if isinstance(found, Miss) else describe_candidate(found, journal.header.basis)


def describe_prompt(journal: Journal, number: int) -> str:
    """Returns what a model was asked in a turn.

    Raises:
        EvolveError: none was.
    """
    prompt = journal.ledger.prompt(number)
    if prompt is None:
        raise EvolveError(f"no model was asked in turn {number}")
    return "\n".join(clipped("\n\n".join(prompt), _MOST_CHARACTERS, _MOST_LINES))


def describe_miss(found: Miss) -> str:
    """Returns a turn that led to no policy, with what the model wrote."""
    lines = [
        f"#{found.number} by {_author(found)}{_from(found.parents)}",
        f"outcome   {found.outcome}: {brief(found.message, 400)}",
        *_spent(found),
    ]
    return "\n".join([*lines, "", *clipped(found.answer.rstrip(), _MOST_CHARACTERS, _MOST_LINES)]).rstrip()


def describe_candidate(found: Candidate, basis: str = "") -> str:
    """Returns a candidate with its origin, its verdict, what that rests on, and its source."""
    proposal, evaluation = found.proposal, found.evaluation
    confirmed = "; confirmed, one process for each case" if evaluation.confirmed else ""
    score = "" if evaluation.score is None else f", score {evaluation.score:.4f}"
    lines = [
        f"#{found.number} by {_author(proposal)}{_from(proposal.parents)}",
        f"why       {brief(proposal.rationale, 400) or '-'}",
        f"verdict   {tables.verdict(evaluation)}{score}{confirmed}",
        *tables.basis(basis, 9),
        f"cost      {counted(evaluation.calls, 'call')}, {evaluation.cpu_seconds:.3f} s of CPU in the sandbox",
        f"sandbox   {', '.join(evaluation.layers) or '-'}",
        *_spent(proposal),
    ]
    lines += [f"feedback  {line}" for line in clipped(evaluation.feedback, *_FEEDBACK)]
    return "\n".join([*lines, "", *clipped(proposal.source.rstrip(), _MOST_CHARACTERS, _MOST_LINES)])


def _author(made: Proposal | Miss) -> str:
    return origin(made.proposer, made.operator) + (f" ({brief(made.model, 80)})" if made.model else "")


def _from(parents: Sequence[int]) -> str:
    return f" from {', '.join(f'#{parent}' for parent in parents)}" if parents else ""


def _spent(made: Proposal | Miss) -> list[str]:
    """Returns what a model used for it, if one did."""
    if not made.model:
        return []
    usage = made.usage
    tokens = f"{usage.input_tokens} tokens in ({usage.cached_tokens} cached), {usage.output_tokens} out"
    return [f"model     {tables.cost(usage)}: {tokens}; prompt {brief(made.prompt, 80)}"]


def origin(proposer: str, operator: str) -> str:
    """Returns who wrote a policy, and how."""
    return brief(proposer if operator in ("", proposer) else f"{proposer}: {operator}", 60)
