import json
import os
import re
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from scripted_bench import DEVICE, ScriptedBench, formula

from evaluators.gpu import store, sweep
from evaluators.gpu.bench import GpuError, Status, Timing
from evaluators.gpu.recording import Recording, RecordingError, Subject
from evaluators.gpu.sweep import Plan, part_file

WIDE = [(bm, bn, 64, 4, 3, 1, 1) for bm in (16, 32, 64) for bn in (64, 128)]
SHAPES = ((16, 4096, 4096, 0), (64, 8192, 4096, 1), (64, 2048, 4096, 0))


def plan(**changes):
    legal = {SHAPES[0]: WIDE[:2], SHAPES[1]: WIDE, SHAPES[2]: WIDE[1:]}
    parts = {
        "problem": "tiny",
        "columns": ("m", "n", "k", "dtype"),
        "knobs": ("block_m", "block_n", "block_k", "warps", "stages", "split_k", "group_m"),
        "legal": legal,
        "kernel": "c0de",
        "engine": "0.1.0",
    }
    return Plan(**{**parts, **changes})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "tables" / "tiny-x.npz"


class Told(list):
    """What a sweep tells, with a clock that moves a second with each look."""

    def __init__(self):
        super().__init__()
        self.clock = count().__next__

    def __call__(self, line):
        self.append(line)


def swept(bench, out, of=None, told=None):
    told = Told() if told is None else told
    return sweep.sweep(of or plan(), bench, out, told, told.clock)


# what a table holds


def test_every_legal_configuration_is_timed_on_every_shape_and_no_other():
    known = plan()
    assert known.configurations == tuple(sorted(WIDE))
    assert [[known.configurations[column] for _, column in cells] for cells in known.cells] == [
        WIDE[:2],
        WIDE,
        WIDE[1:],
    ]


def test_the_table_of_a_sweep_says_what_the_bench_said(out):
    bench = ScriptedBench(noise=0.0)
    table = swept(bench, out)
    assert set(bench.timed) == {(shape, tiles) for shape, legal in plan().legal.items() for tiles in legal}
    for shape, legal in plan().legal.items():
        row = table.row(shape)
        assert row.timings.keys() == set(legal)
        for tiles in legal:
            assert row.timings[tiles].microseconds == pytest.approx(formula(shape, tiles), rel=1e-6)
        assert row.best == min(timing.microseconds for timing in row.timings.values())
    assert table.device == DEVICE
    assert (table.provenance.problem, table.provenance.kernel, table.provenance.engine) == ("tiny", "c0de", "0.1.0")
    assert table.repeatability.median == table.repeatability.p95 == pytest.approx(0, abs=1e-6)
    assert store.load(out, "tiny").digest == table.digest
    assert not part_file(out).exists()


def test_everything_is_compiled_before_it_is_timed(out):
    bench = ScriptedBench()
    swept(bench, out)
    assert set(bench.prepared) == set(bench.timed)
    assert len(bench.prepared) == len(set(bench.prepared))


def test_the_best_few_are_timed_again_so_that_the_least_time_is_not_the_luckiest(out):
    """All are equal and noisy: the least of single times is far too low, the least of medians is not."""
    many = [(16, 64, 64, 4, 3, 1, group) for group in range(300)]

    class Equal(ScriptedBench):
        def time(self, shape, configuration):
            self.timed.append((shape, configuration))
            return self._noisy(100.0)

    bench = Equal(noise=0.02)
    table = swept(bench, out, plan(legal={SHAPES[0]: many}))
    first = {}
    for (_, tiles), timing in zip(bench.timed, timings(Equal(noise=0.02), bench.timed), strict=True):
        first.setdefault(tiles, timing)
    luckiest = min(timing.microseconds for timing in first.values())
    assert luckiest < 95
    assert table.row(SHAPES[0]).best > luckiest + 1
    best = min(table.row(SHAPES[0]).timings.values(), key=lambda timing: timing.microseconds)
    assert best.repeats == 10 * sweep.PASSES  # it is one of those that were timed again


def timings(bench, asked):
    return [bench.time(*pair) for pair in asked]


def test_the_vendors_library_is_timed_several_times_on_each_shape(out):
    bench = ScriptedBench(noise=0.01)
    table = swept(bench, out)
    assert {shape: bench.outsides.count(shape) for shape in SHAPES} == dict.fromkeys(SHAPES, sweep.PASSES)
    exact = ScriptedBench(noise=0.0)
    for shape in SHAPES:
        assert table.row(shape).vendor == pytest.approx(exact.outside(shape).microseconds, rel=0.03)


