"""Hints and pauses: what people say to a run reaches the next turn, and a run that is resumed goes the same way."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from random import Random

import pytest
import tiny

from evolve import cli, loop
from evolve.archives.elite import Elite
from evolve.budget import Budget, Limit
from evolve.folder import RunFolder
from evolve.journal import Journal
from evolve.journal.database import JournalError
from evolve.journal.header import Header
from evolve.journal.steering import LONGEST_HINT, MOST_HINTS, Kind
from evolve.listener import BEAT_SECONDS, Listener
from evolve.models import Reply, Request
from evolve.proposers import Draft, Way
from evolve.proposers.answers import Answer
from evolve.report import runs
from evolve.search import Arm, Search
from evolve.types import Baseline, EvolveError, Usage

HEADER = Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "mutate", "h", "now")
BASELINES = [Baseline("reference", tiny.REFERENCE), Baseline("steep", "def guess(x):\n    return 4 * x\n")]
HOSTILE = "\x1b]0;owned\x07wait\x00 longer\u202e"


class Interrupted(BaseException):
    """What a kill is to the loop."""


class Asking:
    """Asks a model for a policy with every hint that it has heard."""

    name, trouble = "llm", ""

    def __init__(self):
        self.hints = []

    def ways(self, idle):
        return {Way("m", "edit"): 1.0}

    def hear(self, hint):
        self.hints.append(hint)

    def propose(self, parent, archive, rng, way):
        user = f"{rng.randrange(10**9)} after {len(archive)} with {self.hints}"
        return Draft(Request("m", "system", user, 500), read, "llm", "edit", (parent.number,))

    def recall(self, made):
        pass

    def tell(self, told):
        pass


def read(text):
    return Answer(text, "because")


class Writers:
    """Answers at once; dies after so many questions."""

    def __init__(self, die_after=None):
        self.asked, self._die_after = [], die_after

    def send(self, number, request):
        if len(self.asked) == self._die_after:
            raise Interrupted
        self.asked.append((number, request.user))
        future = tiny.Future()
        future.set_result(Reply(f"def guess(x):\n    return {int(request.id, 16) % 10**6} * x\n", Usage(9, 0, 9, 0.0)))
        return future


class Clock:
    def __init__(self):
        self.now, self.slept = 1000.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.sqlite"
    Journal.create(path, HEADER).close()
    return path


def say(path, *words):
    """Says something from another connection, as another process does."""
    with Journal.open(path) as journal:
        for word in words:
            getattr(journal.steering, word)("now") if word in ("pause", "resume") else journal.steering.hint(
                "now", word
            )


def search(journal, evaluations=20, writers=None, report=lambda _: None, listener=None, executor=None, budget=None):
    budget = budget or Budget(Limit(evaluations), lambda: 0.0)
    searching = Search(BASELINES, [Arm(Asking(), 1.0)], Elite(), 3)
    writers, executor = writers or Writers(), executor or tiny.Guessing(Random(9))
    loop.run(searching, executor, writers, journal, budget, warm_up=2, lag=4, report=report, listener=listener)
    return writers


def turns(path):
    with Journal.open(path, read_only=True) as journal:
        return [(journal.made(n), journal.evaluation(n)) for n in range(journal.turns())]


def at(number, *actions):
    """Returns a report that does something when a turn is told."""

    def report(told):
        if told.number == number:
            for action in actions:
                action()

    return report


def first_with(asked, hint):
    return min(number for number, user in asked if hint in user)


def test_a_hint_reaches_the_next_turn_and_every_turn_after_it_and_its_row_says_which(path):
    with Journal.open(path) as journal:
        asked = search(journal, report=at(9, lambda: say(path, "wait longer"))).asked
        (said,) = journal.steering.last()
    assert said.turn == first_with(asked, "wait longer") == 13  # told up to 9, with three more under way
    assert all(("wait longer" in user) == (number >= 13) for number, user in asked)


def test_a_run_resumed_at_any_question_hears_its_hints_where_it_heard_them_first(path, tmp_path):
    whole = tmp_path / "whole.sqlite"
    Journal.create(whole, HEADER).close()
    with Journal.open(whole) as journal:
        search(journal, report=at(5, lambda: say(whole, "one", "two")))
    heard = [said.turn for said in Journal.open(whole).steering.last()]
    for questions in range(8, 18):  # the hints are known to turn 9, which is the eighth question
        again = tmp_path / f"{questions}.sqlite"
        Journal.create(again, HEADER).close()
        with Journal.open(again) as journal, pytest.raises(Interrupted):
            search(journal, writers=Writers(questions), report=at(5, partial(say, again, "one", "two")))
        with Journal.open(again) as journal:
            search(journal)
            assert [said.turn for said in journal.steering.last()] == heard
        assert turns(again) == turns(whole)


def test_a_hint_given_between_two_sittings_changes_no_question_that_was_asked(path):
    with Journal.open(path) as journal, pytest.raises(Interrupted):
        search(journal, writers=Writers(6))
    say(path, "later")
    with Journal.open(path) as journal:
        reached = journal.reached()
        writers = search(journal)
        assert journal.steering.last()[0].turn == reached == first_with(writers.asked, "later")
        assert min(number for number, _ in writers.asked) == reached - 1  # noted before it was sent, and died there


def test_no_turn_begins_while_a_run_is_paused_and_all_under_way_is_judged_and_kept_but_not_told(path):
    clock, seen, told = Clock(), [], []
    executor = tiny.Guessing(Random(4))

    def sleep(seconds):
        executor.settle()
        clock.sleep(seconds)
        seen.append((journal.turns(), journal.count(), len(told)))
        if len(clock.slept) == 5:
            say(path, "resume")

    def report(turn):
        told.append(turn)
        at(7, lambda: say(path, "pause"))(turn)

    with Journal.open(path) as journal:
        budget = Budget(Limit(20), clock)
        waits = []
        listener = Listener(journal, budget, lambda: waits.append("paused"), sleep)
        search(journal, report=report, listener=listener, executor=executor, budget=budget)
        assert journal.count() == len(told) == 20
        assert [said.kind for said in journal.steering.last()] == [Kind.PAUSE, Kind.RESUME]
    assert seen[-1] == (11, 11, 8)
    assert clock.slept == [BEAT_SECONDS] * 5
    assert waits == ["paused"]
    assert budget.seconds == 0.0


def test_a_run_with_pauses_is_the_same_as_one_without(path, tmp_path):
    other = tmp_path / "other.sqlite"
    Journal.create(other, HEADER).close()
    with Journal.open(other) as journal:
        search(journal)
    with Journal.open(path) as journal:
        budget = Budget(Limit(20), lambda: 0.0)
        listener = Listener(journal, budget, sleep=lambda _: say(path, "resume"))
        search(journal, report=lambda _: say(path, "pause"), listener=listener, budget=budget)
    assert turns(path) == turns(other)


def test_a_run_that_is_killed_while_paused_waits_again_and_goes_on_as_if_nothing_had_happened(path, tmp_path):
    def kill(_):
        raise Interrupted

    with Journal.open(path) as journal, pytest.raises(Interrupted):
        budget = Budget(Limit(20), lambda: 0.0)
        search(
            journal,
            report=at(7, lambda: say(path, "pause")),
            listener=Listener(journal, budget, sleep=kill),
            budget=budget,
        )
    with Journal.open(path) as journal:
        journal.check()
        waits = []
        budget = Budget(Limit(20), lambda: 0.0)
        listener = Listener(journal, budget, lambda: waits.append(journal.turns()), lambda _: say(path, "resume"))
        search(journal, listener=listener, budget=budget)
        assert waits == [11]  # what was known is told first
    other = tmp_path / "other.sqlite"
    Journal.create(other, HEADER).close()
    with Journal.open(other) as journal:
        search(journal)
    assert turns(path) == turns(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [(" \n", "this one is empty"), ("x" * (LONGEST_HINT + 3), "at most 2,000 characters; shorten it by 3")],
)
def test_a_hint_of_nothing_or_of_too_much_is_refused(path, text, message):
    with Journal.open(path) as journal, pytest.raises(EvolveError, match=message):
        journal.steering.hint("now", text)


def test_a_run_has_at_most_so_many_hints(path):
    with Journal.open(path) as journal:
        for number in range(MOST_HINTS):
            journal.steering.hint("now", str(number))
        with pytest.raises(EvolveError, match="has had 200 hints"):
            journal.steering.hint("now", "one more")


@pytest.mark.parametrize("write", ["say", "forge"])
def test_nothing_in_a_hint_is_obeyed_whoever_wrote_it(path, write):
    if write == "say":
        say(path, HOSTILE)
    else:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("INSERT INTO steering VALUES ('\x1b', 'hint', ?, NULL)", (HOSTILE * 9999,))
    with Journal.open(path) as journal:
        asked = search(journal).asked
        shown = runs.steered(journal.steering.last())
    assert all(character.isprintable() for _, user in asked for character in user)
    assert "?]0;owned?wait" in asked[0][1]
    assert len(asked[0][1]) < LONGEST_HINT + 100
    assert shown.isprintable()


@pytest.mark.parametrize(
    "row", ["('now', 'order', '', NULL)", "('now', 'hint', x'ff', 2)", "('now', 'hint', 'h', 'soon')"]
)
def test_a_forged_row_is_a_clear_error(path, row):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"INSERT INTO steering VALUES {row}")
    with Journal.open(path) as journal, pytest.raises(JournalError, match="cannot be used"):
        journal.steering.last()
        journal.steering.heard(2)


# The commands.


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(Header("tiny", "tiny.py", "d", "0", 0, 8, "train", "", "llm 1 (m)", folder.prepare(), "now")).close()
    return folder


def test_commands_say_something_to_a_run_and_show_and_log_have_it(run, capsys):
    for words in (["hint", str(run.path), HOSTILE], ["pause", str(run.path)], ["pause", str(run.path)]):
        assert cli.main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("kept: no process searches in this run now")
    assert said[2].startswith("it was paused already; `evolve resume ")
    assert cli.main(["show", str(run.path)]) == 0
    shown = capsys.readouterr().out
    assert "now       paused, and no process works on it; `evolve resume" in shown
    assert "hints     1, the last not heeded yet: ?]0;owned?wait? longer?" in shown
    assert cli.main(["show", str(run.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["paused"] is True
    assert cli.main(["log", str(run.path)]) == 0
    assert "hint    not heeded yet: ?]0;owned?wait? longer?" in capsys.readouterr().out
    assert cli.main(["resume", str(run.path)]) == 0
    assert cli.main(["resume", str(run.path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "it was not paused"


def test_a_hint_for_a_run_that_asks_no_model_is_kept_and_the_command_says_that_nobody_reads_it(tmp_path, capsys):
    folder = RunFolder(tmp_path / "run")
    folder.create(Header("tiny", "t", "d", "0", 0, 8, "train", "", "embedded", folder.prepare(), "now")).close()
    assert cli.main(["hint", str(folder.path), "wait"]) == 0
    assert "embedded proposers do not read hints" in capsys.readouterr().out
    with folder.open() as journal:
        assert journal.steering.hints() == 1


@pytest.mark.parametrize("command", [["hint", "RUN", "wait"], ["pause", "RUN"], ["resume", "RUN"]])
def test_a_run_that_is_not_there_or_not_ours_to_write_is_a_clear_error(run, capsys, monkeypatch, command):
    def said(path):
        assert cli.main([word.replace("RUN", str(path)) for word in command]) == 1
        return capsys.readouterr().err

    assert "no run at" in said(run.path / "nowhere")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "but not write to it; ask whoever runs it" in said(run.path)
    monkeypatch.undo()
    with closing(sqlite3.connect(run.path / "journal.sqlite")) as connection, connection:
        connection.execute("UPDATE header SET value = '6' WHERE key = 'format'")
    assert "written by another version of evolve" in said(run.path)


def test_a_link_in_place_of_a_journal_is_not_followed(run, tmp_path, capsys):
    elsewhere = tmp_path / "elsewhere.sqlite"
    (run.path / "journal.sqlite").rename(elsewhere)
    (run.path / "journal.sqlite").symlink_to(elsewhere)
    assert cli.main(["pause", str(run.path)]) == 1
    assert "is a link or no plain file" in capsys.readouterr().err


def test_saying_something_waits_for_no_search_and_keeps_none_waiting(path):
    """Two hundred writes of each side, at the same time."""
    failures = []

    def hints():
        try:
            with Journal.open(path) as journal:
                for number in range(MOST_HINTS):
                    journal.steering.hint("now", f"hint {number}")
        except EvolveError as error:
            failures.append(error)

    other = threading.Thread(target=hints)
    with Journal.open(path) as journal:
        other.start()
        search(journal, evaluations=100)
        other.join()
        journal.steering.heed(journal.reached())
        heard = [hint for turn in range(journal.reached() + 1) for hint in journal.steering.heard(turn)]
    assert failures == []
    assert heard == [f"hint {number}" for number in range(MOST_HINTS)]  # each once, in order


def test_ctrl_c_ends_a_search_that_waits_in_a_pause(tmp_path):
    problem, out = tiny.write(tmp_path), tmp_path / "run"
    script = (
        "import signal, sys\n"
        "from evolve import session\n"
        "from evolve.catalog import load\n"
        "from evolve.budget import Limit\n"
        "from pathlib import Path\n"
        "from evolve.folder import RunFolder\n"
        "out = Path(sys.argv[2])\n"
        "def waiting(message):\n"
        "    print(message, flush=True)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "def begun():\n"
        "    with RunFolder(out).open_to_steer() as journal:\n"
        "        journal.steering.pause('now')\n"
        "session.search(load(sys.argv[1]), out, Limit(9), workers=1, begun=begun, waiting=waiting)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(problem), str(out)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == f"paused; `evolve resume {out}` goes on\n"
    assert "KeyboardInterrupt" in done.stderr
    with RunFolder(out).open() as journal:
        assert journal.turns() == 0
