import itertools

import pytest

from workloads.llm_layers import MODELS, PRODUCTS, Model

EVERY = [product for products in PRODUCTS.values() for product in products]


def layers(name):
    return {(p.projection, p.tp, p.n, p.k) for p in EVERY if p.model == name}


def test_layers_computed_by_hand():
    # 28,672 = 2 x 14,336: gate and up beside each other
    assert layers("Llama-3.1-8B") == {("gate_up", 1, 28672, 4096), ("down", 1, 4096, 14336)}
    # 64 heads and twice 8 of keys and values, of 128 each, on 4 GPUs: 80 x 128 / 4; 29,568 / 4
    assert layers("Qwen2.5-72B") == {("qkv", 4, 2560, 8192), ("down", 4, 8192, 7392)}
    # heads of 128 make 4,096 of 5,120 here: 32 + 2 x 8 of them
    assert layers("Mistral-Nemo-Base-2407") == {("qkv", 1, 6144, 5120), ("gate_up", 1, 28672, 5120)}
    # 128 heads with values of 128, on 8 GPUs
    assert layers("DeepSeek-V3") == {("out", 8, 7168, 2048), ("gate_up", 8, 4608, 7168)}
    # heads of 96
    assert layers("Phi-3-mini-4k-instruct") == {("down", 1, 3072, 8192), ("qkv", 1, 9216, 3072)}


def test_there_are_twenty_products_of_ten_models_in_each_split():
    for split, models in MODELS.items():
        assert len(set(models)) == 10
        assert len(PRODUCTS[split]) == 20
        assert {product.model for product in PRODUCTS[split]} == {model.name for model in models}


def test_splits_share_no_model_and_no_layer():
    for one, other in itertools.combinations(MODELS, 2):
        assert not {model.name for model in MODELS[one]} & {model.name for model in MODELS[other]}
        assert not set(MODELS[one]) & set(MODELS[other])
    assert len({(product.n, product.k) for product in EVERY}) == len(EVERY) == 60


def test_every_split_has_half_decode_and_half_prefill_and_both_types_in_each():
    for products in PRODUCTS.values():
        for phase in ("decode", "prefill"):
            kinds = [product.dtype for product in products if product.phase == phase]
            assert len(kinds) == 10
            assert 3 <= kinds.count("fp16") <= 7


def test_tokens_are_spread_over_decode_and_prefill_and_some_are_no_powers_of_two():
    tokens = {product.m for product in EVERY}
    assert tokens >= {1, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}
    assert max(tokens) <= 4096
    for products in PRODUCTS.values():
        assert sum(product.m & (product.m - 1) != 0 for product in products) >= 3


def test_no_product_takes_long_and_rows_are_aligned():
    for product in EVERY:
        assert 2 * product.m * product.n * product.k < 3e-3 * 300e12  # 3 ms at 300 TFLOPS
        assert 2 * product.n * product.k < 3e-3 * 2e12  # and at 2 TB/s
        assert product.n % 16 == product.k % 16 == 0  # 16-byte loads


def test_labels_tell_products_apart():
    assert len({product.label for product in EVERY}) == 60
    assert EVERY[2].label == "Qwen2.5-72B tp4 down, decode, 64 x 8192 x 7392 fp16"


def test_a_model_that_cannot_be_cut_evenly_is_refused():
    with pytest.raises(ValueError, match="cannot be cut into 8 equal parts"):
        Model("a/b", 3584, 28, 4, 128, 18944).weights("qkv", 8)
