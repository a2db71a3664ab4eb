"""A table of size classes, as serving engines keep one for each kernel and GPU (vLLM, Kwon et al., SOSP 2023).

Such tables map the number of tokens, in powers of two, to a configuration that was tuned offline, with other entries
for wide and narrow layers; the class at or above m counts.  The entries here are written by hand, not tuned.
"""

WIDE = 8192
CLASSES = [
    # m up to, narrow: (block_m, block_n, block_k, warps, stages, split_k), wide: the same
    (16, (16, 64, 128, 4, 4, 8), (16, 128, 128, 4, 4, 1)),
    (32, (32, 64, 128, 4, 4, 8), (32, 128, 128, 4, 3, 1)),
    (64, (64, 64, 128, 4, 3, 4), (64, 128, 64, 4, 4, 1)),
    (128, (64, 128, 64, 4, 4, 4), (128, 128, 64, 8, 3, 1)),
    (256, (128, 64, 64, 4, 4, 2), (128, 128, 64, 8, 3, 1)),
    (1024, (128, 128, 64, 8, 3, 1), (128, 256, 64, 8, 3, 1)),
]


def choose(m, n, k, dtype, gpu):
    _, narrow, wide = next((entry for entry in CLASSES if m <= entry[0]), CLASSES[-1])
    block_m, block_n, block_k, warps, stages, split_k = narrow if n < WIDE else wide
    while stages > 2 and (block_m + block_n) * block_k * 2 * stages > gpu["shared_kib"] * 1024:
        stages -= 1
    while block_k > 32 and (block_m + block_n) * block_k * 2 * stages > gpu["shared_kib"] * 1024:
        block_k //= 2
    rows = -(-m // block_m)
    tiles = rows * -(-n // block_n)
    steps = -(-k // block_k)
    while split_k > 1 and (tiles * split_k > 4 * gpu["multiprocessors"] or steps // split_k < 4):
        split_k //= 2
    return {
        "block_m": block_m,
        "block_n": block_n,
        "block_k": block_k,
        "warps": warps,
        "stages": stages,
        "split_k": split_k,
        "group_m": 8 if rows > 1 and split_k == 1 else 1,
    }
