"""Real GPU micro-benchmarks as judges: what all problems that time kernels share.

A policy of such a problem only decides; trusted code runs the kernel with that decision on a real GPU and times it.

1. ``bench`` has the nouns: a device, a timing, and the bench that makes timings.
2. ``timing`` turns samples into a timing; ``harness`` makes the samples, in the one process that owns the GPU
   (``owner``), behind a lock at which all others queue.
3. ``sweep`` times every legal configuration on every shape, keeps each timing at once in a ``recording`` and makes a
   ``table`` of it, which ``store`` keeps in a file and with which the same problem runs anywhere as *replay*.  ``live``
   is the bench of a judge that measures instead.

PyTorch and Triton (``pip install 'evolve[gpu]'``) are imported by ``device``, ``compiler`` and a problem's kernel, all
in processes that an ``owner`` starts when a GPU is used.
"""
