"""One fixed configuration (the Triton tutorial "Matrix Multiplication", Tillet et al. 2019): 128 x 128 x 32 tiles.

What a kernel without a heuristic ships with: of the tutorial's list the square tile with four warps and four stages.
Only where a shape makes it illegal is it cut: a tile no taller than m, and no group where there is one row of tiles.
"""


def choose(m, n, k, dtype, gpu):
    block_m = 16
    while block_m < min(m, 128):
        block_m *= 2
    return {
        "block_m": block_m,
        "block_n": 128,
        "block_k": 32,
        "warps": 4,
        "stages": 4,
        "split_k": 1,
        "group_m": 8 if m > block_m else 1,
    }
