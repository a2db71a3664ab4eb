import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scripted_bench import DEVICE

from evaluators.gpu import store
from evaluators.gpu.bench import Status, Timing
from evaluators.gpu.table import ARRAYS, Provenance, Repeatability, Table, TableError

NAN = np.nan


def floats(*rows):
    return np.array(rows, np.float32)


def table(**changes):
    """Two shapes and three configurations, computed by nobody; the last is illegal on the second shape."""
    provenance = Provenance("tiny", DEVICE, ("m", "n"), ("tile", "warps"), "c0de", "0.1.0", "2026-01-02T03:04:05+00:00")
    parts = {
        "provenance": provenance,
        "shapes": ((1, 64), (512, 64)),
        "configurations": ((16, 4), (32, 4), (64, 8)),
        "status": np.array([[0, 0, 3], [0, 2, 1]], np.uint8),
        "microseconds": floats([5.0, 4.0, NAN], [9.0, NAN, NAN]),
        "spread": floats([0.01, 0.02, NAN], [0.0, NAN, NAN]),
        "repeats": np.array([[10, 50, 1], [10, 0, 0]], np.uint16),
        "reason": np.array([[0, 0, 1], [0, 2, 0]], np.uint16),
        "reasons": ("", "off by 1.0", "out of shared memory"),
        "outside": floats(3.5, 8.0),
        "outside_spread": floats(0.01, 0.01),
        "repeatability": Repeatability(4, 0.01, 0.03),
    }
    return Table(**{**parts, **changes})


def test_a_row_has_what_came_of_every_configuration_that_was_tried():
    first, second = (table().row(shape) for shape in ((1, 64), (512, 64)))
    assert first.timings == {
        (16, 4): Timing(Status.OK, 5.0, pytest.approx(0.01), 10),
        (32, 4): Timing(Status.OK, 4.0, pytest.approx(0.02), 50),
        (64, 8): first.timings[64, 8],
    }
    assert (first.timings[64, 8].status, first.timings[64, 8].message) == (Status.WRONG, "off by 1.0")
    assert (first.best, first.vendor, first.device) == (4.0, 3.5, DEVICE)
    assert second.timings.keys() == {(16, 4), (32, 4)}
    assert second.timings[32, 4].message == "out of shared memory"


def test_a_shape_that_was_not_recorded_is_an_error():
    with pytest.raises(TableError, match=r"no shape \(2, 64\); record it again"):
        table().row((2, 64))


def test_a_table_comes_back_from_its_file_as_it_was(tmp_path):
    saved = table()
    store.save(saved, tmp_path / "new" / "tiny-x.npz")
    loaded = store.load(tmp_path / "new" / "tiny-x.npz", "tiny")
    assert loaded.provenance == saved.provenance
    assert (loaded.shapes, loaded.configurations, loaded.reasons) == (
        saved.shapes,
        saved.configurations,
        saved.reasons,
    )
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))
    assert loaded.repeatability == saved.repeatability
    assert loaded.digest == saved.digest


