"""What a found policy owes its worth to: its difference from a baseline taken apart, and each part judged.

1. ``base`` says what it is compared with; ``hunks`` splits the difference so that any part of it can be applied.
2. ``trials`` judges variants, each once and at most so many; ``worth`` says what each hunk is worth.
3. ``trim`` finds code and constants without effect, of the places that ``cuts`` and ``numbers`` name.
4. ``minimise`` finds the smallest difference that keeps the gain, by ``ddmin``.
5. ``by_case`` says where the policy wins and loses; ``explanation`` puts all together.

Sealed cases are never touched.
"""
