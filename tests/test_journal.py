"""The journal: what it keeps, and what it says when the file is not what it was."""

import json
import math
import sqlite3

import pytest
import tiny

from evolve.journal import Journal
from evolve.journal.database import JournalError
from evolve.journal.header import Header
from evolve.journal.rows import Seal, packed, unpacked
from evolve.types import CaseResult, Evaluation, Proposal, Verdict

HEADER = Header("tiny", "tiny.py", "d1", "0.1", 7, 8, "train", "", "mutate 3", "h", "2026-01-01")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


def filled(path, count=30):
    with Journal.create(path, HEADER) as journal:
        for number in range(count):
            proposer = "baseline" if number < 2 else "mutate"
            source = f"def guess(x):\n    return {number}\n" + "# a long policy\n" * 50
            journal.propose(number, Proposal(source, proposer, f"op {number}", (number - 1,) if number else (), "why"))
            journal.record(number, tiny.evaluation(None if number % 5 == 4 else 1 + number % 7 / 10), number / 2)


def edited(path, statement, *values):
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def test_what_was_kept_comes_back_as_it_was(path):
    proposal = Proposal(
        "def guess(x):\n    return '\x00\x1b[31m\u202e\U0001f600'\n", "tune", "tune", (3, 1), "why\nnot"
    )
    results = (CaseResult("a", 1.1, {"error": 0.1 + 0.2, "n": 3}), CaseResult("b", 1e-300, {"error": 1e300}))
    evaluation = Evaluation(Verdict.OK, 1 / 3, results, "two\nlines", 0.1, 12, confirmed=True)
    with Journal.create(path, HEADER) as journal:
        journal.propose(0, proposal)
        journal.record(0, evaluation, 1.5)
    with Journal.open(path) as journal:
        assert journal.header == HEADER
        assert journal.proposal(0) == proposal
        assert journal.evaluation(0) == evaluation
        assert journal.candidate(0).proposal == proposal
        assert journal.seconds() == 1.5


def test_what_is_not_there_is_none(path):
    with Journal.create(path, HEADER) as journal:
        journal.propose(0, Proposal("x", "mutate"))
        assert journal.proposal(1) is None
        assert journal.evaluation(0) is None
        assert journal.candidate(0) is None
        assert journal.entry(0) is None
        assert journal.best_baseline() is None
        assert (journal.count(), journal.seconds(), journal.top(3), journal.log()) == (0, 0.0, [], [])


def test_an_evaluation_is_kept_once(path):
    filled(path, 1)
    with Journal.open(path) as journal:
        journal.record(0, tiny.evaluation(9.0), 99.0)
        assert journal.evaluation(0).score == 1.0
        assert journal.seconds() == 0.0


def test_scores_are_ranked_failures_are_not_and_of_equals_the_earliest_is_first(path):
    filled(path)
    with Journal.open(path) as journal:
        assert journal.top(3) == [6, 13, 20]
        assert journal.best_baseline() == 1
        assert journal.verdicts() == {Verdict.OK: 24, Verdict.CRASHED: 6}
        assert list(journal.verdicts()) == [Verdict.OK, Verdict.CRASHED]


def test_the_log_has_every_candidate_in_order(path):
    filled(path)
    with Journal.open(path) as journal:
        log = journal.log()
        assert [entry.number for entry in log] == list(range(30))
        assert log[7] == journal.entry(7)
        assert (log[7].parents, log[7].operator, log[7].score) == ((6,), "op 7", 1.0)
        assert (log[4].verdict, log[4].score) == ("CRASHED", None)


def test_other_cases_than_train_are_kept_apart(path):
    filled(path, 3)
    with Journal.open(path) as journal:
        journal.record(1, tiny.evaluation(5.0), 100.0, "validation")
        assert journal.evaluation(1, "validation").score == 5.0
        assert (journal.evaluation(1).score, journal.count(), journal.seconds()) == (1.1, 3, 1.0)


def test_uses_of_the_sealed_cases_are_counted_and_apart_those_after_the_secret_was_revealed(path):
    with Journal.create(path, HEADER) as journal:
        assert journal.seal() == Seal(0, 0, None)
        journal.propose(0, Proposal("x", "baseline"))
        journal.record_sealed_use("first", 0, 1)
        assert journal.seal() == Seal(1, 0, None)
        assert journal.seal().covers(99)  # nobody knows the cases yet
    with Journal.open(path) as journal:
        journal.propose(1, Proposal("y", "mutate"))
        journal.record_sealed_use("second, which the first did not come to the end of", 1, 2)
        journal.record_reveal()
        assert journal.seal() == Seal(2, 0, 2)
        journal.propose(2, Proposal("z", "mutate"))
        journal.record_sealed_use("third", 2, 2)
        journal.record_reveal()
        assert journal.seal() == Seal(3, 1, 2)
        assert journal.seal().covers(1)
        assert not journal.seal().covers(2)


def test_metrics_may_differ_from_case_to_case():
    results = (CaseResult("a", 1.0, {"x": 1.0}), CaseResult("b", 1.0, {"x": 2.0, "y": 3.0}))
    assert unpacked(packed(results)) == results
    assert unpacked(packed(())) == ()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((column, value) for column in ("ratio", "metrics") for value in ("1", True, [], {}, math.nan, math.inf)),
        ("ratio", None),
        ("case", 7),
        ("case", None),
    ],
)
def test_results_that_make_no_sense_are_refused(column, value):
    columns = {"case": ["a", "b"], "ratio": [1.5, 2], "metrics": {"cost": [1, None]}}
    assert [result.metrics for result in unpacked(json.dumps(columns))] == [{"cost": 1}, {}]
    (columns["metrics"]["cost"] if column == "metrics" else columns[column])[1] = value
    with pytest.raises(TypeError, match=r"expected|float"):
        unpacked(json.dumps(columns))


