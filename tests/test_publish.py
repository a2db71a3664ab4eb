"""Published results: what is written of a run, that it repeats, and that it is judged again and not believed."""

import json
import re
import secrets
import shlex
from concurrent.futures import Future
from dataclasses import replace
from itertools import count
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import ClassVar

import pytest
import tiny

from evolve import catalog, publishing
from evolve.budget import Limit
from evolve.cli import main
from evolve.executors.local import LocalExecutor
from evolve.folder import RunFolder
from evolve.objective import Objective
from evolve.problem import Problem
from evolve.publication import rejudge, result, shelf
from evolve.publication.losses import losses
from evolve.publication.result import ResultError
from evolve.report.result import Page, describe_again, readme
from evolve.session import search
from evolve.types import CaseResult, Evaluation, EvolveError, Verdict

QUICK = ("    def bound", "    def case_sets(self):\n        return {'quick': [3, 50, 90]}\n\n    def bound")
SETTINGS = (
    "    def bound",
    "    def label(self, x):\n        return f'x {x}, even' if x % 2 == 0 else f'x {x}, odd'\n\n    def bound",
)
CHANGES = [QUICK, SETTINGS, ("seeds(6)", "seeds(24)")]
EVALUATIONS = 40


@pytest.fixture(scope="module", autouse=True)
def drawn():
    """What secrets are made of: the same for runs and fresh cases, unless a test says otherwise."""
    drawn = SimpleNamespace(run="1", fresh="1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_hex", lambda size: 2 * size * drawn.run)
        patch.setitem(rejudge.again.__kwdefaults__, "draw", lambda size: 2 * size * drawn.fresh)
        yield drawn


