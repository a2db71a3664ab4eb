"""Edits: where they fit, what they make of a policy, and that all of them are made or none."""

import difflib
import itertools
from random import Random

import pytest
import tiny
from policies import MEMORY, OTHER, POLICIES, REFERENCE, Few, baseline

from evolve.proposers.answers import Unusable, edited
from evolve.proposers.mutate import Mutate
from evolve.types import Outcome

POLICY = '''"""A rule."""

LIMIT = 3


def choose(observation):
    time = observation["time"]
    left = observation["left"]
    if left > time:
        if time > LIMIT:
            return "on_demand"
        return "spot"

    if left == time:
        return "spot"
    return "none"
'''


def block(search, replace, marks=("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE")):
    opening, divider, closing = marks
    return "\n".join([opening, *([search] if search else []), divider, *([replace] if replace else []), closing])


def answered(*pairs, policy=POLICY):
    return edited("\n\n".join(block(*pair) for pair in pairs), policy, ("choose",)).source


def refusal(*pairs, policy=POLICY):
    with pytest.raises(Unusable) as caught:
        answered(*pairs, policy=policy)
    return caught.value.outcome, str(caught.value)


def test_an_edit_replaces_whole_lines_and_nothing_else():
    assert answered(("LIMIT = 3", "LIMIT = 5")) == POLICY.replace("LIMIT = 3", "LIMIT = 5")


def test_an_edit_may_delete_lines():
    assert answered(('    if left == time:\n        return "spot"', "")) == POLICY.replace(
        '    if left == time:\n        return "spot"\n', ""
    )


def test_part_of_a_line_does_not_fit():
    assert refusal(("LIMIT", "BOUND"))[0] is Outcome.BROKEN_EDIT


def test_white_space_at_the_ends_of_lines_does_not_matter():
    policy = POLICY.replace("LIMIT = 3", "LIMIT = 3   ")
    assert "LIMIT = 4\n" in answered(("LIMIT = 3\t", "LIMIT = 4"), policy=policy)


@pytest.mark.parametrize(
    "search", ["\nLIMIT = 3", "\n\n\n\nLIMIT = 3", "LIMIT = 3\n\n\n\n\n", "\n\n\n\nLIMIT = 3\n\n\n\n"]
)
def test_blank_lines_around_a_search_that_the_policy_lacks_do_not_matter(search):
    replace = search.replace("3", "5")
    assert answered((search, replace)) == POLICY.replace("LIMIT = 3", "LIMIT = 5")


def test_blank_lines_that_the_new_lines_bring_stay():
    assert answered(("LIMIT = 3", "LIMIT = 3\n\nMORE = 4\n")) == POLICY.replace(
        "LIMIT = 3\n", "LIMIT = 3\n\nMORE = 4\n\n"
    )


@pytest.mark.parametrize("shift", ["", "  ", " " * 10, " " * 12])
def test_an_edit_that_is_indented_otherwise_as_a_whole_is_moved(shift):
    search = f'{shift}if time > LIMIT:\n{shift}    return "on_demand"'
    replace = f'{shift}if time >= LIMIT:\n\n{shift}    left = 0\n{shift}    return "none"'
    made = answered((search, replace))
    assert '        if time >= LIMIT:\n\n            left = 0\n            return "none"\n        return "spot"' in made


def test_new_lines_that_cannot_be_moved_with_their_search_are_refused():
    search = '            if time > LIMIT:\n                return "on_demand"'
    outcome, message = refusal((search, "pass"))
    assert outcome is Outcome.BROKEN_EDIT
    assert "REPLACE text of edit 1 is indented less" in message


def test_lines_that_are_shifted_unequally_do_not_fit():
    outcome, message = refusal(('if time > LIMIT:\n  return "on_demand"', "pass"))
    assert outcome is Outcome.BROKEN_EDIT
    assert "its first line is line 10, but the lines do not stand together like this" in message


def test_policies_that_are_indented_by_tabs_can_be_edited():
    policy = POLICY.replace("    ", "\t")
    made = answered(('\tif time > LIMIT:\n\t\treturn "on_demand"', "\tpass"), policy=policy)
    assert made == policy.replace('\t\tif time > LIMIT:\n\t\t\treturn "on_demand"', "\t\tpass")


def test_what_fits_exactly_once_wins_over_what_would_fit_with_tolerance():
    made = answered(('        return "spot"\n', '        return "none"\n'))
    assert made == POLICY.replace('        return "spot"\n\n', '        return "none"\n\n')
    policy = "def choose(a):\n    if a:\n        b = 1\n    b = 1\n    return b\n"
    assert answered(("    b = 1", "    b = 2"), policy=policy) == policy.replace("\n    b = 1", "\n    b = 2")


