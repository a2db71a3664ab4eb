"""Offline crossover: what every child keeps of its parents, and what it takes."""

import ast
from random import Random

import pytest
import tiny
from policies import MEMORY, OTHER, POLICIES, REFERENCE, Few, baseline, decisions, failed

from evolve import normal
from evolve.proposers.crossover import EXCHANGES, Crossover
from evolve.proposers.mutate import Mutate
from evolve.proposers.syntax import exchange
from evolve.proposers.syntax.anatomy import Anatomy
from evolve.proposers.syntax.exchange import Pair
from evolve.proposers.syntax.scope import unresolved
from evolve.proposers.syntax.signatures import signatures

ANCESTOR = "LOW = 1\nHIGH = 9\n\n\ndef choose(x):\n    y = x + LOW\n    z = y * 2\n    return z - HIGH\n"
ONE = ANCESTOR.replace("LOW = 1", "LOW = 2").replace("y * 2", "y * 3")
TWO = ANCESTOR.replace("HIGH = 9", "HIGH = 8").replace("x + LOW", "x - LOW")
HELPED = """BONUS = 4


def worth(x):
    return x * BONUS


def choose(x):
    return worth(x)
"""
PLAIN = "def worth(x):\n    return x\n\n\ndef choose(x):\n    return worth(x) + 1\n"


def family(*sources, kin=8):
    """Returns a proposer that knows the sources as baselines, and an archive of them and some of their mutants."""
    crossover, archive, mutate = Crossover(), Few(), Mutate()
    for number, source in enumerate(sources):
        archive.add(baseline(number, source))
        crossover.tell(baseline(number, source))
    for seed in range(kin):
        archive.add(baseline(len(archive), tiny.asked(mutate, archive, Random(seed)).source))
    return crossover, archive


def children(*sources, count=200):
    crossover, archive = family(*sources)
    members = {member.number: member.proposal.source for member in archive}
    for seed in range(count):
        proposal = tiny.asked(crossover, archive, Random(seed))
        if proposal is not None:
            yield [members[number] for number in proposal.parents], proposal


def crossed(how, ours, theirs, seed):
    policy = Anatomy(ours)
    return policy.text.apply(how(Pair(policy, Anatomy(theirs), Random(seed))))


def test_every_child_compiles_keeps_signatures_and_differs_from_both_parents():
    found = list(children(*POLICIES))
    assert len(found) > 190
    for parents, proposal in found:
        compile(proposal.source, "<child>", "exec")
        assert signatures(ast.parse(proposal.source)) == signatures(ast.parse(parents[0]))
        assert normal.key(proposal.source) not in map(normal.key, parents)
        assert len(set(proposal.parents)) == 2


def test_a_child_says_from_whom_how_and_why_in_one_line():
    operators = {proposal.operator for _, proposal in children(*POLICIES)}
    assert operators == {how.__name__ for how in EXCHANGES}
    for _, proposal in children(*POLICIES, count=30):
        assert proposal.proposer == "crossover"
        assert proposal.rationale.startswith("line ")
        assert "\n" not in proposal.rationale


def test_nearly_all_children_run():
    run = total = 0
    for _, proposal in children(*POLICIES):
        total += 1
        try:
            decisions(proposal.source)
            run += 1
        except (ArithmeticError, TypeError, ValueError):
            pass
    assert run > 0.95 * total


def test_uniform_exchange_mixes_what_two_descendants_changed():
    mixtures = {crossed(exchange.uniform, ONE, TWO, seed) for seed in range(300)}
    assert ONE.replace("HIGH = 9", "HIGH = 8") in mixtures
    assert ONE.replace("LOW = 2", "LOW = 1").replace("HIGH = 9", "HIGH = 8") in mixtures
    assert TWO not in mixtures


def test_uniform_exchange_of_one_difference_has_nothing_to_mix():
    assert crossed(exchange.uniform, ANCESTOR, ANCESTOR.replace("LOW = 1", "LOW = 5"), 1) == ANCESTOR


def test_a_function_comes_with_the_definitions_that_it_needs():
    found = {crossed(exchange.function, PLAIN, HELPED, seed) for seed in range(20)}
    assert f"BONUS = 4\n{PLAIN.replace('return x', 'return x * BONUS', 1)}" in found
    assert all(not unresolved(ast.parse(source)) for source in found)


def test_the_same_seed_gives_the_same_child():
    assert list(children(*POLICIES, count=40)) == list(children(*POLICIES, count=40))


def test_a_resumed_crossover_proposes_what_the_first_would_have():
    crossover, archive = family(*POLICIES)
    for seed in range(20):
        tiny.asked(crossover, archive, Random(seed))
    again, same = family(*POLICIES)
    assert tiny.asked(crossover, archive, Random(99)) == tiny.asked(again, same, Random(99))


def test_a_baseline_that_failed_is_no_parent():
    crossover = Crossover()
    crossover.tell(failed(0, OTHER))
    assert tiny.asked(crossover, Few(baseline(1, REFERENCE)), Random(1)) is None


@pytest.mark.parametrize(
    "source", ["def choose(:", "", "x = '\0'", f"x = [{'0x' + 'f' * 5000}]\nfor i in x:\n    y = i\n"]
)
def test_a_parent_that_cannot_be_taken_apart_gives_no_error(source):
    crossover, archive = family(REFERENCE, MEMORY, kin=0)
    for seed in range(20):
        crossover.propose(baseline(9, source), archive, Random(seed), next(iter(crossover.ways(0))))


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("def f(x):\n    return x + y\n", {"y"}),
        ("def f(x):\n    z = y\n    y = x\n", {"y"}),
        ("Y = 1\ndef f(x):\n    return [i + Y for i in x] + [len(x)]\n", set()),
        ("def f(x):\n    y = 1\n    return (lambda z: z + y)(x)\n", set()),
        (
            "def f(x):\n    try:\n        y = 1\n    except ValueError as error:\n        y = error\n    return y\n",
            set(),
        ),
        ("class P:\n    A = 1\n    B = A\n    def f(self):\n        return A\n", {"A"}),
    ],
)
def test_names_that_nothing_binds_above_are_found(source, missing):
    assert unresolved(ast.parse(source)) == missing


def test_a_baseline_that_the_archive_no_longer_holds_may_be_the_second_parent():
    crossover = Crossover()
    for number, source in enumerate((REFERENCE, OTHER)):
        crossover.tell(baseline(number, source))
    alone = Few(baseline(0, REFERENCE))
    found = {tiny.asked(crossover, alone, Random(seed)) for seed in range(20)} - {None}
    assert {proposal.parents for proposal in found} == {(0, 1)}
