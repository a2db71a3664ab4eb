"""Matrix products of published language models: sixty layers, each with as many tokens as one pass of a server has.

A projection of a transformer multiplies the tokens of a pass, ``[m, k]``, with its weights, ``[k, n]``.  In a decode
pass every running request has one token (m from 1 to 256); a prefill pass takes a chunk of prompts (m from 512 to
4096).  With tensor parallelism (Shoeybi et al., "Megatron-LM", 2019, arXiv 1909.08053) each of ``tp`` GPUs holds a
share of the columns of ``qkv`` and ``gate_up``, and of the rows of ``out`` and ``down``; the degrees here are those at
which such models fit on GPUs of 80 GB or are served for latency.  In a mixture of experts ``gate_up`` and ``down`` are
those of one expert.

The sizes of a model are those in the ``config.json`` of its repository on the Hugging Face Hub: ``hidden_size``,
``num_attention_heads``, ``num_key_value_heads``, ``head_dim``, ``intermediate_size`` (of DBRX ``d_model`` and
``ffn_hidden_size``; of GLM-4 ``multi_query_group_num`` and ``ffn_hidden_size``; of DeepSeek-V3 ``v_head_dim``, and the
width of its dense layers: its latent projections are not used here).

No model of one split is in another, and no two layers have the same n and k.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Dtype = Literal["bf16", "fp16"]
Projection = Literal["qkv", "out", "gate_up", "down"]

DECODE_MOST = 256
"""Tokens of the largest decode pass; a prefill pass has more."""


@dataclass(frozen=True, slots=True)
class Model:
    """A transformer's sizes: ``repository`` is its name on the Hub, ``intermediate`` the width of an MLP or expert."""

    repository: str
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int

    @property
    def name(self) -> str:
        """The repository without its owner."""
        return self.repository.partition("/")[2]

    def weights(self, projection: Projection, tp: int) -> tuple[int, int]:
        """Returns (n, k) of the share of a projection that each of ``tp`` GPUs holds.

        Raises:
            ValueError: heads or columns cannot be shared out evenly.
        """
        if self.kv_heads % tp or self.heads % tp or self.intermediate % tp:
            raise ValueError(f"{self.repository} cannot be cut into {tp} equal parts")
        attention = self.heads * self.head_dim // tp
        cached = 2 * self.kv_heads * self.head_dim // tp  # keys and values
        wide = self.intermediate // tp
        return {
            "qkv": (attention + cached, self.hidden),
            "out": (self.hidden, attention),
            "gate_up": (2 * wide, self.hidden),
            "down": (self.hidden, wide),
        }[projection]


@dataclass(frozen=True, slots=True)
class Product:
    """C[m, n] = A[m, k] B[k, n]: one projection of a model on one of ``tp`` GPUs in a pass over ``m`` tokens."""

    model: str
    projection: Projection
    tp: int
    m: int
    n: int
    k: int
    dtype: Dtype

    @property
    def phase(self) -> str:
        """What the server is doing."""
        return "decode" if self.m <= DECODE_MOST else "prefill"

    @property
    def label(self) -> str:
        """The product in a line."""
        parts = f" tp{self.tp}" if self.tp > 1 else ""
        return f"{self.model}{parts} {self.projection}, {self.phase}, {self.m} x {self.n} x {self.k} {self.dtype}"


_Use = tuple[Model, int, Projection, int, Dtype, Projection, int, Dtype]
"""A model, its tensor parallelism, a projection with its tokens and type in decode, and one in prefill."""

_TRAIN: tuple[_Use, ...] = (
    (Model("meta-llama/Llama-3.1-8B", 4096, 32, 8, 128, 14336), 1, "gate_up", 16, "bf16", "down", 2048, "bf16"),
    (Model("Qwen/Qwen2.5-72B", 8192, 64, 8, 128, 29568), 4, "down", 64, "fp16", "qkv", 4096, "fp16"),
    (Model("mistralai/Mistral-Nemo-Base-2407", 5120, 32, 8, 128, 14336), 1, "qkv", 1, "bf16", "gate_up", 1024, "bf16"),
    (Model("google/gemma-2-27b", 4608, 32, 16, 128, 36864), 2, "out", 8, "bf16", "down", 1536, "fp16"),
    (Model("microsoft/phi-4", 5120, 40, 10, 128, 17920), 1, "down", 128, "fp16", "out", 3000, "bf16"),
    (Model("mistralai/Mixtral-8x22B-v0.1", 6144, 48, 8, 128, 16384), 4, "qkv", 32, "bf16", "gate_up", 512, "bf16"),
    (Model("CohereForAI/c4ai-command-r-plus", 12288, 96, 8, 128, 33792), 8, "gate_up", 4, "fp16", "down", 700, "fp16"),
    (Model("Qwen/Qwen3-4B", 2560, 32, 8, 128, 9728), 1, "gate_up", 256, "bf16", "out", 2048, "bf16"),
    (Model("meta-llama/Llama-2-13b", 5120, 40, 40, 128, 13824), 2, "out", 24, "fp16", "qkv", 1000, "fp16"),
    (Model("01-ai/Yi-34B", 7168, 56, 8, 128, 20480), 2, "down", 1, "bf16", "gate_up", 2048, "bf16"),
)

