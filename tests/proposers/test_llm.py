"""Models as proposers: whom they ask for what, repairs, and when a model is given up."""

from collections import Counter
from random import Random

import pytest
import tiny
from policies import Few

from evolve import catalog
from evolve.cases import split_cases
from evolve.models import Reply
from evolve.models.spec import ModelSpec
from evolve.proposers.brief import briefing
from evolve.proposers.llm import MOST_FAILED_CALLS, MOST_USELESS_ANSWERS, PLATEAU, STRONGER, Llm
from evolve.proposers.prompts import Prompts, load
from evolve.types import Candidate, Evaluation, Miss, Outcome, Proposal, Usage, Verdict

POLICY = "def guess(x):\n    return 2.5 * x\n"
USAGE = Usage(10, 0, 5, 0.01)


@pytest.fixture
def llm(tmp_path):
    problem = catalog.load(str(tiny.write(tmp_path)))
    asked = Prompts(load(), briefing(problem, split_cases(problem, "train")), 6000)

    def llm(*models):
        return Llm(models or (ModelSpec("m"),), asked, answer_tokens=500)

    return llm


def archive(*numbers):
    return Few(*(tiny.judged(n, 1 + n / 10, POLICY.replace("2.5", f"{n}.5")) for n in numbers or (1, 2, 3)))


def drafts(proposer, count=300, found=None):
    return [tiny.asked(proposer, found or archive(), Random(seed)) for seed in range(count)]


def candidate(number, verdict=Verdict.OK, operator="edit", model="m", feedback="ZeroDivisionError", score=1.0):
    proposal = Proposal(POLICY, "llm", operator, (1,), "steeper", model, "p", USAGE)
    evaluation = Evaluation(verdict, score if verdict is Verdict.OK else None, feedback=feedback)
    return Candidate(number, proposal, evaluation)


def miss(number, outcome, operator="edit", model="m", answer="no", parents=(1,)):
    return Miss(number, outcome, "the message", "llm", operator, parents, answer, model, "p", USAGE)


def test_the_same_rng_asks_the_same(llm):
    assert [d.request for d in drafts(llm(), 20)] == [d.request for d in drafts(llm(), 20)]


def test_questions_about_one_policy_differ_before_anything_was_told(llm):
    asked = [draft.request.id for draft in drafts(llm(), 60, archive(1))]
    assert len(set(asked)) >= 15


def test_an_edit_becomes_a_policy_with_its_rationale_prompt_and_cost(llm):
    proposer = llm()
    draft = next(d for d in drafts(proposer) if d.operator == "edit" and d.parents == (3,))
    text = "RATIONALE: steeper\n<<<<<<< SEARCH\n    return 3.5 * x\n=======\n    return 3 * x\n>>>>>>> REPLACE\n"
    made = draft.finish(12, Reply(text, USAGE))
    assert made.source == "def guess(x):\n    return 3 * x\n"
    assert (made.rationale, made.model, made.prompt, made.usage) == ("steeper", "m", draft.request.id, USAGE)
    assert (made.proposer, made.operator, made.parents) == ("llm", "edit", (3,))


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply("", USAGE, Outcome.RATE_LIMITED, "429"), Outcome.RATE_LIMITED),
        (Reply("I would rather not.", USAGE), Outcome.NO_POLICY),
        (Reply("<<<<<<< SEARCH\nnope\n=======\nx\n>>>>>>> REPLACE", USAGE), Outcome.BROKEN_EDIT),
        (Reply("```python\ndef evict(x):\n    return 1\n```", USAGE), Outcome.NO_POLICY),
        (Reply("```python\n" + POLICY.replace("2.5", "3.5") + "```", USAGE), Outcome.NOT_NEW),
    ],
)
def test_what_is_no_policy_is_a_miss_with_outcome_message_and_cost(llm, reply, outcome):
    draft = next(d for d in drafts(llm()) if d.operator == "edit" and d.parents == (3,))
    made = draft.finish(12, reply)
    assert isinstance(made, Miss)
    assert (made.number, made.outcome, made.usage) == (12, outcome, USAGE)
    assert made.message