def test_the_repeatability_is_that_of_the_bench(out):
    told = Told()
    many = {shape: [(16, 64, 64, 4, 3, 1, group) for group in range(60)] for shape in SHAPES}
    table = swept(ScriptedBench(noise=0.02), out, plan(legal=many), told)
    assert table.repeatability.cells == 50
    # two times with 2% of noise each differ by 0.67 x 2.8% in the median, and by 1.96 x 2.8% in 95 of 100
    assert 0.01 < table.repeatability.median < 0.03
    assert 0.035 < table.repeatability.p95 < 0.09
    said = r"table [0-9a-f]{8}; repeatability: of 50 timings made again half came within [12]\.\d%, 95% within \d\.\d%"
    assert re.fullmatch(said, told[-1])


@pytest.mark.parametrize("status", [Status.WRONG, Status.UNLAUNCHABLE, Status.TIMED_OUT, Status.LOST])
def test_a_configuration_that_fails_is_in_the_table_with_its_reason(out, status):
    shape, tiles = SHAPES[1], WIDE[0]
    bench = ScriptedBench(failing={(shape, tiles): Timing(status, message="so it is " * 50)})
    timing = swept(bench, out).row(shape).timings[tiles]
    assert timing.status is status
    assert timing.message.startswith("so it is so it is")
    assert len(timing.message) <= sweep.LONGEST_REASON
    assert np.isnan(timing.microseconds)


@pytest.mark.parametrize("fails_at", [2, 3, 7])
def test_a_result_that_is_wrong_once_is_wrong_however_fast_it_was(out, fails_at):
    """At its second timing, its third, or in the check at the end."""
    fastest = min(WIDE[:2], key=lambda tiles: formula(SHAPES[0], tiles))

    class Fickle(ScriptedBench):
        def time(self, shape, configuration):
            timing = super().time(shape, configuration)
            times = self.timed.count((SHAPES[0], fastest))
            wrong = (shape, configuration) == (SHAPES[0], fastest) and times == fails_at
            return Timing(Status.WRONG, message="off") if wrong else timing

    bench = Fickle()
    table = swept(bench, out)
    assert bench.timed.count((SHAPES[0], fastest)) >= fails_at
    assert table.row(SHAPES[0]).timings[fastest].status is Status.WRONG
    assert table.row(SHAPES[0]).best == pytest.approx(max(formula(SHAPES[0], tiles) for tiles in WIDE[:2]), rel=0.05)


def test_a_shape_on_which_nothing_works_ends_the_sweep_and_says_why(out):
    failing = {(SHAPES[0], tiles): Timing(Status.WRONG, message="off by 1") for tiles in WIDE}
    with pytest.raises(GpuError, match=r"none of 2 configurations works on \(16, 4096, 4096, 0\): WRONG, off by 1"):
        swept(ScriptedBench(failing=failing), out)


def test_a_vendors_library_that_fails_ends_the_sweep(out):
    class NoVendor(ScriptedBench):
        def outside(self, shape):
            return Timing(Status.TIMED_OUT, message="after 5 s")

    with pytest.raises(GpuError, match=r"the vendor.s library failed on .*: TIMED_OUT, after 5 s"):
        swept(NoVendor(), out)


# going on


class Killed(BaseException):
    """Ends a sweep as a signal does, at once."""


class Mortal(ScriptedBench):
    """Dies before a timing, or in the middle of it, when so many have been made."""

    def __init__(self, lives, **options):
        super().__init__(noise=0.0, **options)
        self.lives = lives

    def time(self, shape, configuration):
        self._live()
        return super().time(shape, configuration)

    def outside(self, shape):
        self._live()
        return super().outside(shape)

    def _live(self):
        if self.lives == 0:
            raise Killed
        self.lives -= 1


def all_timings(out):
    bench = ScriptedBench(noise=0.0)
    table = swept(bench, out)
    return len(bench.timed) + len(bench.outsides), table


def test_a_sweep_killed_at_any_timing_goes_on_and_comes_to_the_same_table(tmp_path):
    total, whole = all_timings(tmp_path / "whole.npz")
    assert total > 60
    for lives in range(total):
        out = tmp_path / f"{lives}.npz"
        with pytest.raises(Killed):
            swept(Mortal(lives), out)
        assert not out.exists()
        rest = Mortal(total - lives)  # not one more than is missing
        table = swept(rest, out)
        assert rest.lives == 0
        assert replace(table.provenance, recorded="") == replace(whole.provenance, recorded="")
        assert table.row(SHAPES[1]).timings == pytest.approx(whole.row(SHAPES[1]).timings)
        np.testing.assert_array_equal(table.microseconds, whole.microseconds)


def test_each_timing_is_in_the_file_before_the_next_begins(out):
    class Watching(ScriptedBench):
        def time(self, shape, configuration):
            assert len(part_file(out).read_bytes().splitlines()) == 1 + len(self.timed) + len(self.outsides)
            return super().time(shape, configuration)

    swept(Watching(), out)