def test_the_digest_changes_with_anything_that_a_table_says():
    changed = [
        table(microseconds=floats([5.0, 4.1, NAN], [9.0, NAN, NAN])),
        table(outside=floats(3.5, 8.1)),
        table(provenance=replace(table().provenance, device=replace(DEVICE, driver="2"))),
        table(repeatability=Repeatability(4, 0.01, 0.04)),
    ]
    assert len({known.digest for known in [table(), *changed]}) == 5
    assert table().digest == table().digest


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "tiny-x.npz"
    store.save(table(), file)
    before, node = file.read_bytes(), file.stat().st_ino

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.save(table(outside=floats(1, 1)), file)
    assert file.read_bytes() == before
    assert [left.name for left in tmp_path.iterdir()] == ["tiny-x.npz"]
    monkeypatch.undo()
    with file.open("rb") as reading:
        store.save(table(outside=floats(1, 1)), file)
        assert reading.read() == before  # whoever reads the old one is not disturbed
    assert file.stat().st_ino != node


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"microseconds": floats([NAN, 4.0, NAN], [9.0, NAN, NAN])}, r"\(16, 4\) on \(1, 64\) .* microseconds nan"),
        ({"microseconds": floats([0.0, 4.0, NAN], [9.0, NAN, NAN])}, r"\(16, 4\) on \(1, 64\) is OK .* 0.0"),
        ({"microseconds": floats([5.0, -4.0, NAN], [9.0, NAN, NAN])}, r"is OK with microseconds -4"),
        ({"microseconds": floats([5.0, np.inf, NAN], [9.0, NAN, NAN])}, r"is OK with microseconds inf"),
        ({"microseconds": floats([5.0, 4.0, 1.0], [9.0, NAN, NAN])}, r"on \(1, 64\) is not OK and has a time"),
        ({"spread": floats([NAN, 0.02, NAN], [0.0, NAN, NAN])}, r"is OK with spread nan"),
        ({"status": np.array([[0, 0, 3], [2, 2, 1]], np.uint8)}, r"no configuration that works on \(512, 64\)"),
        ({"status": np.array([[0, 0, 9], [0, 2, 1]], np.uint8)}, r"has the status 9; the last is 5"),
        ({"status": np.array([[0, 0, 3]], np.uint8)}, r"status is of 1 x 3 numbers; expected 2 x 3"),
        ({"outside": floats(3.5)}, r"outside is of 1 numbers; expected 2"),
        ({"outside": floats(3.5, NAN)}, r"vendor's library has nan microseconds on \(512, 64\)"),
        ({"outside": floats(0.0, 8.0)}, r"vendor's library has 0.0 microseconds on \(1, 64\)"),
        ({"shapes": ((1, 64), (1, 64))}, r"its shapes are not all different and of 2 numbers \(m, n\)"),
        ({"shapes": ((1, 64), (512,))}, r"its shapes are not all different and of 2 numbers"),
        ({"configurations": ((16, 4), (32, 4), (16, 4))}, r"its configurations are not all different"),
        ({"shapes": ()}, r"has no shapes"),
        ({"reasons": ("",)}, r"lacks reasons"),
        ({"repeatability": Repeatability(0, 0.0, 0.0)}, r"no check of its repeatability"),
        ({"repeatability": Repeatability(5, NAN, 0.0)}, r"no check of its repeatability"),
    ],
)  # fmt: skip
def test_what_no_measurement_gives_is_no_table(changes, complaint):
    with pytest.raises(TableError, match=complaint):
        table(**changes)