def test_a_search_that_fits_nowhere_names_the_nearest_line():
    outcome, message = refusal(("LIMIT = 3", "LIMIT = 5"), ('    time = observation["tim"]', "    time = 1"))
    assert outcome is Outcome.BROKEN_EDIT
    assert message == (
        'the SEARCH text of edit 2 fits nowhere in the policy; there is no line `time = observation["tim"]`; the '
        'nearest is line 7: `time = observation["time"]`; SEARCH must repeat the policy\'s lines exactly'
    )


def test_a_search_like_nothing_in_the_policy_names_no_line():
    outcome, message = refusal(("# ... existing code ...", "pass"))
    assert outcome is Outcome.BROKEN_EDIT
    assert "there is no line `# ... existing code ...`; SEARCH must" in message


def test_a_search_that_fits_twice_says_where():
    outcome, message = refusal(('        return "spot"', "        pass"))
    assert outcome is Outcome.BROKEN_EDIT
    assert message == (
        "the SEARCH text of edit 1 fits in 2 places (lines 12 and 15); add lines around it until it fits once"
    )


def test_a_search_that_fits_at_two_depths_says_where():
    policy = "def choose(a):\n    if a:\n        b = 1\n    b = 1\n    return b\n"
    assert "fits in 2 places (lines 3 and 4)" in refusal(("b = 1", "b = 2"), policy=policy)[1]


def test_a_search_that_fits_in_many_places_does_not_list_them_all():
    policy = "def choose(a):\n" + "    a += 1\n" * 100 + "    return a\n"
    assert "more than 3 places (lines 2, 3, 4 and more)" in refusal(("    a += 1", "    a += 2"), policy=policy)[1]


@pytest.mark.parametrize("search", ["", "   ", "\n\n"])
@pytest.mark.parametrize("replace", ["", "X = 1"])
def test_an_empty_search_is_refused(search, replace):
    outcome, message = refusal(("LIMIT = 3", "LIMIT = 4"), (search, replace))
    assert outcome is Outcome.BROKEN_EDIT
    assert "SEARCH text of edit 2 is empty" in message


def test_edits_that_overlap_are_refused():
    pairs = [
        ('    time = observation["time"]\n    left = observation["left"]', "    time = left = 1"),
        ("LIMIT = 3", "LIMIT = 4"),
        ('    left = observation["left"]\n    if left > time:', "    if True:"),
    ]
    assert refusal(*pairs) == (Outcome.BROKEN_EDIT, "edits 1 and 3 overlap; make them one edit")
    assert "edits 1 and 2 overlap" in refusal(("LIMIT = 3", "LIMIT = 4"), ("LIMIT = 3", "LIMIT = 5"))[1]


def test_an_edit_that_is_written_twice_is_one_edit():
    assert answered(("LIMIT = 3", "LIMIT = 5"), ("LIMIT = 3", "LIMIT = 5")) == answered(("LIMIT = 3", "LIMIT = 5"))


def test_edits_of_neighbouring_lines_do_not_overlap():
    made = answered(
        ('    left = observation["left"]', "    left = 2"), ('    time = observation["time"]', "    time = 1")
    )
    assert "    time = 1\n    left = 2\n    if" in made


def test_every_edit_is_looked_for_in_the_policy_as_it_was_shown():
    assert refusal(("LIMIT = 3", "LIMIT = 4"), ("LIMIT = 4", "LIMIT = 5"))[0] is Outcome.BROKEN_EDIT
    policy = "A = 1\nB = 2\n\n\ndef choose(a):\n    return A < B\n"
    assert answered(("A = 1", "B = 2"), ("B = 2", "A = 1"), policy=policy).startswith("B = 2\nA = 1\n\n")


def test_one_edit_that_does_not_fit_refuses_them_all():
    good = ("LIMIT = 3", "LIMIT = 5")
    for pairs in itertools.permutations(
        [good, ("NOTHING", "X = 1"), ('    left = observation["left"]', "    left = 1")]
    ):
        assert refusal(*pairs)[0] is Outcome.BROKEN_EDIT


def test_edits_that_change_nothing_are_not_new():
    assert refusal(("LIMIT = 3", "LIMIT = 3"), ("    if left > time:", "    if left > time:  "))[0] is Outcome.NOT_NEW


def test_an_edit_that_changes_nothing_beside_one_that_does_is_no_matter():
    assert answered(("LIMIT = 3", "LIMIT = 3"), ("    if left > time:", "    if left < time:")) == POLICY.replace(
        ">", "<", 1
    )


def test_too_many_edits_are_refused():
    policy = "def choose(a):\n" + "".join(f"    a += {n}\n" for n in range(51)) + "    return a\n"
    outcome, message = refusal(*[(f"    a += {n}", f"    a -= {n}") for n in range(51)], policy=policy)
    assert outcome is Outcome.BROKEN_EDIT
    assert "51 edits; give at most 50" in message


def test_a_result_that_does_not_parse_is_a_broken_edit_that_says_where():
    outcome, message = refusal(("    if left > time:", "    if left > > time:"))
    assert outcome is Outcome.BROKEN_EDIT
    assert message == "with the edits made, the code is not Python: line 9: invalid syntax: `if left > > time:`"


