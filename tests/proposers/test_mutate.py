"""Offline mutation: what every mutant keeps, and how often it is worth judging."""

import ast
import io
import time
import tokenize
from random import Random

import pytest
import tiny
from policies import OTHER, POLICIES, REFERENCE, Few, baseline, decisions, failed

from evolve import normal
from evolve.proposers.mutate import LEAP, OPERATORS, SIMPLIFY, Mutate, Style, accepted
from evolve.proposers.syntax.anatomy import Anatomy
from evolve.proposers.syntax.expressions import constant
from evolve.proposers.syntax.material import Material
from evolve.proposers.syntax.soundness import size


def told(*sources):
    mutate, candidates = Mutate(), [baseline(number, source) for number, source in enumerate(sources)]
    for candidate in candidates:
        mutate.tell(candidate)
    return mutate, Few(*candidates)


def mutants(*sources, count=300):
    """Yields the parent's source and the proposal for many seeds."""
    mutate, archive = told(*sources)
    for seed in range(count):
        proposal = tiny.asked(mutate, archive, Random(seed))
        if proposal is not None:
            yield sources[proposal.parents[0]], proposal


def comments(source):
    return [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]


def headers(source):
    return [ast.unparse(node.args) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]


def test_every_mutant_compiles_keeps_signatures_and_differs():
    for parent, proposal in mutants(*POLICIES):
        compile(proposal.source, "<mutant>", "exec")
        assert headers(proposal.source)[:2] == headers(parent)[:2]
        assert normal.key(proposal.source) != normal.key(parent)


def test_nearly_every_question_is_answered_and_answers_rarely_repeat():
    sources = [proposal.source for _, proposal in mutants(*POLICIES)]
    assert len(sources) > 295
    assert len(set(map(normal.key, sources))) > 230


def test_a_mutant_says_from_whom_how_and_why_in_one_line():
    names = {operator.__name__ for operator, _ in OPERATORS}
    for _, proposal in mutants(*POLICIES):
        assert proposal.proposer == "mutate"
        assert len(proposal.parents) == 1
        assert names.issuperset(proposal.operator.split("+"))
        assert proposal.rationale.startswith("line ")
        assert "\n" not in proposal.rationale


def test_the_same_seed_gives_the_same_mutant():
    first = [proposal for _, proposal in mutants(*POLICIES, count=60)]
    assert first == [proposal for _, proposal in mutants(*POLICIES, count=60)]


def test_a_resumed_mutate_proposes_what_the_first_would_have():
    mutate, archive = told(*POLICIES)
    for seed in range(20):
        tiny.asked(mutate, archive, Random(seed))
    again, _ = told(*POLICIES)
    assert tiny.asked(mutate, archive, Random(99)) == tiny.asked(again, archive, Random(99))


def test_lines_outside_the_edits_stay_as_they_are():
    for parent, proposal in mutants(REFERENCE):
        kept = set(parent.splitlines()) & set(proposal.source.splitlines())
        assert len(kept) > len(set(parent.splitlines())) - 12


def test_comments_docstrings_and_imports_stay_unless_their_statement_went():
    for parent, proposal in mutants(REFERENCE):
        assert proposal.source.startswith(parent[: parent.index("MARGIN")])
        if not set(proposal.operator.split("+")) & {"drop", "transplant", "simplify", "graft", "name"}:
            assert comments(proposal.source) == comments(parent)


def test_no_parentheses_are_added_where_none_are_needed():
    source = "def choose(x, y):\n    return x + y\n"
    for _, proposal in mutants(source, count=200):
        assert not any(line.startswith("    return (") and line.endswith("))") for line in proposal.source.splitlines())
        assert "((" not in proposal.source


@pytest.mark.parametrize("operator", [operator for operator, _ in OPERATORS], ids=lambda operator: operator.__name__)
def test_every_operator_finds_something_to_change(operator):
    anatomies, done = [Anatomy(source) for source in POLICIES], 0
    for seed in range(300):
        policy = anatomies[seed % 3]
        edit = operator(Material(policy, anatomies, Random(seed)))
        done += edit is not None and accepted(policy, policy.text.apply([edit]))
    assert done >= 5


def test_most_mutants_run_and_most_of_those_decide_differently():
    run = different = total = unknown_names = 0
    sources = (*POLICIES, 'def choose(observation):\n    return "none"\n')
    before = {source: decisions(source) for source in sources}
    for parent, proposal in mutants(*sources, count=500):
        total += 1
        try:
            different += decisions(proposal.source) != before[parent]
            run += 1
        except (NameError, KeyError, AttributeError):  # UnboundLocalError is a NameError
            unknown_names += 1
        except (ZeroDivisionError, TypeError, OverflowError, ValueError):
            pass
    print(f"{run / total:.1%} run, {different / total:.1%} decide differently, {unknown_names} lack a name")
    assert unknown_names <= total * 0.002
    assert run > 0.95 * total
    assert different > 0.4 * total


