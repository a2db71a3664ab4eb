import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from workloads.transaction_mixes import FAMILIES, LARGEST, SHARDS, draw_transactions, read_size, write_size
from workloads.transactions import (
    IDLE_SLOT,
    NO_KEY,
    FormatError,
    Operation,
    parse,
    read_distributions,
    read_transactions,
)


def measured(name):
    file = Path(os.environ.get("EVOLVE_DATA", "missing"), "transactions", name)
    if not file.exists():
        pytest.skip(f"EVOLVE_DATA does not name a folder with transactions/{name}")
    return file


def written(folder, text):
    file = folder / "workload.json"
    file.write_text(text)
    return file


# readers


def test_a_text_is_one_operation_to_a_slot():
    assert parse("w-17 * r-0") == (Operation("w", 17), IDLE_SLOT, Operation("r", 0))
    assert parse("") == ()


@pytest.mark.parametrize("word", ["x-1", "r1", "r--1", "w-1.5", "r-", "-", "R-1", "r-01", "w-99999999999999999999"])
def test_an_unknown_operation_is_refused(word):
    with pytest.raises(ValueError, match="expected r-KEY, w-KEY or \\*"):
        parse(f"r-1 {word}")


def test_a_workload_is_read_in_the_order_of_its_file(tmp_path):
    file = written(tmp_path, '{\n"txn0": "w-1 *",\n"txn1": ""\n}')
    assert read_transactions(file) == (parse("w-1 *"), ())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{\n"txn0": "w-1",\n"txn1": "r-', r"line 3: expected JSON; .*truncated"),
        ("", r"line 1: expected JSON"),
        ('{\n"txn0": "w-1",\n"txn2": "r-1"\n}', r"line 3: expected txn1, for transactions are in order; got 'txn2'"),
        ('{\n"txn1": "w-1",\n"txn0": "r-1"\n}', r"line 2: expected txn0"),
        ('{\n"txn0": "w-1",\n"txn0": "r-1"\n}', r"line 3: expected txn1, .*; got 'txn0'"),
        ('{\n"txn0": "w-1",\n"txn1": "r--4"\n}', r"line 3: txn1: expected r-KEY, .* got 'r--4'"),
        ('{\n"txn0": "w-1",\n"txn1": 7\n}', r"line 3: txn1: expected a text of operations; got 7"),
        ('{\n"txn0": ["w-1"]}', r"line 2: txn0: expected a text of operations; got a list of 1"),
        ("[]", r"line 1: expected an object of transactions, txn0 first; got a list of 0"),
        ("{}", r"line 1: expected an object of transactions"),
        ('{"start_time": 1}', r"line 1: expected txn0, .* got 'start_time'"),
    ],
)
def test_a_broken_workload_is_refused_with_file_line_and_reason(tmp_path, text, complaint):
    with pytest.raises(FormatError, match=rf"workload\.json, {complaint}"):
        read_transactions(written(tmp_path, text))


def test_what_is_no_text_or_no_file_is_refused(tmp_path):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match=r"bytes\.json: expected JSON in UTF-8; .* at byte 0"):
        read_transactions(tmp_path / "bytes.json")
    with pytest.raises(FormatError, match=r"expected a file of transactions; No such file"):
        read_transactions(tmp_path / "none.json")


SIZES = '{"name": "write_txn_sizes", "values": [1, 2], "weights": [0, 3]}'


def test_distributions_are_read_by_name_and_ranks_stand_in_for_values(tmp_path):
    file = written(tmp_path, f'{SIZES}\n{{"name": "shards", "weights": [5, 1]}}\n')
    found = read_distributions(file)
    assert found["write_txn_sizes"].values == (1, 2)
    assert (found["shards"].values, found["shards"].weights) == ((0, 1), (5, 1))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"name": "x", "wei', "expected JSON; .*truncated"),
        ("", "expected JSON"),
        ('{"values": [1], "weights": [1]}', "expected an object with a name; got the keys values, weights"),
        ('{"name": "x", "values": [1]}', "expected a list of numbers as weights; got None"),
        ('{"name": "x", "weights": [1, -2]}', "expected weights from 0, some above it; got -2"),
        ('{"name": "x", "weights": [0, 0]}', "expected weights from 0, some above it; got 0"),
        ('{"name": "x", "weights": []}', "expected weights from 0"),
        ('{"name": "x", "values": [1], "weights": [1, 2]}', "expected a value for each of the 2 weights; got a list"),
        ('{"name": "x_sizes", "values": [2, -1], "weights": [1, 2]}', "expected sizes in rising order; got -1 after 2"),
        ('{"name": "x_sizes", "values": [-1, 2], "weights": [1, 2]}', "expected sizes as whole numbers from 1; got -1"),
        ('{"name": "x_sizes", "values": [3, 2], "weights": [1, 2]}', "expected sizes in rising order; got 2 after 3"),
    ],
)
def test_a_broken_distribution_is_refused_with_file_line_and_reason(tmp_path, line, complaint):
    with pytest.raises(FormatError, match=rf"workload\.json, line 2: {complaint}"):
        read_distributions(written(tmp_path, f"{SIZES}\n{line}\n{SIZES}"))


