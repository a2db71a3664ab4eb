"""Real GPU micro-benchmarks as judges: what all problems that time kernels share.

A policy of such a problem only decides; trusted code runs the kernel with that decision on a real GPU and times it.

1. ``bench`` has the nouns: a device, a timing, and the bench that makes timings.
2. ``timing`` turns samples into a timing; ``harness`` makes the samples, in the one process that owns the GPU
   (``owner``), behind a lock at which all others queue.
3. ``sweep`` times every legal configuration on every shape and keeps it in a ``table``, with which the same problem
   runs anywhere as *replay*.

PyTorch and Triton (``pip install 'evolve[gpu]'``) are imported by ``harness`` and ``device`` alone, when a GPU is used.
"""
