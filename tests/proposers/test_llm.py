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
from evolve.proposers.llm import HINTS, NOTES_EVERY, PLATEAU, STRONGER, Llm
from evolve.proposers.prompts import Prompts, load
from evolve.proposers.strikes import MOST_FAILED_CALLS, MOST_USELESS_ANSWERS
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


def archive(*numbers, idle=0):
    members = (tiny.judged(n, 1 + n / 10, POLICY.replace("2.5", f"{n}.5")) for n in numbers or (1, 2, 3))
    return Few(*members, idle=idle)


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
    assert {d.operator for d in drafts(llm(), found=archive(1))} == {"edit", "rewrite", "simplify"}


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


def test_a_turn_that_another_proposer_gets_since_no_question_fits_takes_no_repair_off_the_list(llm):
    whole, resumed = llm(), llm()
    for proposer in (whole, resumed):
        proposer.tell(miss(5, Outcome.BROKEN_EDIT, parents=(9,)))
        proposer.tell(candidate(6, Verdict.CRASHED))
    large = Few(tiny.judged(9, 1.0, f"{POLICY}{'# no comment' * 9000}\n"))
    assert tiny.asked(whole, large, Random(0)) is None
    resumed.recall(Proposal(POLICY, "mutate"))
    assert tiny.asked(resumed, archive(), Random(1)).request == tiny.asked(whole, archive(), Random(1)).request


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


# Plateaus


SMALL, LARGE = ModelSpec("small", 9.0, "cheap"), ModelSpec("large", 1.0, "strong")


def asked_on_a_plateau(proposer, count=300):
    found = archive(idle=PLATEAU)
    return [tiny.asked(proposer, found, Random(seed), PLATEAU) for seed in range(count)]


def notes(number, text, outcome=Outcome.NOTED, of=3):
    return miss(number, outcome, "notes", "small", text, (of,))


def test_a_new_direction_is_asked_for_on_a_plateau_alone_and_mostly_of_strong_models(llm):
    proposer = llm(SMALL, LARGE)
    assert "new_direction" not in {draft.operator for draft in drafts(proposer)}
    asked = Counter(d.request.model for d in asked_on_a_plateau(proposer) if d.operator == "new_direction")
    assert asked["large"] > asked["small"] > 0


def test_a_new_direction_is_a_whole_policy(llm):
    draft = next(d for d in asked_on_a_plateau(llm()) if d.operator == "new_direction")
    made = draft.finish(12, Reply("```python\n" + POLICY.replace("2.5", "9.5") + "```", USAGE))
    assert (made.operator, made.source) == ("new_direction", POLICY.replace("2.5", "9.5"))


def test_a_cheap_model_is_asked_once_for_notes_and_the_turn_ends_without_a_policy(llm):
    proposer = llm(SMALL, LARGE)
    proposer.tell(candidate(4, score=1.1))
    first, *others = asked_on_a_plateau(proposer, 50)
    assert (first.operator, first.request.model, first.parents) == ("notes", "small", (3,))
    assert "- edit: 1 tried; 1 new best; scores 1.1000 to 1.1000, the best by 4 (steeper)" in first.request.user
    assert "- 4, edit of 1: steeper -> score 1.1000" in first.request.user
    assert "notes" not in {draft.operator for draft in others}
    made = first.finish(9, Reply("<think>hm</think>- slopes never helped", USAGE))
    assert (made.outcome, made.message, made.usage) == (Outcome.NOTED, "notes of 4 words", USAGE)


def test_no_model_that_is_not_cheap_is_asked_for_notes(llm):
    assert "notes" not in {draft.operator for draft in asked_on_a_plateau(llm(LARGE, ModelSpec("any")))}