def test_the_public_workload_has_16_accesses_of_different_keys_in_each_transaction():
    transactions = read_transactions(measured("adrs_workload_1.json"))
    assert len(transactions) == 100
    assert all(len({key for _, key in transaction}) == 16 for transaction in transactions)
    assert Counter(kind for transaction in transactions for kind, _ in transaction) == {"w": 888, "r": 712}


# mixes

GOLDEN = {
    "epinions": (475, 54),
    "smallbank": (422, 111),
    "taobench": (575, 190),
    "tpcc": (1305, 551),
    "ycsb": (994, 325),
}
"""Operations and writes of 100 transactions of each family."""


def drawn(family, heat, seed=1, count=100):
    return draw_transactions(family, count, heat, np.random.default_rng(seed))


def conflicts(transactions):
    """Returns the share of pairs that touch a key of which one writes."""
    touched = [{key for _, key in t if key != NO_KEY} for t in transactions]
    written = [{key for kind, key in t if kind == "w"} for t in transactions]
    pairs = [(i, j) for i in range(len(touched)) for j in range(i)]
    return sum(bool(written[i] & touched[j] or touched[i] & written[j]) for i, j in pairs) / len(pairs)


@pytest.mark.parametrize("family", FAMILIES)
def test_heat_leads_from_hardly_any_conflicts_to_many(family):
    mean = [np.mean([conflicts(drawn(family, heat, seed)) for seed in range(3)]) for heat in (0.0, 0.5, 1.0)]
    assert mean[0] < 0.05
    assert mean[0] < mean[1] < mean[2]
    assert mean[2] > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_transactions_are_as_many_as_asked_for_and_have_keys_from_0(family):
    for count in (1, 2, 30):
        for heat in (0.0, 1.0):
            transactions = drawn(family, heat, count=count)
            assert len(transactions) == count
            keys = {key for transaction in transactions for kind, key in transaction if kind != "-"}
            assert keys <= set(range(len(keys)))
            assert min(map(len, transactions)) >= 1
            assert max(map(len, transactions)) <= LARGEST
            assert all((kind == "-") == (key == NO_KEY) for transaction in transactions for kind, key in transaction)


def test_the_seed_determines_the_transactions():
    for family in FAMILIES:
        assert drawn(family, 0.5, seed=3) == drawn(family, 0.5, seed=3) != drawn(family, 0.5, seed=4)


def test_drawn_transactions_have_their_golden_values():
    found = {family: drawn(family, 0.6) for family in FAMILIES}
    assert {
        family: (sum(map(len, ts)), sum(k == "w" for t in ts for k, _ in t)) for family, ts in found.items()
    } == GOLDEN


def test_families_differ_in_what_a_transaction_does():
    assert {len(t) for t in drawn("smallbank", 0.5)} == {3, 4, 6, 8}
    assert all(len({kind for kind, _ in t}) == 1 for t in drawn("taobench", 0.5))
    warehouse = Counter(t[0] for t in drawn("tpcc", 1.0)).most_common(1)[0]
    assert warehouse[1] > 60  # new orders and payments of one warehouse
    writers = [sum(any(kind == "w" for kind, _ in t) for t in drawn("epinions", heat)) for heat in (0.0, 1.0)]
    assert writers[0] < 40 < 60 < writers[1]
    sizes = {len({key for _, key in t}) for t in drawn("ycsb", 0.2)}
    assert len(sizes) == 1  # of one workload; updates that read first are longer


@pytest.mark.parametrize("wrong", [("tpch", 9, 0.5), ("ycsb", 0, 0.5), ("ycsb", 9, 1.1), ("ycsb", 9, -0.1)])
def test_an_unknown_family_or_an_impossible_degree_is_refused(wrong):
    with pytest.raises(ValueError, match=r"no family 'tpch'; there are: epinions|expected one transaction at least"):
        draw_transactions(*wrong, np.random.default_rng(1))


def shares(distribution):
    """Returns the cumulated share of each size up to the largest that is drawn."""
    kept = {v: w for v, w in zip(distribution.values, distribution.weights, strict=True) if v <= LARGEST}
    total = sum(kept.values())
    return np.cumsum([kept[size] / total for size in range(1, LARGEST + 1)])


@pytest.mark.parametrize("workload", ["a", "o"])
@pytest.mark.parametrize(("name", "draw"), [("write_txn_sizes", write_size), ("read_txn_sizes", read_size)])
def test_sizes_are_distributed_as_the_published_ones(workload, name, draw):
    published = shares(read_distributions(measured(f"taobench_workload_{workload}.json"))[name])
    random = np.random.default_rng(6)
    counts = Counter(draw(random) for _ in range(20_000))
    ours = np.cumsum([counts[size] / 20_000 for size in range(1, LARGEST + 1)])
    assert np.abs(ours - published).max() < 0.02


def test_the_hottest_shards_have_their_published_share():
    weights = read_distributions(measured("taobench_workload_a.json"))["primary_shards"].weights
    assert np.array(weights[: len(SHARDS)]) / sum(weights) == pytest.approx(SHARDS, abs=1e-3)
    assert len(weights) == 50


def test_the_published_files_are_what_the_reader_expects():
    found = read_distributions(measured("taobench_workload_o.json"))
    assert json.dumps(found["operations"].weights) == "[8387, 19, 242, 1]"