@pytest.fixture
def evolve(monkeypatch, capsys):
    """Runs a command and returns its exit status and what it printed."""

    def evolve(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse
            status = exit_.code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return status, printed.out, printed.err

    return evolve


def run(home, *arguments, out="run"):
    command = ["run", home / "tiny.py", "--evaluations", EVALUATIONS, *arguments, "--out", home / out, "--workers", 1]
    assert main([str(word) for word in command]) == 0


def publish(home, *arguments, out="run"):
    return main([str(word) for word in ["publish", home / out, "--to", home / "results", "--workers", 1, *arguments]])


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with a problem, a run of it, and the result that was published of that."""
    home = tmp_path_factory.mktemp("published")
    tiny.write(home, changes=CHANGES)
    run(home, "--seed", 4)
    assert publish(home) == 0
    return home


@pytest.fixture
def home(original, tmp_path, monkeypatch):
    """A copy of that folder, which a test may spoil and in which commands are given."""
    copytree(original, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def published(home):
    return home / "results" / "tiny" / "seed-4"


@pytest.fixture
def again(evolve, home, published):
    """Judges the result again, with the problem in the folder."""

    def again(*arguments):
        return evolve("verify", published, "--problem", home / "tiny.py", "--workers", 1, *arguments)

    return again


class Lasting:
    """Judges as another does, but the same only once."""

    def __init__(self, executor):
        self._executor, self._known = executor, {}

    def submit(self, task):
        if task not in self._known:
            self._known[task] = self._executor.submit(task)
        return self._known[task]


@pytest.fixture(scope="module")
def rejudged(original):
    """Judges results of the problem again, and each policy only once."""
    problem = catalog.load(str(original / "tiny.py"))
    with LocalExecutor(problem, 1) as executor:
        lasting = Lasting(executor)
        yield lambda path: rejudge.rejudge(result.read(path), problem, lasting, 32 * "1")


def edit(published, change):
    """Changes the record as an editor would."""
    file = published / result.RECORD
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))


# publishing


def test_a_result_is_the_best_policy_with_its_record_and_a_readme(home, published):
    assert {item.name for item in published.iterdir()} == {"policy.py", "record.json", "README.md"}
    found = result.read(published)
    proof = json.loads((home / "run" / "verification.json").read_text())
    record = found.result
    assert found.policy == (home / "run" / "best.py").read_text() == proof["policy"]
    assert (record.problem, record.format, record.candidate) == ("tiny", 1, proof["number"])
    assert record.sealed.found.sealed == proof["standings"][-1]["evaluation"]["score"]
    assert record.sealed.found.gap_closed == proof["standings"][-1]["gap"]
    assert (record.conclusion, record.proved, record.seal.uses) == (proof["conclusion"], True, 1)
    assert record.seal.secret == (home / "run" / "secret").read_text()
    assert record.lineage[0].operator == "reference"
    assert record.lineage[-1].number == record.candidate
    assert [step.parents[0] for step in record.lineage[1:]] == [step.number for step in record.lineage[:-1]]
    assert set(record.hashes) == {"train", "validation", "test", "quick"}
    assert None not in record.hashes.values()
    assert len(set(record.hashes.values())) == 4
    assert record.quick.cases == 3
    spread = record.sealed.spread
    assert spread.least <= spread.quarter <= spread.median <= spread.three_quarters <= spread.most


def test_the_readme_begins_with_the_conclusion_and_says_how_to_repeat_it(published):
    text = (published / "README.md").read_text()
    title, _, conclusion = text.splitlines()[:3]
    assert title == "# tiny: seed-4"
    assert conclusion.startswith("The best found, #")
    assert "beats every baseline on the sealed cases" in text.partition("## What it does")[0].replace("\n", " ")
    for expected in ("It grew from the baseline `reference`", "-    ", "evolve verify results/tiny/seed-4", "bound"):
        assert expected in text
    assert f"evolve run tiny.py --seed 4 --evaluations {EVALUATIONS} --out RUN\n" in text


def test_the_command_of_a_record_finds_the_same_policy(home, published):
    record = result.record(published)
    assert record.search.command == f"evolve run tiny.py --seed 4 --evaluations {EVALUATIONS}"
    assert main([*shlex.split(record.search.command)[1:], "--out", "again", "--workers", "2"]) == 0
    assert result.sha256((home / "again" / "best.py").read_text()) == record.policy_sha256


def test_a_run_that_the_clock_ended_is_repeated_by_its_number_of_evaluations(home):
    ticks = count()
    problem = catalog.load(str(home / "tiny.py"))
    search(problem, home / "timed", Limit(seconds=150), workers=1, clock=lambda: float(next(ticks)))
    assert publish(home, "--name", "timed", out="timed") == 0
    record = result.record(home / "results" / "tiny" / "timed")
    with RunFolder(home / "timed").open(read_only=True) as journal:
        assert record.search.evaluations == journal.count() > 8  # it went on after the baselines
    assert record.search.command == f"evolve run tiny.py --seed 0 --evaluations {record.search.evaluations}"
    assert main([*shlex.split(record.search.command)[1:], "--out", "again", "--workers", "1"]) == 0
    assert result.sha256((home / "again" / "best.py").read_text()) == record.policy_sha256
    with RunFolder(home / "timed").open() as timed, RunFolder(home / "again").open() as repeated:
        numbers = range(record.search.evaluations)
        assert tiny.rows(map(timed.candidate, numbers)) == tiny.rows(map(repeated.candidate, numbers))


def test_a_search_on_a_case_set_is_repeated_on_it(home):
    run(home, "--cases", "quick", out="narrow")
    assert publish(home, "--name", "narrow", out="narrow") == 0
    record = result.record(home / "results" / "tiny" / "narrow")
    assert (record.search.cases, "--cases quick" in record.search.command) == ("quick", True)


def test_where_nothing_better_than_a_baseline_was_found_that_is_said_first(tmp_path):
    tiny.write(tmp_path, changes=CHANGES)
    (tmp_path / "seeds" / "tiny").mkdir(parents=True)
    (tmp_path / "seeds" / "tiny" / "best.py").write_text('"""Thrice."""\n\n\ndef guess(x):\n    return 3 * x\n')
    run(tmp_path, "--evaluations", 2)
    assert publish(tmp_path) == 0
    record = result.record(tmp_path / "results" / "tiny" / "seed-0")
    assert (record.baseline, record.proved) == ("best", False)
    text = (tmp_path / "results" / "tiny" / "seed-0" / "README.md").read_text()
    assert text.splitlines()[2].startswith("The search found nothing better than the baseline 'best'")
    assert "It is the baseline `best` as it stands (`Thrice.`)" in text


def test_a_place_that_cannot_be_written_to_is_refused_before_a_sealed_case_is_used(tmp_path, evolve):
    tiny.write(tmp_path, changes=CHANGES)
    run(tmp_path)
    (tmp_path / "file").touch()
    status, _, errors = evolve("publish", tmp_path / "run", "--to", tmp_path / "file")
    assert (status, "give another --to" in errors) == (1, True)
    assert "sealed    never used" in evolve("show", tmp_path / "run")[1]


def test_a_policy_that_fails_on_sealed_cases_is_not_published(tmp_path, evolve):
    secret = [("[1 + seed % 97 for", "[1 + seed % 97 + 1000 * (split.name == 'test') for")]
    fails = [("return 2 * x + 1\\n", "return 2 * x + 1\\n"), *secret]
    tiny.write(tmp_path, changes=fails)
    run(tmp_path, "--evaluations", 1)
    source = "def guess(x):\n    if x > 1000:\n        return -x\n    return 3 * x\n"
    with RunFolder(tmp_path / "run").open() as journal:
        journal.propose(1, tiny.Proposal(source, "mutate", "op", (0,)))
        journal.record(1, tiny.evaluation(9.0, 6), 1.0)
        journal.record(1, tiny.evaluation(9.0, 6), 1.0, "validation")
    status, _, errors = evolve("publish", tmp_path / "run", "--to", tmp_path / "results", "--workers", 1)
    assert status == 1
    assert "#1, is INVALID on the sealed cases" in errors
    assert "there is nothing to publish" in errors
    assert not (tmp_path / "results").exists()


def test_to_publish_again_counts_as_another_use_and_replaces_the_result(home, published, evolve):
    before = result.record(published)
    assert publish(home, "--about", "Guesses [better](http://x) than `before`.") == 0
    after = result.record(published)
    assert (before.seal.uses, after.seal.uses, after.seal.uses_after_reveal) == (1, 2, 1)
    assert (after.seal.covered, after.proved) == (True, True)  # it was found before the secret was revealed
    assert after.sealed == before.sealed
    assert r"Guesses \[better\](http:\//x) than \`before\`." in (published / "README.md").read_text()
    assert [item.name for item in published.parent.iterdir()] == ["seed-4"]  # nothing is left beside it


def test_publish_in_json_is_the_record_and_where_it_lies(home, evolve):
    status, out, _ = evolve("publish", "run", "--to", "results", "--name", "other", "--workers", 1, "--json")
    assert status == 0
    said = json.loads(out)
    assert said["path"] == "results/tiny/other"
    assert said["record"]["policy_sha256"] == result.sha256(said["policy"])


# where it lies


def test_a_problem_that_does_not_come_with_evolve_needs_a_folder_for_its_results(evolve, home):
    status, _, errors = evolve("publish", "run")
    assert (status, errors) == (
        1,
        "evolve: tiny does not come with evolve, and neither do its results; give --to FOLDER\n",
    )
    with RunFolder(home / "run").open(read_only=True) as journal:
        assert journal.seal().uses == 1  # of the first time


@pytest.mark.parametrize(
    "name", ["../up", "", ".hidden", "a b", "UP", "a/b", "n" * 61, "é", "-x", "x.", "x-", "con", "nul.x", "com1"]
)
def test_a_name_that_is_no_folder_everywhere_is_refused_before_anything_is_judged(evolve, home, name):
    status, _, errors = evolve("publish", "run", "--to", "results", f"--name={name}")
    assert status == 1
    assert "cannot name a result" in errors
    assert "judging" not in errors


def test_only_a_result_is_replaced(evolve, home, published):
    (published / "notes.txt").touch()
    status, _, errors = evolve("publish", "run", "--to", "results")
    assert (status, "holds more than a result ('notes.txt')" in errors) == (1, True)
    (published / "notes.txt").unlink()
    (published / "record.json").write_text("{}")
    status, _, errors = evolve("publish", "run", "--to", "results")
    assert (status, "is not replaced, for it holds no result" in errors) == (1, True)
    (home / "results" / "tiny" / "link").symlink_to(home / "run")
    status, _, errors = evolve("publish", "run", "--to", "results", "--name", "link")
    assert (status, "is there already and is no folder" in errors) == (1, True)
    assert "judging" not in errors  # it is refused before a sealed case is used
    with pytest.raises(ResultError, match="is not replaced"):  # what came there meanwhile is not replaced either
        shelf.write({}, published)
    assert (published / "record.json").read_text() == "{}"


def test_a_result_that_cannot_be_put_in_its_place_leaves_the_old_one(home, published, monkeypatch):
    rename = Path.rename

    def failing(self, to):
        if self.name == "new":
            raise OSError(28, "full")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    before = {item.name: item.read_bytes() for item in published.iterdir()}
    with pytest.raises(EvolveError, match=r"cannot write .*: full"):
        shelf.write({"policy.py": "", "record.json": "", "README.md": ""}, published)
    assert {item.name: item.read_bytes() for item in published.iterdir()} == before
    assert len(list(published.parent.iterdir())) == 1


def test_a_result_of_another_objective_than_the_first_is_named_after_it():
    class Several(Problem):
        """Write."""

        objectives: ClassVar = {"balance": Objective("balance"), "speed": Objective("cpu_seconds", timed=True)}
        name = "several"
        path = Path("several.py")

    journal = SimpleNamespace(header=SimpleNamespace(seed=3))
    problem = Several()
    assert shelf.place(problem, journal, Path("to"), None) == Path("to/several/seed-3")
    problem.pursue("speed")
    assert shelf.place(problem, journal, Path("to"), None) == Path("to/several/speed-seed-3")


# judging again


def test_a_result_is_judged_again_on_the_same_cases_and_agrees_in_every_figure(again):
    status, out, _ = again()
    assert status == 0
    assert "agrees with its record: every figure compared is what was published" in out.splitlines()[0]
    assert re.search(r"^sealed\.found\.sealed +(\d+\.\d+) +\1 +yes$", out, re.MULTILINE)
    assert re.search(r"^quick\.score +(\d+\.?\d*) +\1 +yes$", out, re.MULTILINE)
    assert re.search(r"^sealed\.duels\.reference\.ratio +(\d+\.?\d*) +\1 +yes$", out, re.MULTILINE)
    assert re.search(r"^\d\d figures compared, all equal$", out, re.MULTILINE)
    assert "\n  that the secret was drawn before the search\n" in out.partition("not judged again:")[2]
    assert "follow from a secret that its publisher chose" in out
    said = json.loads(again("--json")[1])
    assert (said["agrees"], said["changes"], said["failures"]) == (True, [], [])
    assert all(pair["published"] == pair["now"] for pair in said["pairs"])


ALTERED = {
    "score": lambda record: record["sealed"]["found"].update(sealed=record["sealed"]["found"]["sealed"] + 1e-6),
    "low": lambda record: record["sealed"]["found"].update(low=record["sealed"]["found"]["low"] - 1e-6),
    "mean": lambda record: record["sealed"]["found"].update(mean=record["sealed"]["found"]["mean"] + 1e-6),
    "gap": lambda record: record["sealed"]["found"].update(gap_closed=1.0),
    "baseline's mean": lambda record: record["sealed"]["best_baseline"].update(mean=99.0),
    "baseline's name": lambda record: record["sealed"]["best_baseline"].update(policy="easy"),
    "baseline's score": lambda record: record["sealed"]["best_baseline"].update(sealed=0.5, low=0.5),
    "ratio": lambda record: record["sealed"]["duels"][0].update(ratio=9.0),
    "duel's end": lambda record: record["sealed"]["duels"][0].update(high=9.0),
    "cases won": lambda record: record["sealed"]["duels"][0].update(better=25),
    "duels": lambda record: record["sealed"].update(duels=[]),
    "failed": lambda record: record["sealed"]["failed"].update(reference="INVALID: it is"),
    "cases": lambda record: record["sealed"].update(cases=1000),
    "stretches": lambda record: record["sealed"].update(stretches=1000),
    "spread": lambda record: record["sealed"]["spread"].update(least=1.0001),
    "train": lambda record: record.update(train=9.0),
    "reference's train": lambda record: record["sealed"]["reference"].update(train=0.5),
    "validation": lambda record: record.update(validation=9.0),
    "quick": lambda record: record["quick"].update(cases=4),
    "proved": lambda record: record.update(proved=False),
}


@pytest.mark.parametrize("what", ALTERED)
def test_a_figure_that_was_altered_does_not_agree(rejudged, published, what):
    assert rejudged(published).agrees
    edit(published, ALTERED[what])
    found = rejudged(published)
    assert not found.agrees
    text = describe_again(found)
    assert "does not agree with its record: figures differ though nothing" in text
    assert re.search(r" no$", text, re.MULTILINE)
    assert re.search(r"figures compared, \d+ differ$", text, re.MULTILINE)


def test_where_the_problem_has_changed_that_is_said_and_the_intervals_decide(again, home):
    tiny.write(home, changes=[*CHANGES, ("below zero", "negative")])
    status, out, _ = again()
    assert (status, "every figure compared is what was published" in out) == (0, True)
    assert "changed since it was published: the code of tiny" in out
    tiny.write(home, changes=[*CHANGES, ("1 + abs(guess - 3 * x)", "1.01 + abs(guess - 3 * x)")])
    status, out, _ = again()
    assert (status, "lie in each other's intervals; figures differ" in out) == (0, True)
    tiny.write(home, changes=[*CHANGES, ("1 + abs(guess - 3 * x)", "500 + abs(guess - 3 * x)")])
    status, out, _ = again()
    assert (status, "lie outside of each other's intervals" in out) == (1, True)


def old(record):
    """Lets a record speak of another version, which nobody can check."""
    record["versions"]["numpy"] = "0"


def test_a_false_score_in_an_interval_that_is_as_false_does_not_agree(rejudged, published):
    edit(published, lambda record: (old(record), record["sealed"]["found"].update(sealed=500.0, low=0.1, high=900.0)))
    found = rejudged(published)
    assert (found.agrees, "lie outside of each other's intervals" in found.said) == (False, True)


@pytest.mark.parametrize(("role", "figure"), [("found", "mean"), ("reference", "mean"), ("found", "gap_closed")])
def test_totals_on_the_same_cases_are_near_each_other_whatever_has_changed(rejudged, published, role, figure):
    def grow(record, by):
        old(record)
        record["sealed"][role][figure] = record["sealed"][role][figure] * by + (by - 1)  # a gap may be 0

    edit(published, lambda record: grow(record, 1.01))
    assert rejudged(published).agrees
    edit(published, lambda record: grow(record, 0.8))
    found = rejudged(published)
    assert (found.agrees, f"sealed.{role}.{figure} differs by more than 5%" in found.said) == (False, True)


def test_a_proof_that_the_duels_of_now_do_not_bear_out_does_not_agree(again, home, published):
    (home / "seeds" / "tiny").mkdir(parents=True)
    (home / "seeds" / "tiny" / "same.py").write_text((published / "policy.py").read_text())
    status, out, _ = again()
    assert (status, "it is said to be proved, and it is not shown to beat same" in out) == (1, True)
    edit(published, lambda record: record.update(proved=False))
    assert again()[0] == 0


def test_a_record_that_says_proved_of_cases_known_before_does_not_agree(rejudged, published):
    edit(published, lambda record: (old(record), record["seal"].update(covered=False)))
    found = rejudged(published)
    assert (found.agrees, "it is said to be proved, and its record denies it" in found.said) == (False, True)


def test_cases_that_were_chosen_for_being_lucky_are_found_out_by_fresh_ones(tmp_path, evolve, drawn, monkeypatch):
    lucky = ("[1 + seed % 97 for", "[1 + seed % (3 if split.secret.startswith('f') else 97) for")
    tiny.write(tmp_path, changes=[*CHANGES, lucky])
    monkeypatch.setattr(drawn, "run", "f")
    run(tmp_path)
    assert publish(tmp_path) == 0
    command = ["verify", tmp_path / "results" / "tiny" / "seed-0", "--problem", tmp_path / "tiny.py", "--workers", 1]
    status, out, _ = evolve(*command)
    assert (status, "on fresh sealed cases its interval does not overlap the published one" in out) == (1, True)
    assert "figures compared, all equal" in out
    assert re.search(r"on fresh sealed cases: score .* ratio to the baseline reference \d+\.\d+ \[", out)
    monkeypatch.setattr(drawn, "fresh", "f")
    assert evolve(*command)[0] == 0


class Slow:
    """Judges as another does, but a policy runs out of time."""

    def __init__(self, executor, source):
        self._executor, self._source = executor, source

    def submit(self, task):
        if task.source != self._source:
            return self._executor.submit(task)
        future = Future()
        future.set_result(Evaluation(Verdict.TIMED_OUT, feedback="10 s of CPU"))
        return future


@pytest.mark.parametrize("slow", ["policy", "reference"])
def test_a_machine_that_is_too_slow_is_no_disagreement(home, published, slow):
    problem, found = catalog.load(str(home / "tiny.py")), result.read(published)
    source = found.policy if slow == "policy" else problem.baselines()[0].source
    with LocalExecutor(problem, 1) as executor:
        said = rejudge.rejudge(found, problem, Slow(executor, source), "fresh")
    assert (said.agrees, said.slow) == (False, True)
    text = describe_again(said)
    assert f"could not be judged here: too slow: the {'policy' if slow == 'policy' else 'baseline'}" in text
    assert "agree" not in text


def test_cases_that_are_others_now_are_named(again, home):
    tiny.write(home, changes=[*CHANGES, ("seed % 97", "seed % 89")])
    _, out, _ = again()
    for name in ("train", "validation", "test"):
        assert f"changed since it was published: the cases {name}\n" in out
    assert "the cases quick" not in out


def test_where_times_are_measured_a_tenth_beside_the_interval_is_near_enough(tmp_path, evolve):
    tiny.write(tmp_path, changes=[*CHANGES, ("    reference =", '    measured = ("error",)\n    reference =')])
    run(tmp_path)
    assert publish(tmp_path) == 0
    path = tmp_path / "results" / "tiny" / "seed-0"
    score = result.record(path).sealed.found.sealed
    for off, expected in ((1.05, 0), (1.2, 1)):
        edit(
            path,
            lambda record, off=off: record["sealed"]["found"].update(
                sealed=score * off, low=score * off, high=score * 9
            ),
        )
        status, out, _ = evolve("verify", path, "--problem", tmp_path / "tiny.py", "--workers", 1)
        assert (status, "for times are never the same" in out) == (expected, True)
    edit(path, lambda record: record["quick"].update(score=record["quick"]["score"] * 2))
    problem = catalog.load(str(tmp_path / "tiny.py"))
    with LocalExecutor(problem, 1) as executor:
        assert rejudge.on_quick(result.read(path), problem, executor) == ""


def test_a_search_for_speed_is_not_said_to_find_the_same_policy(published):
    record = result.record(published)
    timed = replace(record, objective=replace(record.objective, timed=True))
    for found, said in ((record, "find the same policy"), (timed, "what it times is never twice the same")):
        text = readme(Page(found, "n", "tiny.py", "", "reference", "", ())).replace("\n", " ")
        assert said in text
        assert ("find the same policy" in text) == (found is record)


def test_held_out_cases_have_no_secret_and_are_judged_again_all_the_same(tmp_path, evolve):
    changes = [
        ("    reference =", "    held_out = True\n    reference ="),
        ("split.seeds(6)", "range(7 * len(split.name), 7 * len(split.name) + 30)"),
    ]
    tiny.write(tmp_path, changes=changes)
    run(tmp_path)
    assert publish(tmp_path) == 0
    path = tmp_path / "results" / "tiny" / "seed-0"
    record = result.record(path)
    assert (record.seal.held_out, record.seal.secret, record.seal.secret_hash) == (True, "", "")
    text = (path / "README.md").read_text()
    assert "held-out" in text
    assert "secret" not in text
    assert "sealed" not in text
    assert (tmp_path / "run" / "secret").read_text() not in (path / "record.json").read_text()
    assert evolve("verify", path, "--problem", tmp_path / "tiny.py", "--workers", 1)[0] == 0
    edit(path, lambda record: record["seal"].update(secret="s"))
    assert "held-out cases have no secret" in evolve("verify", path, "--problem", tmp_path / "tiny.py")[2]


def test_a_policy_that_fails_now_does_not_agree(again, home):
    tiny.write(home, changes=[*CHANGES, ("if guess < 0:", "if guess > 0.0:")])
    status, _, errors = again()
    assert (status, "the reference of tiny is INVALID" in errors) == (1, True)
    tiny.write(home, changes=[*CHANGES, ("if guess < 0:", "if guess != (2.5 if x > 40 else 2) * x + 1:")])
    status, out, _ = again()
    assert (status, "does not agree with its record: the policy is INVALID" in out) == (1, True)


# a folder from anybody


def nested(record):
    record.clear()
    record["format"] = [1]


TAMPERED = {
    "another policy": (lambda path: (path / "policy.py").write_text(tiny.REFERENCE), "is not the policy that was publ"),
    "no policy": (lambda path: (path / "policy.py").unlink(), "cannot read"),
    "a policy that is a link": (
        lambda path: ((path / "policy.py").unlink(), (path / "policy.py").symlink_to("/etc/passwd")),
        "links are not followed",
    ),
    "a policy that is a folder": (
        lambda path: ((path / "policy.py").unlink(), (path / "policy.py").mkdir()),
        "policy.py",
    ),
    "a huge policy": (lambda path: (path / "policy.py").write_text("#" * (1 << 21)), "larger than 1 MiB"),
    "a policy of bytes": (lambda path: (path / "policy.py").write_bytes(b"\xff"), "is not UTF-8 text"),
    "an endless record": (
        lambda path: ((path / "record.json").unlink(), (path / "record.json").symlink_to("/dev/zero")),
        "links are not followed",
    ),
    "a huge record": (lambda path: (path / "record.json").write_text("[" * (1 << 21)), "larger than 1 MiB"),
    "a deep record": (lambda path: (path / "record.json").write_text("[" * 100_000), "it is no JSON"),
    "no JSON": (lambda path: (path / "record.json").write_text("format: 1"), "it is no JSON"),
    "a list": (lambda path: (path / "record.json").write_text("[]"), "the whole should be an object, and is []"),
    "not a number": (
        lambda path: edit(path, lambda record: record["sealed"].update(bound=float("nan"))),
        "NaN is no finite number",
    ),
    "an infinite number": (
        lambda path: (path / "record.json").write_text((path / "record.json").read_text().replace("1.0", "1e999")),
        "should be a finite number",
    ),
    "an unknown key": (
        lambda path: edit(path, lambda record: record.update(probed=True)),
        "unknown key 'probed'; did you mean 'proved'?",
    ),
    "a missing key": (lambda path: edit(path, lambda record: record.pop("seal")), "the key 'seal' is missing"),
    "a text for a number": (
        lambda path: edit(path, lambda record: record["search"].update(seed="4")),
        'search.seed should be a whole number, and is "4"',
    ),
    "a truth for a number": (
        lambda path: edit(path, lambda record: record.update(candidate=True)),
        "candidate should be a whole number, and is true",
    ),
    "an object for a list": (
        lambda path: edit(path, lambda record: record["lineage"][0].update(parents={})),
        "lineage[0].parents should be a list",
    ),
    "another format": (lambda path: edit(path, lambda record: record.update(format=2)), "has the format 2"),
    "another secret": (
        lambda path: edit(path, lambda record: record["seal"].update(secret="0" * 32)),
        "the secret is not the one whose hash it holds",
    ),
    "no secret": (
        lambda path: edit(path, lambda record: record["seal"].update(secret="")),
        "the secret is not the one whose hash it holds",
    ),
    "an interval that ends first": (
        lambda path: edit(path, lambda record: record["sealed"]["found"].update(low=9.0, high=1.0)),
        "an interval ends before it begins",
    ),
    "a score outside of its interval": (
        lambda path: edit(path, lambda record: record["sealed"]["found"].update(sealed=500.0)),
        "a score lies outside of its interval",
    ),
    "a hash that is missing": (
        lambda path: edit(path, lambda record: record["hashes"].pop("test")),
        "it has no hash of the cases test",
    ),
    "a hash that is missing of what was searched on": (
        lambda path: edit(path, lambda record: record["search"].update(cases="other")),
        "it has no hash of the cases other",
    ),
    "a hash that is left out": (
        lambda path: edit(path, lambda record: record["hashes"].update(test=None)),
        "has no hash of the cases test, which can be compared",
    ),
    "two duels with one baseline": (
        lambda path: edit(path, lambda record: record["sealed"]["duels"].extend(record["sealed"]["duels"])),
        "it has two duels with the same baseline",
    ),
    "cases that are said to be held out": (
        lambda path: edit(path, lambda record: record["seal"].update(held_out=True, secret="", secret_hash="")),
        "speaks of held-out cases, and those of tiny are sealed",
    ),
    "a key that is there twice": (
        lambda path: (path / "record.json").write_text('{"proved": true, "proved": false}'),
        "the key 'proved' is there twice",
    ),
    "half of a character": (
        lambda path: edit(path, lambda record: record.update(about="\ud800")),
        "about holds half of a character",
    ),
    "a format of thousands of digits": (
        lambda path: edit(path, lambda record: record.update(format=10**4000)),
        "has the format 10000000000000000..., and",
    ),
    "another objective": (
        lambda path: edit(path, lambda record: record["objective"].update(metric="profit", direction="maximize")),
        "was to maximize profit; now it is to minimize error",
    ),
    "an objective that there is not": (
        lambda path: edit(path, lambda record: record["objective"].update(name="\x1b[2Jspeed")),
        "tiny has a single objective",
    ),
    "another problem": (lambda path: edit(path, lambda record: record.update(problem="spot")), "is a result of 'spot'"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_is_no_sound_result_is_refused_in_a_line(again, published, what):
    spoil, message = TAMPERED[what]
    spoil(published)
    status, out, errors = again()
    assert (status, out) == (1, "")
    assert errors.startswith("evolve: ")
    assert len(errors.splitlines()) == 1
    assert message in errors
    assert "\x1b" not in errors


def test_the_problem_of_a_result_is_never_taken_from_what_others_name(evolve, home, published):
    status, _, errors = evolve("verify", published)
    assert (status, "which does not come with evolve" in errors, "--problem FILE" in errors) == (1, True, True)
    inside = published / "tiny.py"
    inside.write_text((home / "tiny.py").read_text() + "\nopen('mark', 'w').close()\n")
    status, _, errors = evolve("verify", published, "--problem", inside)
    assert (status, "none of it is imported" in errors) == (1, True)
    assert not (home / "mark").exists()


def test_a_run_is_a_run_though_a_record_lies_in_its_folder(evolve, home, published):
    (home / "run" / "record.json").write_text((published / "record.json").read_text())
    status, out, _ = evolve("verify", "run", "--workers", 1)
    assert (status, "best found" in out) == (0, True)


def test_what_strangers_wrote_is_shown_in_a_readme_and_not_obeyed(published):
    hostile = "</code><script>x</script> ``` ```` | [a](http://b) \x1b[2J\u202e"
    record = result.record(published)
    step = replace(record.lineage[-1], rationale=hostile, operator=hostile)
    record = replace(record, lineage=(record.lineage[0], step), conclusion=f"tiny: {hostile}", about=hostile)
    page = Page(record, "n", "tiny.py", hostile, hostile, f"+{hostile}\n```\n# Proved", ())
    text = readme(page)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    outside, fence = [], ""
    for line in text.splitlines():
        marks = re.match(r"`{3,}", line)
        if marks and not fence:
            fence = marks[0]
        elif fence and line == fence:
            fence = ""
        elif not fence:
            outside.append(re.sub(r"`[^`\n]*`", "", re.sub(r"\\.", "", line)))
    assert fence == ""
    assert not [line for line in outside if re.search(r"[<`\[]", line)]
    assert not [line for line in outside if line.startswith("# ") and line != "# tiny: n"]


@pytest.mark.parametrize("mark", ["-", "+", "1.", "12)", "=", "#", "---", "___"])
def test_a_line_of_a_strangers_words_begins_no_list_rule_or_heading(published, mark):
    about = " ".join(["w" * 119, mark, "x" * 117, mark, "https://a.b and www.c.d"])
    text = readme(Page(replace(result.record(published), about=about), "n", "tiny.py", "", "reference", "", ()))
    words = text.partition("## What it does")[2].partition("\n## ")[0]
    assert not re.search(r"^([-+=#_]|\d+[.)])", words.partition("It grew")[0], re.MULTILINE)
    assert ("://" in words, "www.c" in words) == (False, False)


# where it loses


def evaluation(ratios):
    return Evaluation(Verdict.OK, 1.0, tuple(CaseResult(case, ratio, {}) for case, ratio in ratios.items()))


def test_losses_are_the_worst_cases_and_the_groups_that_labels_make():
    cases = {f"test {i}, {'52 h' if i % 2 else '70 h'}, 72 s": 0.8 if i % 2 else 1.1 for i in range(20)}
    found = losses("other", evaluation(cases), evaluation(dict.fromkeys(cases, 1.0)))
    assert (found.against, found.worse, len(found.worst)) == ("other", 10, 5)
    assert {loss.ratio for loss in found.worst} == {0.8}
    assert [(group.word, group.cases, group.worse) for group in found.groups] == [("52 h", 10, 10), ("70 h", 10, 0)]
    assert found.groups[0].ratio == pytest.approx(0.8)


def test_what_labels_number_makes_no_groups():
    cases = {f"test {i}, {i % 10} racks": 1.0 for i in range(60)}
    assert losses("other", evaluation(cases), evaluation(cases)).groups == ()


def test_labels_of_no_common_shape_make_no_groups():
    cases = {f"case {i}{', odd' * (i % 2)}": 1.0 for i in range(20)}
    assert losses("other", evaluation(cases), evaluation(cases)).groups == ()


def test_models_that_wrote_policies_leave_no_command(original):
    with RunFolder(original / "run").open(read_only=True) as journal:
        journal.header = replace(journal.header, proposers="llm 1 (anthropic/claude; 12000+16000 tokens)")
        assert publishing._command(journal, catalog.load(str(original / "tiny.py"))) is None


def test_a_folder_without_record_is_no_result(tmp_path):
    assert not result.is_one(tmp_path)
    with pytest.raises(ResultError, match="cannot read"):
        result.read(tmp_path)
