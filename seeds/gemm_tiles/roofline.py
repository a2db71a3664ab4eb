"""Roofline (Williams, Waterman & Patterson, CACM 2009): what limits a product decides what its tiles are good at.

Below the ridge of the roofline memory is the limit: tiles as tall as m, so that weights are read once, narrow enough
that every multiprocessor has some, and k split where there are still too few.  Above it arithmetic is: the tile that
reuses its operands most, unless the last wave of programs leaves too many multiprocessors idle.
"""

LARGE = [(128, 256, 8), (256, 128, 8), (128, 128, 8), (128, 64, 4), (64, 128, 4), (64, 64, 4)]
BUSY = 0.8


def choose(m, n, k, dtype, gpu):
    operations = 2 * m * n * k
    moved = 2 * (m * k + k * n + m * n)
    ridge = gpu["matmul_tflops"] * 1000 / gpu["copy_gbps"]  # operations to a byte
    if operations / moved < ridge:
        return memory_bound(m, n, k, gpu)
    return compute_bound(m, n, gpu)


def memory_bound(m, n, k, gpu):
    block_m = 16
    while block_m < min(m, 128):
        block_m *= 2
    block_n = 128 if block_m < 128 else 64
    if tiles(m, n, block_m, block_n) < gpu["multiprocessors"]:
        block_n = 64
    block_k, stages = pipeline(block_m, block_n, 128, gpu)
    split_k = 1
    while (
        m <= 256
        and split_k < 8
        and tiles(m, n, block_m, block_n) * split_k < gpu["multiprocessors"]
        and -(-k // block_k) // (2 * split_k) >= 4
    ):
        split_k *= 2
    return answer(m, block_m, block_n, block_k, 4, stages, split_k)


def compute_bound(m, n, gpu):
    tallest = 64
    while tallest < min(m, 256):
        tallest *= 2
    fitting = [tile for tile in LARGE if tile[0] <= tallest]
    busy = [tile for tile in fitting if filled(m, n, tile, gpu) >= BUSY]
    block_m, block_n, warps = busy[0] if busy else max(fitting, key=lambda tile: filled(m, n, tile, gpu))
    block_k, stages = pipeline(block_m, block_n, 64, gpu)
    return answer(m, block_m, block_n, block_k, warps, stages, 1)


def filled(m, n, tile, gpu):
    """Returns the share of multiprocessors that work, on average over the waves of programs."""
    waves = tiles(m, n, tile[0], tile[1]) / gpu["multiprocessors"]
    return waves / -(-waves // 1)


def tiles(m, n, block_m, block_n):
    return -(-m // block_m) * -(-n // block_n)


def pipeline(block_m, block_n, block_k, gpu):
    """Returns block_k and the most stages whose operands fit into shared memory."""
    room = gpu["shared_kib"] * 1024
    while block_k > 32 and (block_m + block_n) * block_k * 2 * 2 > room:
        block_k //= 2
    stages = 4
    while stages > 2 and (block_m + block_n) * block_k * 2 * stages > room:
        stages -= 1
    return block_k, stages


def answer(m, block_m, block_n, block_k, warps, stages, split_k):
    return {
        "block_m": block_m,
        "block_n": block_n,
        "block_k": block_k,
        "warps": warps,
        "stages": stages,
        "split_k": split_k,
        "group_m": 8 if m > block_m and split_k == 1 else 1,
    }