@pytest.mark.parametrize("shorter", ["case", "ratio", "metrics"])
def test_results_of_which_some_are_lost_are_refused(shorter):
    columns = {"case": ["a", "b"], "ratio": [1.5, 2], "metrics": {"cost": [1, 2], "hours": [3, 4]}}
    (columns["metrics"]["hours"] if shorter == "metrics" else columns[shorter]).pop()
    with pytest.raises(ValueError, match="zip"):
        unpacked(json.dumps(columns))
    with pytest.raises(TypeError):
        unpacked(json.dumps({**columns, "metrics": 7}))


def test_reading_changes_nothing_and_works_beside_a_writer(path):
    filled(path)
    before = {item.name: item.read_bytes() for item in path.parent.iterdir()}
    with Journal.open(path, read_only=True) as reader:
        assert reader.count() == 30
        with pytest.raises(JournalError, match="readonly"):
            reader.propose(30, Proposal("x", "mutate"))
    assert path.read_bytes() == before[path.name]
    with Journal.open(path) as writer, Journal.open(path, read_only=True) as reader:
        writer.propose(30, Proposal("x", "mutate"))
        assert reader.proposal(30).source == "x"


def test_a_whole_journal_passes_the_check(path):
    filled(path)
    with Journal.open(path) as journal:
        journal.check()


def test_a_journal_cut_off_anywhere_is_refused_with_one_clear_message(path):
    filled(path, 60)
    whole = path.read_bytes()
    for length in [
        0,
        1,
        99,
        100,
        1024,
        4096,
        6000,
        len(whole) // 3,
        len(whole) // 2,
        len(whole) - 4096,
        len(whole) - 1,
    ]:
        path.write_bytes(whole[:length])
        with pytest.raises(JournalError, match="another --out"), Journal.open(path) as journal:
            journal.check()


def test_a_journal_with_garbage_in_it_is_refused_with_one_clear_message(path):
    filled(path, 60)
    whole = path.read_bytes()
    for start in range(0, len(whole), 4096):
        path.write_bytes(whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :])
        with pytest.raises(JournalError, match="another --out"), Journal.open(path) as journal:
            journal.check()
            journal.log()
            for number in range(60):
                journal.candidate(number)


def test_a_journal_that_lost_its_newest_pages_is_whole_or_refused(path):
    with Journal.create(path, HEADER) as journal:
        for number in range(40):
            journal.propose(number, Proposal("x" * 3000, "mutate"))
            journal.record(number, tiny.evaluation(1.0), 1.0)
        copy = path.with_name("copy.sqlite")
        copy.write_bytes(path.read_bytes())  # without the write-ahead log: as far as the last checkpoint
    with Journal.open(copy) as journal:
        journal.check()
        assert journal.count() == 0


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("UPDATE evaluations SET results = ? WHERE number = 3", "{"),
        ("UPDATE evaluations SET results = ? WHERE number = 3", '{"case": 1}'),
        ("UPDATE evaluations SET verdict = ? WHERE number = 3", "GREAT"),
        ("UPDATE evaluations SET score = ? WHERE number = 3", "much"),
        ("UPDATE proposals SET parents = ? WHERE number = 3", "[null]"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_when_it_is_read(path, statement, value):
    filled(path, 5)
    edited(path, statement, value)
    with pytest.raises(JournalError, match="cannot be used"), Journal.open(path) as journal:
        journal.candidate(3)


@pytest.mark.parametrize("lost", ["DELETE FROM proposals WHERE number = 3", "DELETE FROM evaluations WHERE number = 0"])
def test_a_journal_with_gaps_is_refused(path, lost):
    filled(path, 5)
    edited(path, lost)
    with pytest.raises(JournalError, match="has lost some"), Journal.open(path) as journal:
        journal.check()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE header SET value = '1' WHERE key = 'format'",
        "DELETE FROM header WHERE key = 'lag'",
        "INSERT INTO header VALUES ('colour', '1')",
        "UPDATE header SET value = '\"seven\"' WHERE key = 'seed'",
    ],
)
def test_a_journal_of_another_version_is_refused(path, change):
    filled(path, 1)
    edited(path, change)
    with pytest.raises(JournalError, match="another version of evolve"):
        Journal.open(path)


def test_another_database_is_no_journal(path):
    edited(path, "CREATE TABLE songs (title TEXT)")
    with pytest.raises(JournalError, match="no journal of a run"):
        Journal.open(path)


def test_a_journal_killed_while_it_was_made_is_not_there(path):
    path.with_name("journal.sqlite.new").write_bytes(b"SQLite format 3\x00 and no more")
    with pytest.raises(JournalError, match=r"no journal\.sqlite"):
        Journal.open(path)
    Journal.create(path, HEADER).close()
    assert [item.name for item in path.parent.iterdir()] == ["journal.sqlite"]


def test_a_journal_is_not_made_where_nothing_can_be_written(tmp_path):
    with pytest.raises(JournalError, match="cannot be used"):
        Journal.create(tmp_path / "nowhere" / "journal.sqlite", HEADER)
