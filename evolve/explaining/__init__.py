"""What a found policy owes its worth to: its difference from a baseline taken apart, and each part judged.

1. ``question`` says what is asked; ``base`` what the policy is compared with; ``judged`` how these do before anything
   is taken apart.
2. ``hunks`` splits the difference so that any part of it can be applied; ``trials`` judges variants, each once and at
   most so many; ``measure`` compares them; ``worth`` says what each hunk is worth.
3. ``trim`` finds code and constants without effect, of the places that ``cuts`` and ``numbers`` name.
4. ``minimise`` finds the smallest difference that keeps the lead, by ``ddmin``; it has to do on the cases ``beside``.
5. ``by_case`` says where the policy wins and loses; ``explanation`` is all together, which ``explain`` makes.

The sealed cases of a run are never touched; fresh ones, drawn from another secret, show what the figures are worth.
"""
