"""The message of a candidate's commit: what was tried and why, what came of it, what it cost."""

import textwrap

from evolve.report import tables
from evolve.report.turns import origin
from evolve.text import brief, counted
from evolve.types import Candidate

COLUMNS = 100


def message(found: Candidate, cases: str, validation: float | None, *, shown: bool = True) -> str:
    """Returns the message; its last paragraph are trailers, for programs.

    ``cases`` are those it was judged on, ``validation`` is its score there, if it has one; ``shown`` says that the file
    is the policy to the letter.
    """
    paragraphs = [_subject(found), _wrapped(brief(found.proposal.rationale, 2000)), _facts(found, cases, validation)]
    if not shown:
        paragraphs.append(_wrapped("Control and format characters of this policy are shown as `?` in policy.py."))
    paragraphs.append(_trailers(found, validation))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _subject(found: Candidate) -> str:
    """Returns the first line; it names the tag, for `#17` is somebody's issue, and to git in an editor a comment."""
    score = found.evaluation.score
    result = tables.verdict(found.evaluation) if score is None else f"score {tables.number(score, 4)}"
    return f"c{found.number} {origin(found.proposal.proposer, found.proposal.operator)}, {result}"


def _facts(found: Candidate, searched: str, validation: float | None) -> str:
    evaluation = found.evaluation
    scores = [(evaluation.score, searched), (validation, "validation")]
    scored = ", ".join(f"{tables.number(score, 4)} on {cases}" for score, cases in scores if score is not None)
    lines = [f"verdict   {tables.verdict(evaluation)}{f'; score {scored}' if scored else ''}"]
    feedback = brief(evaluation.feedback.strip().partition("\n")[0], 400)
    lines += [f"feedback  {feedback}"] if feedback else []
    lines += [f"judged    {counted(evaluation.calls, 'call')}, {evaluation.cpu_seconds:.3f} s of CPU in the sandbox"]
    return "\n".join(line for whole in [*lines, f"cost      {_cost(found)}"] for line in _hanging(whole))


def _cost(found: Candidate) -> str:
    proposal, usage = found.proposal, found.proposal.usage
    if not proposal.model:
        return "$0.00 (no model was asked)"
    return f"{tables.cost(usage)}: {usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"


def _trailers(found: Candidate, validation: float | None) -> str:
    score, parents = found.evaluation.score, found.proposal.parents
    trailers = {
        "Candidate": str(found.number),
        "Parents": ", ".join(map(str, parents)),
        "Verdict": str(found.evaluation.verdict),
        "Score": "" if score is None else repr(score),
        "Validation-Score": "" if validation is None else repr(validation),
    }
    return "\n".join(f"{name}: {value}" for name, value in trailers.items() if value)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, COLUMNS))


def _hanging(line: str) -> list[str]:
    return textwrap.wrap(line, COLUMNS, subsequent_indent=" " * 10)