def test_models_are_asked_as_often_as_they_weigh_for_what_their_role_is_good_at(llm):
    proposer = llm(ModelSpec("small", 9.0, "cheap"), ModelSpec("large", 1.0, "strong"))
    asked = drafts(proposer, 1000)
    models = Counter(d.request.model for d in asked)
    assert 860 < models["small"] < 940
    operators = {name: Counter(d.operator for d in asked if d.request.model == name) for name in models}
    assert operators["small"].most_common(1)[0][0] == "edit"
    assert operators["large"].most_common(1)[0][0] == "rewrite"


def test_a_strong_model_is_asked_more_often_on_a_plateau(llm):
    proposer = llm(ModelSpec("small", 9.0, "cheap"), ModelSpec("large", 1.0, "strong"))
    shares = [
        sum(share for way, share in proposer.ways(idle).items() if way.model == "large")
        for idle in (PLATEAU - 1, PLATEAU)
    ]
    assert shares == pytest.approx([1.0, STRONGER])


def test_a_combination_has_two_parents_and_there_is_none_of_a_single_policy(llm):
    combined = [d for d in drafts(llm()) if d.operator == "combine"]
    assert combined
    assert all(len(set(d.parents)) == 2 for d in combined)
    assert {d.operator for d in drafts(llm(), found=archive(1))} == {"edit", "rewrite"}


@pytest.mark.parametrize("verdict", [Verdict.INVALID, Verdict.CRASHED, Verdict.TIMED_OUT])
def test_a_failed_policy_is_repaired_once_with_its_message(llm, verdict):
    proposer = llm()
    proposer.tell(candidate(7, verdict, feedback="case 3: guessed -1"))
    first, second = drafts(proposer, 2)
    assert (first.operator, first.parents) == ("repair", (7,))
    assert f"{verdict}: case 3: guessed -1" in first.request.user
    assert second.operator != "repair"
    proposer.tell(candidate(8, verdict, operator="repair"))
    assert tiny.asked(proposer, archive(), Random(0)).operator != "repair"


def test_a_refused_edit_is_repaired_from_its_parent_with_the_reason_and_the_answer(llm):
    proposer = llm()
    proposer.tell(miss(9, Outcome.BROKEN_EDIT, answer="<<<<<<< SEARCH of long ago", parents=(2,)))
    draft = tiny.asked(proposer, archive(), Random(0))
    assert (draft.operator, draft.parents) == ("repair", (2,))
    for said in ("the message", "SEARCH of long ago", "return 2.5 * x"):
        assert said in draft.request.user


def test_an_edit_of_a_policy_that_is_no_longer_worth_it_is_not_repaired(llm):
    proposer = llm()
    proposer.tell(miss(9, Outcome.BROKEN_EDIT, parents=(99,)))
    assert tiny.asked(proposer, archive(), Random(0)).operator != "repair"


def test_repairs_go_to_the_cheap_models(llm):
    proposer = llm(ModelSpec("large", 100.0, "strong"), ModelSpec("small", 1.0, "cheap"))
    proposer.tell(candidate(7, Verdict.CRASHED, model="large"))
    assert tiny.asked(proposer, archive(), Random(0)).request.model == "small"


@pytest.mark.parametrize("outcome", [Outcome.EMPTY, Outcome.NOT_NEW, Outcome.UNAVAILABLE, Outcome.CUT_OFF])
def test_what_a_repair_cannot_mend_is_not_repaired(llm, outcome):
    proposer = llm()
    proposer.tell(miss(7, outcome))
    assert tiny.asked(proposer, archive(), Random(0)).operator != "repair"


def test_policies_of_other_proposers_are_not_repaired_and_not_told_of(llm):
    proposer = llm()
    proposer.tell(tiny.judged(7, None))
    draft = tiny.asked(proposer, archive(), Random(0))
    assert draft.operator != "repair"
    assert "ZeroDivisionError" not in draft.request.user


def test_what_was_tried_is_told_with_what_came_of_it(llm):
    proposer = llm()
    proposer.tell(candidate(4, score=1.3))
    proposer.tell(candidate(5, Verdict.CRASHED, operator="repair", feedback="boom"))
    proposer.tell(miss(6, Outcome.NOT_NEW))
    user = tiny.asked(proposer, archive(), Random(0)).request.user
    assert "- 4, edit of 1: steeper -> score 1.3000" in user
    assert "- 5, repair of 1: steeper -> CRASHED: boom" in user
    assert "- edit of 1: NOT_NEW: the message" in user


