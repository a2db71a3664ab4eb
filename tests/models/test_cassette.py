"""Recorded answers."""

import asyncio
import json
import subprocess
import sys

import pytest

from evolve.models import RecordingEnded, Reply, Request
from evolve.models.cassette import Cassette, Recording, Replaying
from evolve.types import EvolveError, Outcome, Usage

MODELS = ("tiny,price=1/2",)
REPLIES = [
    Reply("def evict():\n    return '\u00e9\u2028\"'\n", Usage(100, 40, 20, 0.0123456789)),
    Reply("", Usage(3, 0, 500, None), Outcome.NO_ANSWER, "no whole answer within 300 s"),
    Reply("half", Usage(1, 0, 1, 0.1 + 0.2), Outcome.CUT_OFF, "the answer ended in the middle"),
]


def question(number):
    return Request("tiny", "system", f"user {number}", 100, 0.5)


class Model:
    """Gives the replies in order, and counts."""

    def __init__(self, replies=REPLIES):
        self.replies, self.asked = list(replies), []

    async def ask(self, number, request):
        self.asked.append(number)
        return self.replies[len(self.asked) - 1]

    async def close(self):
        pass


def put(path, model, numbers):
    client = Recording(model, Cassette.record(path, MODELS))
    return [asyncio.run(client.ask(number, question(number))) for number in numbers]


def played(path, numbers):
    client = Replaying(Cassette.read(path))
    return [asyncio.run(client.ask(number, question(number))) for number in numbers]


def test_a_replay_is_the_same_to_the_bit(tmp_path):
    path = tmp_path / "new" / "tape.jsonl"
    put(path, Model(), range(3))
    assert played(path, [2, 0, 1]) == [REPLIES[2], REPLIES[0], REPLIES[1]]
    assert Cassette.read(path).models == MODELS


def test_a_question_that_the_cassette_lacks_stops_the_run_and_says_why(tmp_path):
    put(tmp_path / "tape", Model(), range(3))
    with pytest.raises(RecordingEnded, match=r"tape ends before turn 12, where the recorded run was stopped"):
        played(tmp_path / "tape", [12])
    other = Request("tiny", "system", "another", 100, 0.5)
    with pytest.raises(EvolveError, match=r"tape holds no answer to turn 0 \(prompt [0-9a-f]{12}\): it was recorded"):
        asyncio.run(Replaying(Cassette.read(tmp_path / "tape")).ask(0, other))


def test_a_recording_goes_on_and_asks_nothing_twice(tmp_path):
    put(tmp_path / "tape", Model(), [0, 1])
    model = Model(REPLIES[2:])
    assert put(tmp_path / "tape", model, [0, 1, 2]) == REPLIES
    assert model.asked == [2]


def test_a_call_that_failed_is_made_again_and_the_new_answer_counts(tmp_path):
    refused = Reply("", Usage(), Outcome.KEY_REFUSED, "401")
    put(tmp_path / "tape", Model([refused]), [0])
    assert put(tmp_path / "tape", Model(), [0]) == [REPLIES[0]]
    assert played(tmp_path / "tape", [0]) == [REPLIES[0]]


def test_a_cassette_torn_at_any_byte_loses_its_last_line_only(tmp_path):
    put(tmp_path / "whole", Model(), range(3))
    content = (tmp_path / "whole").read_bytes()
    ends = [place + 1 for place, byte in enumerate(content) if byte == 10]
    for size in range(len(content) + 1):
        torn = tmp_path / "torn"
        torn.write_bytes(content[:size])
        whole = max(0, sum(end <= size for end in ends) - 1)
        if size >= ends[0]:
            assert played(torn, range(whole)) == REPLIES[:whole]
        else:
            with pytest.raises(EvolveError, match="no cassette"):
                Cassette.read(torn)
        if size % 7 == 0 or size in ends:  # opening a file for each byte takes a while
            model = Model(REPLIES[whole:])
            assert put(torn, model, range(3)) == REPLIES
            assert model.asked == list(range(whole, 3))
            assert torn.read_bytes() == content


def test_a_process_killed_while_it_records_leaves_whole_lines(tmp_path):
    script = """
import asyncio, sys
from pathlib import Path
from evolve.models import RecordingEnded, Reply, Request
from evolve.models.cassette import Cassette
from evolve.types import Usage
tape = Cassette.record(Path(sys.argv[1]), ["tiny"])
for n in range(10**6):
    tape.add(n, Request("tiny", "s", "u", 1), Reply("x" * 5000, Usage()))
    print(n, flush=True)
"""
    path = tmp_path / "tape"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as child:
        told = [int(child.stdout.readline()) for _ in range(50)]
        child.kill()
        child.stdout.read()
    tape = Cassette.read(path)
    assert all(tape.find(n, Request("tiny", "s", "u", 1)) for n in told)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"notes\nof mine", "is no cassette"),
        (b"notes", "is there and is no cassette"),
        (b'{"kind": "evolve-cassette", "format": 99}\n', "has format 99, this version reads 1"),
        (b"\xff\xfe\n", "is no cassette"),
    ],
)
def test_what_is_no_cassette_is_left_alone(tmp_path, content, said):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(EvolveError, match=said):
        Cassette.record(path, MODELS)
    with pytest.raises(EvolveError, match=r"no cassette|format 99"):
        Cassette.read(path)
    assert path.read_bytes() == content


def test_a_cassette_damaged_in_the_middle_says_where(tmp_path):
    put(tmp_path / "tape", Model(), range(3))
    lines = (tmp_path / "tape").read_bytes().split(b"\n")
    lines[2] = lines[2][:20]
    (tmp_path / "tape").write_bytes(b"\n".join(lines))
    with pytest.raises(EvolveError, match="damaged in line 3"):
        Cassette.read(tmp_path / "tape")


def test_a_cassette_of_other_models_is_not_gone_on_with(tmp_path):
    put(tmp_path / "tape", Model(), [0])
    with pytest.raises(EvolveError, match=r"was recorded with tiny,price=1/2, not with other"):
        Cassette.record(tmp_path / "tape", ["other"])


def test_a_cassette_that_cannot_be_read_or_written_says_so(tmp_path):
    with pytest.raises(EvolveError, match=r"cannot read the cassette .*none \(No such file"):
        Cassette.read(tmp_path / "none")
    with pytest.raises(EvolveError, match="cannot write the cassette"):
        Cassette.record(tmp_path, MODELS)
    full = Cassette(tmp_path.joinpath("/dev/full"), MODELS, {})
    with pytest.raises(EvolveError, match="cannot write the cassette /dev/full"):
        full.add(0, question(0), REPLIES[0])


def test_a_cassette_is_plain_lines_of_json(tmp_path):
    put(tmp_path / "tape", Model(), range(2))
    header, first, _ = map(json.loads, (tmp_path / "tape").read_text().splitlines())
    assert header == {"kind": "evolve-cassette", "format": 1, "models": list(MODELS)}
    assert (first["turn"], first["prompt"], first["text"]) == (0, question(0).id, REPLIES[0].text)
