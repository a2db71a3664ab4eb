"""A cost model of waves (after the tile selection that Osama et al., "Stream-K", PPoPP 2023, argue with).

A product takes as many waves as its programs need on all multiprocessors, and a wave as long as its slowest program:
a step of k costs the longer of its arithmetic and its loads, each at a multiprocessor's share of what the GPU reaches;
small tiles reach less of the arithmetic.  Where k is split, partial sums are written and read once more.  The cheapest
configuration of a short list is chosen.
"""

TILES = [(16, 64), (16, 128), (32, 64), (32, 128), (64, 64), (64, 128), (128, 64), (128, 128), (128, 256), (256, 128)]
SPLITS = [1, 2, 4, 8]
STARTING = 1.5  # microseconds of a program before its first and after its last step
SECOND_PASS = 2.0  # microseconds that starting the kernel that adds up partial sums takes


def choose(m, n, k, dtype, gpu):
    tallest = 16
    while tallest < min(m, 256):
        tallest *= 2
    lowest = max(16, min(64, tallest // 2))
    best = None
    for block_m, block_n in TILES:
        if lowest <= block_m <= tallest:
            warps = 8 if block_m * block_n > 8192 else 4
            block_k, stages = pipeline(block_m, block_n, gpu)
            for split_k in SPLITS:
                if legal(m, n, k, block_m, block_n, block_k, split_k, gpu):
                    cost = microseconds(m, n, k, block_m, block_n, split_k, gpu)
                    if best is None or cost < best[0]:
                        best = cost, block_m, block_n, block_k, warps, stages, split_k
    _, block_m, block_n, block_k, warps, stages, split_k = best
    return {
        "block_m": block_m,
        "block_n": block_n,
        "block_k": block_k,
        "warps": warps,
        "stages": stages,
        "split_k": split_k,
        "group_m": 8 if m > block_m and split_k == 1 else 1,
    }


def microseconds(m, n, k, block_m, block_n, split_k, gpu):
    programs = -(-m // block_m) * -(-n // block_n) * split_k
    waves = -(-programs // gpu["multiprocessors"])
    depth = k / split_k
    reach = block_m * block_n / (block_m * block_n + 4096)
    share = min(programs, gpu["multiprocessors"])
    arithmetic = 2 * block_m * block_n * depth / (reach * gpu["matmul_tflops"] * 1e6 / gpu["multiprocessors"])
    loads = 2 * (block_m + block_n) * depth / (gpu["copy_gbps"] * 1e3 / share)
    cost = waves * (STARTING + max(arithmetic, loads))
    if split_k > 1:
        cost += SECOND_PASS + 8 * split_k * m * n / (gpu["copy_gbps"] * 1e3)
    return cost


def legal(m, n, k, block_m, block_n, block_k, split_k, gpu):
    """Says whether k may be split so."""
    if split_k == 1:
        return True
    programs = -(-m // block_m) * -(-n // block_n) * split_k
    return m <= 256 and programs <= 4 * gpu["multiprocessors"] and -(-k // block_k) // split_k >= 4


def pipeline(block_m, block_n, gpu):
    """Returns the deepest steps, and then the most stages, whose operands fit into shared memory."""
    room = gpu["shared_kib"] * 1024
    block_k = 128 if block_m * block_n <= 8192 else 64
    while block_k > 32 and (block_m + block_n) * block_k * 2 * 3 > room:
        block_k //= 2
    stages = 4
    while stages > 2 and (block_m + block_n) * block_k * 2 * stages > room:
        stages -= 1
    return block_k, stages