def test_a_last_line_that_was_cut_anywhere_costs_only_its_timing(tmp_path):
    out = tmp_path / "x.npz"
    with pytest.raises(Killed):
        swept(Mortal(5), out)
    text = part_file(out).read_bytes()
    last = text[:-1].rfind(b"\n") + 1
    for cut in range(last, len(text)):
        part_file(out).write_bytes(text[:cut])
        with pytest.raises(Killed):
            swept(Mortal(1), out)
        again = part_file(out).read_bytes()
        assert again[:last] == text[:last]
        assert again[last:] == text[last:]  # the same timing, for nothing is noisy
        assert all(json.loads(line) for line in again.splitlines())


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 20])
def test_a_cut_within_the_first_line_begins_anew(tmp_path, length):
    out = tmp_path / "x.npz"
    with pytest.raises(Killed):
        swept(Mortal(0), out)
    text = part_file(out).read_bytes()
    part_file(out).write_bytes(text[:length])
    swept(ScriptedBench(), out)
    assert out.exists()


@pytest.mark.parametrize(
    ("device", "changes", "said"),
    [
        ({"name": "another GPU"}, {}, "name scripted device of the tests then and another GPU now"),
        ({"driver": "2.0"}, {}, "driver 1.0 then and 2.0 now"),
        ({"triton": "9"}, {}, "triton 1.0 then and 9 now"),
        ({"torch": "2", "cuda": "3"}, {}, "cuda 1.0 then and 3 now, torch 1.0 then and 2 now"),
        ({}, {"kernel": "beef"}, "kernel c0de then and beef now"),
        ({}, {"engine": "0.2.0"}, "engine 0.1.0 then and 0.2.0 now"),
        ({}, {"legal": {SHAPES[0]: WIDE}}, r"space \w+ then and \w+ now"),
    ],
)
def test_a_recording_of_something_else_is_not_gone_on_with(out, device, changes, said):
    with pytest.raises(Killed):
        swept(Mortal(3), out)
    before = part_file(out).read_bytes()
    with pytest.raises(RecordingError, match=rf"was begun otherwise: {said}; delete it to begin anew"):
        swept(ScriptedBench(replace(DEVICE, **device)), out, plan(**changes))
    assert part_file(out).read_bytes() == before


def test_rates_that_were_measured_anew_are_no_other_device_and_those_of_the_beginning_count(out):
    with pytest.raises(Killed):
        swept(Mortal(3), out)
    table = swept(ScriptedBench(replace(DEVICE, copy_gbps=2990.0, matmul_tflops=701.0)), out)
    assert (table.device.copy_gbps, table.device.matmul_tflops) == (3000.0, 700.0)


def test_a_part_file_that_is_none_is_refused(out):
    part_file(out).parent.mkdir()
    part_file(out).write_text("hello\nworld\n")
    with pytest.raises(RecordingError, match=r"is no recording .*; delete it to begin anew"):
        swept(ScriptedBench(), out)


@pytest.mark.parametrize("text", ["dear diary", "line one\nline two, unfinished", '{"problem": "of my own"}\n'])
def test_a_file_that_is_no_recording_is_left_as_it_is(out, text):
    part_file(out).parent.mkdir()
    part_file(out).write_text(text)
    with pytest.raises(RecordingError, match="delete it to begin anew"):
        swept(ScriptedBench(), out)
    assert part_file(out).read_text() == text


def test_a_link_or_a_pipe_in_the_place_of_a_recording_is_neither_followed_nor_waited_for(out):
    part_file(out).parent.mkdir()
    part_file(out).symlink_to(out.with_name("target"))
    with pytest.raises(RecordingError, match="name another file"):
        swept(ScriptedBench(), out)
    part_file(out).unlink()
    os.mkfifo(part_file(out))
    with pytest.raises(RecordingError, match="no plain file"):
        swept(ScriptedBench(), out)


def test_two_recordings_never_write_the_same_file(out):
    subject = Subject("tiny", DEVICE, plan().digest, "c0de", "0.1.0")
    first = Recording(part_file(out), subject)
    with pytest.raises(RecordingError, match="is being written by another recording"):
        swept(ScriptedBench(), out)
    first.close()
    swept(ScriptedBench(), out)


def test_a_gpu_that_is_lost_ends_with_what_to_do_and_nothing_is_lost(out):
    with pytest.raises(GpuError) as lost:
        swept(ScriptedBench(lost_after=4), out)
    said = re.escape(str(part_file(out)))
    assert re.fullmatch(
        f"the GPU has fallen off the bus; 4 timings are kept in {said}; the same command goes on from there",
        str(lost.value),
    )
    told = Told()
    swept(ScriptedBench(), out, told=told)
    assert told[0] == "13 configurations on 3 shapes; going on from 4 timings"


def test_it_tells_how_long_it_will_take(out):
    told = Told()
    swept(ScriptedBench(), out, told=told)
    lines = [line for line in told if "left" in line]
    assert len(lines) > 5
    assert all(re.fullmatch(r"[\d,]+ of about 198 timings, about \d:\d\d:\d\d left", line) for line in lines)
    assert told[-1].startswith("table ")