@pytest.mark.parametrize("outcome", [Outcome.KEY_REFUSED, Outcome.NO_SUCH_MODEL])
def test_a_model_that_is_refused_is_given_up_at_once(llm, outcome, caplog):
    proposer = llm()
    proposer.tell(miss(5, outcome))
    assert proposer.trouble == "the model m was given up: the message"
    assert tiny.asked(proposer, archive(), Random(0)) is None
    assert "given up" in caplog.text


@pytest.mark.parametrize(
    ("outcome", "most"),
    [
        (Outcome.UNAVAILABLE, MOST_FAILED_CALLS),
        (Outcome.RATE_LIMITED, MOST_FAILED_CALLS),
        (Outcome.NO_ANSWER, MOST_FAILED_CALLS),
        (Outcome.REJECTED, MOST_FAILED_CALLS),
        (Outcome.NO_POLICY, MOST_USELESS_ANSWERS),
        (Outcome.NOT_NEW, MOST_USELESS_ANSWERS),
        (Outcome.EMPTY, MOST_USELESS_ANSWERS),
    ],
)
def test_a_model_that_fails_in_a_row_is_given_up_and_one_success_forgives_all(llm, outcome, most):
    proposer = llm()
    for number in range(most - 1):
        proposer.tell(miss(number, outcome, operator="repair"))
    proposer.tell(candidate(100))
    for number in range(most - 1):
        assert not proposer.trouble
        proposer.tell(miss(200 + number, outcome, operator="repair"))
    assert not proposer.trouble
    proposer.tell(miss(300, outcome, operator="repair"))
    assert f"{most} " in proposer.trouble
    assert str(outcome) in proposer.trouble


def test_of_several_models_the_others_go_on(llm):
    proposer = llm(ModelSpec("dead", 100.0), ModelSpec("alive", 1.0))
    proposer.tell(miss(5, Outcome.KEY_REFUSED, model="dead"))
    assert {d.request.model for d in drafts(proposer, 50)} == {"alive"}
    assert proposer.trouble == ""
    proposer.tell(miss(6, Outcome.NO_SUCH_MODEL, model="alive"))
    assert "dead was given up" in proposer.trouble
    assert "alive was given up" in proposer.trouble


def test_failures_of_an_earlier_sitting_are_forgiven(llm):
    proposer = llm()
    old = miss(5, Outcome.KEY_REFUSED)
    proposer.recall(old)
    proposer.tell(old)
    assert proposer.trouble == ""
    assert tiny.asked(proposer, archive(), Random(0)) is not None


def test_a_resumed_proposer_has_the_same_repairs_before_it(llm):
    failed = [candidate(n, Verdict.CRASHED) for n in (5, 6, 7)]
    whole, resumed = llm(), llm()
    for proposer in (whole, resumed):
        for one in failed:
            proposer.tell(one)
    asked = tiny.asked(whole, archive(), Random(1))
    resumed.recall(asked.finish(8, Reply("```python\ndef guess(x):\n    return 1\n```", USAGE)))
    assert tiny.asked(resumed, archive(), Random(2)).request == tiny.asked(whole, archive(), Random(2)).request


def test_an_empty_archive_gives_nothing_to_ask(llm):
    assert tiny.asked(llm(), Few(), Random(0)) is None


def test_a_repair_that_is_recalled_before_its_cause_is_told_is_not_made_again(llm):
    proposer = llm()
    proposer.recall(
        candidate(9, operator="repair").proposal
    )  # with more budget, it is recalled earlier than it was asked
    proposer.tell(candidate(8, Verdict.CRASHED))
    assert tiny.asked(proposer, archive(), Random(0)).operator != "repair"
    proposer.tell(candidate(10, Verdict.CRASHED))
    assert tiny.asked(proposer, archive(), Random(0)).operator == "repair"


def test_what_a_provider_says_of_a_failed_call_is_told_to_no_other(llm):
    proposer = llm()
    proposer.tell(miss(4, Outcome.REJECTED))
    assert "the message" not in tiny.asked(proposer, archive(), Random(0)).request.user


def test_questions_that_were_not_sent_for_want_of_time_are_held_against_no_model(llm):
    proposer = llm()
    for number in range(40):
        proposer.tell(miss(number, Outcome.NOT_ASKED))
    assert proposer.trouble == ""
