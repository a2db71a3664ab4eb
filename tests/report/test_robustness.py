"""A sweep as a table and in words: intervals decide, failures come first, and names of strangers are inert."""

from dataclasses import replace

import tiny

from evolve.duel import Duel
from evolve.report.robustness import table, words
from evolve.robustness import Setting, Side
from evolve.standings import Standing
from evolve.statistics import Interval
from evolve.types import Evaluation, Verdict

BETTER, SAME, WORSE = Interval(1.1, 1.05, 1.15, 12), Interval(1.02, 0.97, 1.07, 12), Interval(0.9, 0.85, 0.95, 12)
SIDES = {BETTER: Side.BETTER, SAME: Side.NOT_TOLD_APART, WORSE: Side.WORSE}


def setting(name, interval, **rivals):
    condition, value = name.split("=")
    found = Standing("found", tiny.evaluation(interval.mean), interval, 4.0, 0.25)
    sides = {rival: SIDES[each] for rival, each in {"reference": interval, **rivals}.items()}
    return Setting(condition, value, 12, found, tuple(Duel(*each, 7, 1, 4) for each in rivals.items()), sides)


def failed(name, verdict=Verdict.INVALID, feedback="decided for \x1b[2J two"):
    condition, value = name.split("=")
    return Setting(condition, value, 12, Standing("found", Evaluation(verdict, feedback=feedback)), ())


def test_the_table_shows_each_setting_against_the_reference_and_each_other_rival():
    *lines, note = table([setting("load=50%", BETTER, reference=BETTER, greedy=SAME), setting("load=95%", WORSE)])
    assert "what is said in words holds for all of them together" in note
    cells = [line.split("  ") for line in lines]
    assert [[cell.strip() for cell in row if cell.strip()] for row in cells if not row[0].startswith("-")] == [
        ["condition", "setting", "cases", "verdict", "against reference", "against greedy", "gap closed"],
        ["load", "50%", "12", "OK", "1.1000 [1.0500, 1.1500]", "1.0200 [0.9700, 1.0700]", "25.0%"],
        ["load", "95%", "12", "OK", "0.9000 [0.8500, 0.9500]", "-", "25.0%"],
    ]


def test_the_table_says_why_a_policy_failed():
    *_, row, _, why = table([setting("load=50%", BETTER), failed("load=95%")])
    assert row.split() == ["load", "95%", "12", "INVALID", "-", "-"]
    assert why == "load=95%: decided for ?[2J two"


def test_a_problem_without_conditions_has_no_table_and_no_words():
    assert table([]) == ["no conditions declared"]
    assert words([]) == []


def test_a_setting_where_it_is_worse_is_named_with_its_interval():
    said = words([setting("load=50%", BETTER), setting("load=95%", WORSE)])
    assert said == [
        "worse than the reference under load=95% (0.9000 [0.8500, 0.9500]); ahead of the reference under load=50%"
    ]


def test_what_is_not_told_apart_is_left_to_the_others():
    said = words([setting("load=50%", SAME), setting("load=80%", BETTER), setting("load=95%", SAME)])
    assert said == ["ahead of the reference under load=80%; not told apart under the others"]
    assert words([setting("load=50%", SAME)]) == ["not told apart from the reference under any condition"]


def test_where_it_is_ahead_under_every_setting_the_condition_is_named():
    ahead = [setting(name, BETTER) for name in ("load=50%", "load=95%", "noise=none", "noise=much", "skew=even")]
    assert words(ahead) == ["ahead of the reference under every setting of load, noise and skew"]
    assert words([*ahead, setting("skew=heavy", SAME)]) == [
        "ahead of the reference under skew=even and every setting of load and noise; not told apart under the others",
    ]


def test_the_sides_decide_and_not_the_intervals():
    unsure = replace(setting("load=50%", BETTER), sides={"reference": Side.NOT_TOLD_APART})
    assert words([unsure]) == ["not told apart from the reference under any condition"]


def test_a_failure_comes_first_and_is_no_lead():
    said = words([setting("noise=none", WORSE), failed("noise=much"), failed("noise=more"), setting("load=1", BETTER)])
    assert said == [
        "INVALID under noise=much and noise=more",
        "worse than the reference under noise=none (0.9000 [0.8500, 0.9500]); "
        "ahead of the reference under every setting of load",
    ]
    late = failed("load=2", Verdict.TIMED_OUT)
    assert words([late, failed("load=3")]) == ["TIMED_OUT under load=2", "INVALID under load=3"]
    assert words([failed("load=1"), failed("load=2")]) == ["INVALID under every setting of load"]


def test_other_rivals_are_told_after_the_reference():
    both = [setting(f"load={each}", BETTER, reference=BETTER, greedy=found) for each, found in ((1, WORSE), (2, SAME))]
    assert words(both) == [
        "ahead of the reference under every setting of load",
        "worse than greedy under load=1 (0.9000 [0.8500, 0.9500]); not told apart under the others",
    ]


def test_a_rival_that_failed_somewhere_is_not_said_to_be_beaten_there():
    two = [setting("load=1", BETTER, greedy=BETTER), setting("load=2", BETTER)]
    assert words(two)[1:] == ["ahead of greedy under load=1"]


def test_names_of_strangers_are_shown_inert():
    hostile = setting("load=\x1b[2J", BETTER, **{"\x1b]0;gotcha\x07": WORSE})
    assert all(line.isprintable() for line in [*words([hostile]), *table([hostile])])
