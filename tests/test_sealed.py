"""The sealed split: only ``evolve verify`` uses it, and all else is refused or draws other cases."""

import json

import pytest
import tiny

from evolve import catalog
from evolve.budget import Limit
from evolve.cases import cases_of
from evolve.cli import main
from evolve.folder import RunFolder
from evolve.journal.rows import Seal
from evolve.problem import Split
from evolve.scoring import score
from evolve.session import search
from evolve.types import EvolveError

NOTES = "secrets.txt"
NOTING = [  # a problem that notes, in whatever process, which secret its cases were drawn from
    ("from evolve import", "from pathlib import Path\nfrom evolve import"),
    (
        "        return [1 + seed",
        "        with Path(__file__).with_name('secrets.txt').open('a') as notes:\n"
        "            notes.write(f'{split.name} {split.secret}\\n')\n        return [1 + seed",
    ),
    (
        "    def bound",
        "    def case_sets(self):\n        return {'quick': [3, 50], 'test': [7], 'validation': [8]}\n\n"
        "    def read_cases(self, path):\n        return [int(line) for line in path.read_text().split()]\n\n"
        "    def bound",
    ),
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    tiny.write(tmp_path, changes=NOTING)
    (tmp_path / "file.txt").write_text("5\n70\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drawn(home):
    """Returns the secrets that cases were drawn from since the last look; an open split has none."""
    notes = home / NOTES
    lines = notes.read_text().splitlines() if notes.exists() else []
    notes.unlink(missing_ok=True)
    return {line.partition(" ")[2] for line in lines}


def test_no_command_but_verify_draws_sealed_cases(home, capsys):
    secret = None
    for command in (
        ["run", "tiny.py", "--evaluations", "12", "--out", "run", "--workers", "1"],
        ["run", "tiny.py", "--evaluations", "14", "--out", "run", "--workers", "1"],
        ["run", "tiny.py", "--evaluations", "3", "--cases", "quick", "--out", "quick", "--workers", "1"],
        ["run", "tiny.py", "--evaluations", "3", "--cases", "file.txt", "--out", "file", "--workers", "1"],
        ["score", "tiny.py", "run/best.py", "--workers", "1"],
        ["score", "tiny.py", "--split", "validation", "--workers", "1"],
        ["score", "tiny.py", "--cases", "quick", "--workers", "1"],
        ["score", "tiny.py", "--cases", "file.txt", "--workers", "1"],
        ["prompt", "tiny.py"],
        ["show", "run"],
        ["log", "run", "--all"],
        ["diff", "run"],
    ):
        assert main(command) == 0, capsys.readouterr().err
        secret = secret or (home / "run" / "secret").read_text()
        assert drawn(home) <= {""}, command
    assert main(["verify", "run", "--workers", "1"]) == 0
    assert drawn(home) == {secret}


def test_an_audit_of_a_problem_never_draws_the_cases_of_a_run(home):
    main(["run", "tiny.py", "--evaluations", "3", "--out", "run", "--workers", "1"])
    drawn(home)
    main(["check", "tiny.py"])
    assert (home / "run" / "secret").read_text() not in drawn(home)


@pytest.mark.parametrize(
    "command",
    [
        ["score", "tiny.py", "--split", "test"],
        ["score", "tiny.py", "--cases", "test"],
        ["run", "tiny.py", "--cases", "test"],
        ["run", "tiny.py", "--cases", "validation"],
        ["prompt", "tiny.py", "--cases", "test"],
    ],
)
def test_a_command_that_asks_for_the_sealed_split_is_refused_before_anything_is_drawn(home, command, capsys):
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "sealed" in capsys.readouterr().err
    assert drawn(home) == set()


def test_a_case_set_cannot_take_the_name_of_the_sealed_split_and_without_the_secret_there_is_none(home):
    problem = catalog.load("tiny.py")
    with pytest.raises(EvolveError, match="drawn from a run's secret"):
        cases_of(problem, "test")
    with pytest.raises(EvolveError, match="drawn from a run's secret"):
        score(problem, [], "test", 1)
    with pytest.raises(EvolveError, match="only those of the train split guide one"):
        search(problem, home / "run", Limit(3), cases="test", workers=1)
    with pytest.raises(EvolveError, match="drawn from a run's secret"):
        Split("train", "secret")
    assert drawn(home) == set()


def test_verify_says_how_often_the_cases_were_used_and_warns_of_a_policy_found_since(home, capsys):
    run = ["run", "tiny.py", "--out", "run", "--workers", "1", "--evaluations"]
    assert main([*run, "2"]) == 0
    assert main(["verify", "run", "--workers", "1"]) == 0
    assert "used for the first time" in capsys.readouterr().out
    assert main([*run, "60"]) == 0
    capsys.readouterr()
    assert main(["verify", "run", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    record = json.loads((home / "run" / "verification.json").read_text())
    assert (record["uses"], record["uses_after_reveal"]) == (2, 1)
    assert record["covered"] is (record["number"] < 2) is False
    assert "used 2 times by now, 1 of them after the secret had been revealed" in out
    assert record["conclusion"] == out.splitlines()[0]
    assert record["proved"] is False
    assert "was found after an earlier `evolve verify` had revealed the secret of these cases: no proof" in out
    assert main(["show", "run"]) == 0
    assert "sealed    used 2 times, 1 of them after the secret had been revealed" in capsys.readouterr().out
    with RunFolder(home / "run").open(read_only=True) as journal:
        assert journal.seal() == Seal(2, 1, 2)


def test_who_knows_a_revealed_secret_judges_on_its_cases_and_finds_the_figures_of_the_proof(home, capsys):
    main(["run", "tiny.py", "--evaluations", "12", "--out", "run", "--workers", "1"])
    main(["verify", "run", "--workers", "1"])
    proved = json.loads((home / "run" / "verification.json").read_text())
    drawn(home)
    capsys.readouterr()
    policies = ["reference", "run/best.py"]
    assert main(["score", "tiny.py", *policies, "--revealed", proved["secret"], "--json", "--workers", "1"]) == 0
    rows = json.loads(capsys.readouterr().out)
    was = [proved["standings"][index] for index in (0, -1)]
    for name in ("interval", "mean", "gap"):
        assert [row[name] for row in rows] == [row[name] for row in was]
    assert drawn(home) == {proved["secret"]}


@pytest.mark.parametrize("secret", ["", "a b", "../x", "\x1b[31m"])
def test_what_no_secret_looks_like_is_refused_before_anything_is_drawn(home, secret, capsys):
    with pytest.raises(SystemExit) as wrong:
        main(["score", "tiny.py", "--revealed", secret])
    assert wrong.value.code == 2
    assert "expected letters and digits, as `evolve verify` reveals them" in capsys.readouterr().err
    assert drawn(home) == set()