def broken(file, how):
    """Writes a table whose file is broken in some way."""
    store.save(table(), file)
    with np.load(file) as arrays:
        parts = dict(arrays.items())
    about = json.loads(parts["metadata"].tobytes())
    how(parts, about)
    parts["metadata"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez_compressed(file, **parts)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        (lambda parts, about: about.update(format=2), "is of format 2, and this version reads 1: record it again"),
        (lambda parts, about: about.update(problem="other"), "is of the problem 'other'; expected 'tiny'"),
        (lambda parts, about: about.pop("kernel"), "holds no whole table .*kernel"),
        (lambda parts, about: about["device"].pop("driver"), "holds no whole table"),
        (lambda parts, about: about["device"].update(multiprocessors="many"), "of its device is 'many'"),
        (lambda parts, about: about["device"].update(speed=1), "holds no whole table"),
        (lambda parts, about: about["shapes"].append([1]), "its shapes are not"),
        (lambda parts, about: about["shapes"][0].__setitem__(0, 1.5), "are whole numbers"),
        (lambda parts, about: parts.pop("spread"), "holds no whole table .*spread"),
        (lambda parts, about: parts.update(status=parts["status"].astype(np.int64)), "is of int64; expected uint8"),
        (lambda parts, about: parts.update(status=np.array([["x"]], object)), "holds no whole table"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_in_one_line(tmp_path, how, complaint):
    file = tmp_path / "tiny-x.npz"
    broken(file, how)
    with pytest.raises(TableError, match=complaint) as refused:
        store.load(file, "tiny")
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_a_file_cut_off_anywhere_is_refused_in_one_line(tmp_path):
    file, cut = tmp_path / "tiny-x.npz", tmp_path / "cut.npz"
    store.save(table(), file)
    whole = file.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        cut.write_bytes(whole[:length])
        with pytest.raises(TableError, match="holds no whole table") as refused:
            store.load(cut, "tiny")
        assert "\n" not in str(refused.value)


def test_bits_that_have_flipped_end_in_one_line_at_most(tmp_path):
    file = tmp_path / "tiny-x.npz"
    store.save(table(), file)
    whole = bytearray(file.read_bytes())
    for at in range(0, len(whole), 37):
        flipped = bytearray(whole)
        flipped[at] ^= 0x10
        file.write_bytes(flipped)
        try:
            store.load(file, "tiny")
        except TableError as refused:
            assert "\n" not in str(refused)


def test_a_file_that_unpacks_to_far_too_much_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "tiny-x.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("metadata.npy", bytes(1 << 20))
    monkeypatch.setattr(store, "MOST_BYTES", 1 << 19)
    with pytest.raises(TableError, match="which no table has"):
        store.load(file, "tiny")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(TableError, match=r"cannot be read: No such file"):
        store.load(tmp_path / "none.npz", "tiny")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The user's folder and the package's, both empty."""
    monkeypatch.delenv(store.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(store.workloads, "__path__", [str(tmp_path / "package")])
    return tmp_path / "data" / "evolve" / "gpu_tables", tmp_path / "package" / "gpu_tables"


def test_no_table_is_found_where_none_is(places):
    assert store.find("tiny") is None


def test_the_users_table_comes_before_that_of_the_package_and_a_named_file_before_both(places, tmp_path, monkeypatch):
    user, package = places
    store.save(table(), package / "tiny-a.npz")
    assert store.find("tiny") == package / "tiny-a.npz"
    store.save(table(), user / "tiny-a.npz")
    assert store.find("tiny") == user / "tiny-a.npz"
    store.save(table(), tmp_path / "mine.npz")
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "mine.npz"))
    assert store.find("tiny") == tmp_path / "mine.npz"


def test_of_several_the_newest_recording_is_used_whatever_the_age_of_its_file(places):
    user, _ = places
    for name, year in (("a", 2024), ("b", 2026), ("c", 2025)):
        known = replace(table().provenance, recorded=f"{year}-01-01T00:00:00+00:00")
        store.save(table(provenance=known), user / f"tiny-{name}.npz")
    store.save(table(provenance=replace(table().provenance, problem="other")), user / "other-d.npz")
    assert store.find("tiny") == user / "tiny-b.npz"


def test_a_variable_that_names_no_file_is_refused(places, monkeypatch):
    monkeypatch.setenv(store.VARIABLE, "/no/such/file.npz")
    with pytest.raises(TableError, match=r"EVOLVE_GPU_TABLE names /no/such/file\.npz, which is no file"):
        store.find("tiny")


def test_a_recording_is_named_after_its_problem_and_its_gpu():
    assert store.file_name("tiny", replace(DEVICE, name="NVIDIA H200 (141GB)")) == "tiny-nvidia_h200_141gb.npz"


def test_a_file_that_holds_no_table_does_not_hide_the_others_nor_does_a_pipe_hang_the_search(places):
    user, _ = places
    store.save(table(), user / "tiny-b.npz")
    (user / "tiny-a.npz").write_text("not a table")
    os.mkfifo(user / "tiny-c.npz")
    assert store.find("tiny") == user / "tiny-b.npz"
    (user / "tiny-b.npz").unlink()
    with pytest.raises(TableError, match=r"tiny-a\.npz: holds no whole table"):
        store.find("tiny")


def test_a_table_takes_no_place_of_anything_but_a_table(tmp_path):
    store.insist_on_place(tmp_path / "new" / "table.npz", "tiny")
    store.save(table(), tmp_path / "old.npz")
    store.insist_on_place(tmp_path / "old.npz", "tiny")
    (tmp_path / "thesis.tex").write_text("years of work")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "old.npz")
    for name in ("thesis.tex", "pipe", "link", "."):
        with pytest.raises(TableError, match="name another"):
            store.insist_on_place(tmp_path / name, "tiny")
    with pytest.raises(TableError, match="name another"):
        store.insist_on_place(tmp_path / "old.npz", "other")
    with pytest.raises(TableError, match=r"thesis\.tex cannot be made"):
        store.insist_on_place(tmp_path / "thesis.tex" / "table.npz", "tiny")


@pytest.mark.parametrize(("field", "value"), [("copy_gbps", 0.0), ("multiprocessors", -1), ("name", "x\x1b[31m")])
def test_a_device_that_no_gpu_is_makes_no_table(tmp_path, field, value):
    device = replace(table().device, **{field: value})
    store.save(table(provenance=replace(table().provenance, device=device)), tmp_path / "odd.npz")
    with pytest.raises(TableError, match=f"{field} of its device is out of range"):
        store.load(tmp_path / "odd.npz", "tiny")