@pytest.mark.parametrize(
    ("search", "replace", "why"),
    [
        ("def choose(observation):", "def decide(observation):", "defines `decide`, but `choose` is needed"),
        ("def choose(observation):", "def choose(observation, more):", "takes 2 arguments, but is called with 1"),
        ("LIMIT = 3", "break", "line 3: 'break' outside loop"),
        ("LIMIT = 3", "LIMIT = '\ud800'", "lone surrogate"),
        ("LIMIT = 3", "LIMIT = '\0'", "null bytes"),
        ("LIMIT = 3", "LIMIT = " + "-" * 9_000 + "1", "too deeply nested"),
    ],
)
def test_a_result_that_is_no_policy_is_a_broken_edit(search, replace, why):
    outcome, message = refusal((search, replace))
    assert outcome is Outcome.BROKEN_EDIT
    assert message.startswith("with the edits made, ")
    assert why in message


def test_a_result_that_differs_in_looks_only_is_not_new():
    assert refusal(("LIMIT = 3", "LIMIT = 3  # three"))[0] is Outcome.NOT_NEW
    assert refusal(('    time = observation["time"]', "    time = observation['time']"))[0] is Outcome.NOT_NEW


def test_a_result_that_is_too_long_is_refused():
    assert refusal(("LIMIT = 3", "LIMIT = '" + "x" * 64_000 + "'"))[0] is Outcome.TOO_LONG


def test_the_line_endings_of_a_policy_become_newlines():
    made = answered(("LIMIT = 3", "LIMIT = 5"), policy=POLICY.replace("\n", "\r\n"))
    assert made == POLICY.replace("LIMIT = 3", "LIMIT = 5")


def test_separators_that_end_no_line_in_python_are_left_alone():
    policy = POLICY.replace('"""A rule."""', '"""A\u2028rule.\x0c"""')
    assert answered(("LIMIT = 3", "LIMIT = 5"), policy=policy) == policy.replace("LIMIT = 3", "LIMIT = 5")


def mutants():
    """Returns the policies and random mutants of them."""
    mutate, archive = Mutate(), Few(*[baseline(number, source) for number, source in enumerate(POLICIES)])
    made = [tiny.asked(mutate, archive, Random(seed)) for seed in range(40)]
    return [*POLICIES, *(proposal.source for proposal in made if proposal is not None)]


def places(lines, wanted):
    """Returns in how many places whole lines stand, white space at their ends aside."""
    lines, wanted = [line.rstrip() for line in lines], [line.rstrip() for line in wanted]
    return sum(lines[at : at + len(wanted)] == wanted for at in range(len(lines) - len(wanted) + 1))


def differences(old, new):
    """Returns the edits from one policy to another, with as little context as makes each of them fit once."""
    before, after = old.split("\n"), new.split("\n")
    for context in (0, 1, 2, 3, 5, 8, 1000):
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        found = []
        for group in matcher.get_grouped_opcodes(context):
            (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
            found.append((before[i1:i2], after[j1:j2]))
        if all(any(map(str.strip, search)) and places(before, search) == 1 for search, _ in found):
            return found
    raise AssertionError("the whole policy fits once in itself")


def as_answer(edits):
    marks = ["<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"]
    return "\n".join("\n".join([marks[0], *old, marks[1], *new, marks[2]]) for old, new in edits)


def test_edits_between_random_policies_lead_from_one_to_the_other_in_any_order():
    policies, rng, several = mutants(), Random(3), 0
    for _ in range(300):
        old, new = rng.sample(policies, 2)
        edits = differences(old, new)
        several += len(edits) > 1
        rng.shuffle(edits)
        try:
            assert edited(as_answer(edits), old, ("choose",)).source == new
        except Unusable as reason:
            assert reason.outcome is Outcome.NOT_NEW
            assert "does the same" in str(reason)
    assert several > 50


def test_of_edits_with_one_that_is_spoilt_none_is_made():
    policies, rng = mutants(), Random(4)
    for _ in range(100):
        old, new = rng.sample(policies, 2)
        edits = differences(old, new)
        spoilt = rng.randrange(len(edits))
        edits[spoilt] = ([*edits[spoilt][0], "a line that is in no policy"], edits[spoilt][1])
        with pytest.raises(Unusable) as caught:
            edited(as_answer(edits), old, ("choose",))
        assert caught.value.outcome is Outcome.BROKEN_EDIT
        assert f"edit {spoilt + 1} fits nowhere" in str(caught.value)


@pytest.mark.parametrize(("old", "new"), [*itertools.permutations((REFERENCE, OTHER, MEMORY), 2)])
def test_a_function_may_become_a_class_by_edits_and_a_class_a_function(old, new):
    assert edited(as_answer(differences(old, new)), old, ("choose",)).source == new