def test_parts_of_other_policies_come_with_their_meaning():
    mutate, archive = told(REFERENCE, OTHER)
    borrowed = [
        proposal.source
        for seed in range(400)
        if (proposal := tiny.asked(mutate, archive, Random(seed))) is not None and proposal.parents == (0,)
    ]
    assert any('observation["running"]' in source for source in borrowed), "an item that only the other policy reads"
    assert not any(
        "seen" in source or "slack" in source.replace("slack =", "") for source in borrowed if "slack =" not in source
    )


def test_a_policy_that_lends_is_told_as_a_baseline_and_has_a_score():
    mutate = Mutate()
    mutate.tell(failed(0, OTHER))
    archive = Few(baseline(1, REFERENCE))
    sources = [tiny.asked(mutate, archive, Random(seed)).source for seed in range(200)]
    assert not any('"running"' in source for source in sources)


def test_a_constant_policy_still_has_mutants():
    mutate, archive = told('def choose(observation):\n    return "none"\n', OTHER)
    assert all(tiny.asked(mutate, archive, Random(seed)) is not None for seed in range(50))


@pytest.mark.parametrize("source", ["def choose(:", "", "x = '\0'", "def choose(o):\n    pass\n", "-" * 50_000 + "1"])
def test_a_parent_with_nothing_to_change_gives_none_and_no_error(source):
    mutate, archive = told(source)
    assert tiny.asked(mutate, archive, Random(1)) is None


def test_an_empty_archive_gives_none():
    assert tiny.asked(Mutate(), Few(), Random(1)) is None


def test_carriage_returns_and_form_feeds_do_not_shift_an_edit():
    source = "def choose(x):\r\n    y = 'é'; z = x + 1  # ü\r\n\x0c    return z * 2 - x\r\n"
    for _, proposal in mutants(source, count=100):
        compile(proposal.source, "<mutant>", "exec")
        assert proposal.source.startswith("def choose(x):\r\n")


@pytest.mark.alone
def test_a_mutant_takes_at_most_a_few_milliseconds():
    mutate, archive = told(*POLICIES)
    start = time.process_time()
    for seed in range(200):
        tiny.asked(mutate, archive, Random(seed))
    assert (time.process_time() - start) / 200 < 0.010  # 1 ms on a quiet machine


def test_a_simplified_policy_is_smaller_in_syntax():
    simplify, archive = Mutate(SIMPLIFY), Few(*(baseline(number, source) for number, source in enumerate(POLICIES)))
    found = [tiny.asked(simplify, archive, Random(seed)) for seed in range(60)]
    assert sum(proposal is not None for proposal in found) > 50
    for proposal in filter(None, found):
        assert proposal.proposer == "simplify"
        assert size(ast.parse(proposal.source)) < size(ast.parse(POLICIES[proposal.parents[0]]))


def test_a_style_that_shortens_offers_nothing_that_is_as_long():
    changing = Mutate(Style("shorten", ((constant, 1.0),), shorter=True))
    assert tiny.asked(changing, Few(baseline(0, OTHER)), Random(1)) is None


def test_a_leap_is_offered_on_a_plateau_only_and_makes_many_edits():
    leap, archive = Mutate(LEAP), Few(*(baseline(number, source) for number, source in enumerate(POLICIES)))
    assert not leap.ways(LEAP.patience - 1)
    found = [tiny.asked(leap, archive, Random(seed), idle=LEAP.patience) for seed in range(40)]
    assert sum(proposal is not None for proposal in found) > 30
    assert all(proposal.rationale.count("; ") >= LEAP.least - 1 for proposal in filter(None, found))


def test_powers_of_two_mostly_become_powers_of_two():
    policy = Anatomy("TILE = 64\n\n\ndef choose(x):\n    return x // TILE\n")
    tiles = [int(edit.text) for seed in range(200) if (edit := constant(Material(policy, [policy], Random(seed))))]
    assert sum(tile & (tile - 1) == 0 for tile in tiles) > 0.6 * len(tiles)


def test_a_name_that_means_two_things_is_not_taken_for_the_other():
    source = (
        "def place(models):\n    sizes = [2 * model['size'] for model in models]\n    total = 0\n"
        "    for model in range(len(models)):\n        total = total + sizes[model]\n    return total\n"
    )
    for _, proposal in mutants(source, count=300):
        inside = proposal.source[proposal.source.index("for model in range") :]
        assert 'model["size"]' not in inside.replace("'", '"')
