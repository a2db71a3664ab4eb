"""Real GPU micro-benchmarks as judges: what all problems that time kernels share.

A policy of such a problem only decides; trusted code runs the kernel with that decision on a real GPU and times it.
``bench`` has the nouns: a device, a timing, and the bench that makes timings.

The recording: ``sweep`` times every legal configuration on every shape, keeps each timing at once in a ``recording``,
and makes a ``table`` of them, which ``store`` keeps in a file.  With it the same problem runs anywhere as *replay*.

The live bench, from a problem down to the GPU: ``live`` opens it when it is first needed.  ``owner`` is the judge's
end: it has processes compile (``compilers``, ``compiler``) and one own the GPU (``server``), behind a ``lock`` at
which all others queue; ``link`` and ``frames`` are the pipes to them.  In the process that owns the GPU ``harness``
checks and times the kernel of a ``workload`` on a ``stage`` of operands, with a ``stopwatch``; ``timing`` makes a
figure of its samples, ``refusal`` words of what the compiler says, and ``device`` says what GPU it is.

PyTorch and Triton (the extra ``gpu``) are imported only in those processes.
"""
