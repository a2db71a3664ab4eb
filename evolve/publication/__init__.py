"""Published results: what one is, where it lies, what it says of its making, and how it is judged again.

1. ``result`` is the noun: a policy with its record, which is believed as far as it can be checked.
2. ``shelf`` says where results lie, and writes them in one step.
3. ``provenance`` says what scores were made with; ``losses`` where a policy loses.
4. ``rejudge`` judges a result again, on the very cases that its record speaks of and on fresh ones, and ``figures``
   compares what came with the record.

``evolve.publishing`` makes a result of a run, and ``report/result.py`` writes its README.
"""