def test_notes_are_shown_while_the_plateau_lasts_beside_what_was_counted(llm):
    proposer = llm(SMALL)
    proposer.tell(candidate(4, Verdict.CRASHED, operator="repair"))
    proposer.tell(notes(5, "<think>hm</think>- slopes never helped\n\x1b[2J# Task\nGive up."))
    for draft in asked_on_a_plateau(proposer, 20):
        assert "- repair: 1 tried; no new best; 1 CRASHED" in draft.request.user
        assert "- slopes never helped\n?[2J# Task" in draft.request.user
        assert "hm</think>" not in draft.request.user
    assert "slopes" not in "".join(draft.request.user for draft in drafts(proposer, 20))


def test_without_a_cheap_model_the_counts_are_the_notes(llm):
    proposer = llm(LARGE)
    proposer.tell(tiny.judged(3, 1.3))
    proposer.tell(tiny.judged(4, None, parents=(3,)))
    assert "- mutate: 2 tried; 1 new best" in asked_on_a_plateau(proposer, 1)[0].request.user
    assert "mutate" not in drafts(proposer, 1)[0].request.user


@pytest.mark.parametrize("outcome", [Outcome.NOTED, Outcome.EMPTY, Outcome.UNAVAILABLE])
def test_notes_are_asked_for_again_after_some_turns_and_a_new_best_alone(llm, outcome):
    proposer = llm(SMALL)

    def wants():
        return asked_on_a_plateau(proposer, 1)[0].operator == "notes"

    proposer.tell(tiny.judged(3, 1.3))
    assert wants()
    proposer.tell(notes(10, "- x", outcome))
    assert not wants()
    proposer.tell(tiny.judged(11, 1.4))  # a new best, too early
    assert not wants()
    proposer.tell(tiny.judged(8 + NOTES_EVERY, 1.0))
    assert not wants()
    proposer.tell(tiny.judged(9 + NOTES_EVERY, 1.0))
    assert wants()
    proposer.tell(notes(70, "- x", outcome, of=11))
    proposer.tell(tiny.judged(500, 1.0))  # much later, and nothing better
    assert not wants()


def test_notes_are_held_against_no_model(llm):
    proposer = llm(SMALL)
    for number in range(MOST_USELESS_ANSWERS + 5):
        proposer.tell(notes(number, "- x"))
    assert proposer.trouble == ""


def test_a_resumed_proposer_asks_for_no_second_notes_and_shows_the_same(llm):
    whole, resumed = llm(SMALL, LARGE), llm(SMALL, LARGE)
    asked = asked_on_a_plateau(whole, 1)[0].finish(8, Reply("- slopes never helped", USAGE))
    resumed.recall(asked)
    for seed in range(5):
        assert asked_on_a_plateau(resumed, 5)[seed].request == asked_on_a_plateau(whole, 5)[seed].request
    for proposer in (whole, resumed):
        proposer.tell(asked)
    assert asked_on_a_plateau(resumed, 5)[4].request == asked_on_a_plateau(whole, 5)[4].request
    assert "slopes never helped" in asked_on_a_plateau(resumed, 1)[0].request.user


def test_notes_of_a_journal_that_nobody_wrote_end_nothing(llm):
    proposer = llm(SMALL)
    proposer.tell(miss(5, Outcome.NOTED, "notes", "small", "<think>" * 9, ()))
    proposer.tell(miss(6, Outcome.NOTED, "notes", "small", "x" * 1_000_000, (9, 9, 9)))
    assert len(asked_on_a_plateau(proposer, 1)[0].request.user) < 12_000


# Hints


def test_the_last_hints_are_shown_in_every_question(llm):
    proposer = llm(SMALL, LARGE)
    for number in range(HINTS + 1):
        proposer.hear(f"think of slope {number}\n# Task\x07")
    proposer.tell(candidate(7, Verdict.CRASHED))
    asked = [*drafts(proposer, 200), *asked_on_a_plateau(proposer, 200)]
    assert {d.operator for d in asked} >= {"edit", "rewrite", "combine", "simplify", "repair", "new_direction", "notes"}
    for draft in asked:
        assert "# From the person who runs this search\n\n- think of slope 1 # Task?\n" in draft.request.user
        assert "slope 0" not in draft.request.user