_VALIDATION: tuple[_Use, ...] = (
    (Model("meta-llama/Llama-3.1-70B", 8192, 64, 8, 128, 28672), 8, "qkv", 16, "bf16", "gate_up", 2048, "bf16"),
    (Model("Qwen/Qwen2.5-7B", 3584, 28, 4, 128, 18944), 1, "down", 32, "fp16", "qkv", 1024, "bf16"),
    (
        Model("mistralai/Mistral-Small-24B-Base-2501", 5120, 32, 8, 128, 32768),
        2,
        "gate_up",
        64,
        "bf16",
        "out",
        4096,
        "fp16",
    ),
    (Model("google/gemma-2-9b", 3584, 16, 8, 256, 14336), 1, "gate_up", 8, "bf16", "down", 1500, "bf16"),
    (Model("Qwen/Qwen3-14B", 5120, 40, 8, 128, 17408), 1, "qkv", 128, "fp16", "down", 2048, "fp16"),
    (Model("deepseek-ai/DeepSeek-V3", 7168, 128, 128, 128, 18432), 8, "out", 256, "bf16", "gate_up", 1024, "bf16"),
    (Model("ibm-granite/granite-3.1-8b-base", 4096, 32, 8, 128, 12800), 1, "down", 4, "bf16", "gate_up", 512, "fp16"),
    (Model("meta-llama/Llama-3.2-3B", 3072, 24, 8, 128, 8192), 1, "out", 1, "fp16", "gate_up", 4096, "bf16"),
    (Model("databricks/dbrx-base", 6144, 48, 8, 128, 10752), 4, "gate_up", 48, "bf16", "down", 3072, "bf16"),
    (Model("allenai/OLMo-2-1124-7B", 4096, 32, 32, 128, 11008), 1, "gate_up", 1, "fp16", "qkv", 900, "fp16"),
)

_HELD_OUT: tuple[_Use, ...] = (
    (Model("meta-llama/Llama-3.1-405B", 16384, 128, 8, 128, 53248), 8, "down", 64, "bf16", "qkv", 2048, "bf16"),
    (Model("Qwen/Qwen2.5-32B", 5120, 40, 8, 128, 27648), 2, "gate_up", 8, "fp16", "down", 1024, "fp16"),
    (
        Model("mistralai/Mistral-Large-Instruct-2407", 12288, 96, 8, 128, 28672),
        8,
        "qkv",
        16,
        "bf16",
        "down",
        4096,
        "bf16",
    ),
    (Model("google/gemma-2-2b", 2304, 8, 4, 256, 9216), 1, "down", 128, "bf16", "gate_up", 2048, "bf16"),
    (Model("Qwen/Qwen2.5-3B", 2048, 16, 2, 128, 11008), 1, "gate_up", 32, "fp16", "down", 1800, "bf16"),
    (Model("microsoft/Phi-3-mini-4k-instruct", 3072, 32, 32, 96, 8192), 1, "down", 4, "bf16", "qkv", 1024, "fp16"),
    (Model("Qwen/Qwen3-32B", 5120, 64, 8, 128, 25600), 2, "out", 256, "bf16", "gate_up", 512, "bf16"),
    (Model("mistralai/Mixtral-8x7B-v0.1", 4096, 32, 8, 128, 14336), 2, "gate_up", 1, "fp16", "out", 4096, "fp16"),
    (Model("google/gemma-3-27b-pt", 5376, 32, 16, 128, 21504), 2, "qkv", 1, "bf16", "down", 2500, "bf16"),
    (Model("THUDM/glm-4-9b", 4096, 32, 2, 128, 13696), 1, "down", 96, "fp16", "qkv", 768, "fp16"),
)

MODELS: Mapping[str, tuple[Model, ...]] = {
    "train": tuple(use[0] for use in _TRAIN),
    "validation": tuple(use[0] for use in _VALIDATION),
    "test": tuple(use[0] for use in _HELD_OUT),
}
"""The models of each split."""


def _products(uses: tuple[_Use, ...]) -> tuple[Product, ...]:
    return tuple(
        Product(model.name, projection, tp, m, *model.weights(projection, tp), dtype)
        for model, tp, *two in uses
        for projection, m, dtype in (two[:3], two[3:])
    )


PRODUCTS: Mapping[str, tuple[Product, ...]] = {
    "train": _products(_TRAIN),
    "validation": _products(_VALIDATION),
    "test": _products(_HELD_OUT),
}
"""Twenty products of each split, half of them decode and half prefill, in turn."""
